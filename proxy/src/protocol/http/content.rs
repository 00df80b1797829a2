//! What a request is held to by the content rules of the rules that allow it.

use super::masked::media;
use super::target::Target;
use crate::content::{Framing, Refuse, Terms};
use crate::gate::Allowed;
use crate::refusal::{Refusal, brief};
use exeat_content::{Found, scan_text};
use http::header::CONTENT_TYPE;
use http::request::Parts;

/// Media types that begin so are streams of messages.
const MESSAGES: [&[u8]; 2] = [b"application/grpc", b"application/connect+"];
/// Whether what the request carries can be read at all, and what may be nowhere is not in its head.
pub(super) fn inspect_head(
    parts: &Parts,
    target: &Target,
    allowed: &Allowed,
) -> Result<(), Refusal> {
    if target.websocket {
        return Err(Refusal::Uninspectable);
    }
    let rules = allowed.content();
    if !rules.iter().any(|content| content.reads_heads()) {
        return Ok(());
    }
    let scan = |called: &str, text: &[u8]| match scan_text(rules, called, text) {
        Ok(None) => Ok(()),
        Ok(Some(found)) => Err(allowed.content_refusal(&found)),
        Err(error) => Err(Refusal::Encoding(brief(error.to_string().as_bytes()))),
    };
    scan("path", parts.uri.path().as_bytes())?;
    if let Some(query) = &target.query {
        scan("query", query.as_bytes())?;
    }
    for (name, value) in &parts.headers {
        scan("the name of a header", name.as_str().as_bytes())?;
        scan(&format!("header {name}"), value.as_bytes())?;
    }
    Ok(())
}

/// gRPC (`PROTOCOL-HTTP2.md`) and the streams of Connect are messages.
fn framing(parts: &Parts) -> Framing {
    let kind = parts.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes().to_ascii_lowercase());
    match kind {
        Some(kind) if MESSAGES.iter().any(|one| kind.starts_with(one)) => Framing::Messages,
        _ => Framing::Whole,
    }
}

/// What the body is held to.
pub(super) fn terms(parts: &Parts, allowed: &Allowed) -> Terms {
    let judge = allowed.clone();
    let refuse = move |found: &Found| judge.content_refusal(found);
    Terms {
        rules: allowed.content().to_vec(),
        media: media(&parts.headers),
        framing: framing(parts),
        refuse: (!allowed.observing()).then(|| Box::new(refuse) as Refuse),
    }
}
