//! What a request is held to by the content rules of the rules that allow it.

use super::masked::media;
use super::target::Target;
use crate::content::{Framing, Refuse, Terms};
use crate::gate::Allowed;
use crate::refusal::{Refusal, brief};
use exeat_content::{Found, scan_head};
use exeat_policy::content::Content;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use std::sync::Arc;

/// Media types that begin so are streams of messages.
const MESSAGES: [&[u8]; 2] = [b"application/grpc", b"application/connect+"];
/// Whether what the request carries can be read at all, and what may be nowhere is not in its head.
pub(super) fn inspect_head(
    parts: &Parts,
    target: &Target,
    allowed: &Allowed,
) -> Result<(), Refusal> {
    if target.websocket && !allowed.content().is_empty() {
        return Err(Refusal::Uninspectable);
    }
    let query = target.query.as_deref().map(str::as_bytes);
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    match scan_head(&rules(allowed), parts.uri.path().as_bytes(), query, headers) {
        Ok(None) => Ok(()),
        Ok(Some(found)) => Err(refusal_of(allowed, &found)),
        Err(error) => Err(Refusal::Encoding(brief(error.to_string().as_bytes()))),
    }
}

/// The rules about content, and behind them what finds placeholders.
fn rules(allowed: &Allowed) -> Vec<Arc<Content>> {
    [allowed.content(), allowed.placeholders()].concat()
}

/// The refusal of a request in which this was found.
pub(super) fn refusal_of(allowed: &Allowed, found: &Found) -> Refusal {
    if found.rule < allowed.content().len() {
        return allowed.content_refusal(found);
    }
    Refusal::PlaceholderElsewhere(brief(found.place.as_bytes()))
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
    let refuse = move |found: &Found| refusal_of(&judge, found);
    Terms {
        rules: rules(allowed),
        strict: !allowed.content().is_empty(),
        media: media(&parts.headers),
        framing: framing(parts),
        refuse: (!allowed.observing()).then(|| Box::new(refuse) as Refuse),
    }
}
