//! Heads of messages whose bodies are masked.

use super::echo::Unechoed;
use super::framing::is_named;
use crate::content::{DIGESTS, Inspected, Masking};
use crate::refusal::Refusal;
use crate::wire::Memory;
use bytes::Bytes;
use exeat_content::Media;
use exeat_content::mask::masked_encoding;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG,
    IF_RANGE, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Codings that can be taken off a response.
const READABLE: [&str; 6] = ["gzip", "x-gzip", "deflate", "br", "zstd", "identity"];

/// How a body says that it is to be read.
pub(super) fn media(headers: &HeaderMap) -> Media {
    let lines = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Media::from_headers(lines)
}

/// Asks for a response that can be masked: whole, and in no coding that cannot be read.
pub(super) fn ask(headers: &mut HeaderMap) {
    headers.remove(RANGE);
    headers.remove(IF_RANGE);
    let lines: Vec<HeaderValue> = headers.get_all(ACCEPT_ENCODING).iter().cloned().collect();
    if lines.is_empty() {
        return;
    }
    let readable = |entry: &&[u8]| {
        let name = entry.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        READABLE.iter().any(|one| name.eq_ignore_ascii_case(one.as_bytes()))
    };
    let entries = lines.iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let kept: Vec<&[u8]> = entries.map(<[u8]>::trim_ascii).filter(readable).collect();
    let kept = if kept.is_empty() { b"identity".to_vec() } else { kept.join(&b", "[..]) };
    if let Ok(kept) = HeaderValue::from_bytes(&kept) {
        headers.insert(ACCEPT_ENCODING, kept);
    }
}

/// Takes from a head what speaks of the body as it was.
///
/// # Errors
/// When the body's coding is not known.
pub(super) fn describe(headers: &mut HeaderMap, media: &Media) -> Result<(), Refusal> {
    for name in DIGESTS {
        let named: Vec<HeaderName> =
            headers.keys().filter(|it| is_named(it.as_str().as_bytes(), name)).cloned().collect();
        for name in named {
            headers.remove(name);
        }
    }
    let encoding = masked_encoding(media).map_err(|error| Refusal::Encoding(error.to_string()))?;
    if headers.remove(CONTENT_ENCODING).is_some()
        && !encoding.is_empty()
        && let Ok(encoding) = HeaderValue::try_from(encoding)
    {
        headers.insert(CONTENT_ENCODING, encoding);
    }
    Ok(())
}

/// Masks a request's body whose beginning was read.
///
/// # Errors
/// When it cannot be masked.
pub(super) async fn held(
    held: Inspected,
    masking: Masking,
    parts: &mut Parts,
    memory: &Memory,
) -> Result<Inspected, Refusal> {
    let media = media(&parts.headers);
    if held.length == 0 && held.rest.is_none() {
        return Ok(held);
    }
    masking.can(&media)?;
    describe(&mut parts.headers, &media)?;
    Ok(match held.rest {
        None => {
            let chunks = masking.whole(held.chunks, &media, memory).await?;
            let length = chunks.iter().map(Bytes::len).sum();
            Inspected { chunks, length, announced: Some(length as u64), ..held }
        }
        Some(rest) => {
            let rest = Some(masking.follow(rest, media, memory.clone()));
            Inspected { rest, announced: None, ..held }
        }
    })
}

/// The body of a response on its way to the agent.
pub(super) enum Back {
    AsItComes(Unechoed<Incoming>),
    Masked(mpsc::Receiver<Result<Frame<Bytes>, Refusal>>),
}

/// Whether an answer has a body (RFC 9110 §6.4.1).
fn has_body(method: &Method, status: StatusCode) -> bool {
    method != Method::HEAD && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

/// Makes the response one whose body is masked.
///
/// # Errors
/// When it is a part of something, or cannot be masked.
pub(super) fn answer(
    parts: &mut response::Parts,
    method: &Method,
    body: Unechoed<Incoming>,
    masking: Masking,
    memory: &Memory,
) -> Result<Back, Refusal> {
    if parts.status == StatusCode::PARTIAL_CONTENT || parts.headers.contains_key(CONTENT_RANGE) {
        return Err(Refusal::Unmaskable("a part of a whole".to_owned()));
    }
    let media = media(&parts.headers);
    let has_body = has_body(method, parts.status);
    if has_body {
        masking.can(&media)?;
    }
    let described = describe(&mut parts.headers, &media);
    if has_body {
        described.map_err(|refusal| Refusal::Unmaskable(refusal.to_string()))?;
    }
    parts.headers.remove(ACCEPT_RANGES);
    if let Some(weak) = parts.headers.get(ETAG).and_then(weakened) {
        parts.headers.insert(ETAG, weak);
    }
    if method == Method::HEAD || has_body {
        parts.headers.remove(CONTENT_LENGTH);
    }
    if !has_body || body.is_end_stream() {
        return Ok(Back::AsItComes(body));
    }
    Ok(Back::Masked(masking.body(body, media, memory.clone(), Refusal::UpstreamProtocol)))
}

/// What was masked is not the same byte for byte (RFC 9110 §8.8.1).
fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    let tag = tag.as_bytes();
    if tag.starts_with(b"W/") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", tag].concat()).ok()
}

impl Back {
    /// The next frame; what it means that there is none is for the caller.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        match self {
            Self::AsItComes(body) => Pin::new(body).poll_frame(cx).map_err(|error| {
                tracing::debug!(%error, "Response broke off");
                Refusal::UpstreamProtocol
            }),
            Self::Masked(frames) => frames.poll_recv(cx),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::AsItComes(body) => body.is_end_stream(),
            Self::Masked(_) => false,
        }
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::AsItComes(body) => body.size_hint(),
            Self::Masked(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
        headers.insert(RANGE, "bytes=0-1".parse().unwrap());
        ask(&mut headers);
        assert!(!headers.contains_key(RANGE));
        headers[ACCEPT_ENCODING].to_str().unwrap().to_owned()
    }

    #[test]
    fn only_what_can_be_read_is_asked_for() {
        assert_eq!(asked("gzip;q=0.5, dcb, BR, *"), "gzip;q=0.5, BR");
        assert_eq!(asked("lzma"), "identity");
    }

    #[test]
    fn tags_become_weak_once() {
        let tag = |tag: &str| weakened(&tag.parse().unwrap());
        assert_eq!(tag("\"a\"").unwrap(), "W/\"a\"");
        assert_eq!(tag("W/\"a\""), None);
    }
}
