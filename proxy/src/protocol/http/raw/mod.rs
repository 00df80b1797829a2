//! Request targets with bytes that URLs do not have and that clients send all the same: `"`, `<`,
//! `>`, a backtick, and bytes that are not UTF-8. They reach the server byte for byte, and yet the
//! HTTP library, which knows no such target, is between the two sides.
//!
//! So what the agent sent is percent-encoded before the library reads it (over HTTP/1 by
//! [`framing`](super::framing), over HTTP/2 by [`heads`]), and the bytes themselves go along in a
//! header, the marker. On the way out [`line`] (HTTP/1) and [`marked`] (HTTP/2) put them back.
//!
//! What holds:
//! - Everything is decided on what the library read. A marker says only how to *write* that: it
//!   counts where its value, percent-encoded, is exactly the path and query of the request that
//!   carries it. An agent that forges one can say nothing but what it might have sent as target.
//! - The encoded form decodes to the same bytes, so both have the same readings.
//! - No marker leaves. Where the path is sent in another form than it came in, there is none.

mod blocks;
mod frame;
pub mod heads;
pub mod hpack;
mod huffman;
mod late;
pub(super) mod line;
pub(super) mod marked;
pub(super) mod reader;
#[cfg(test)]
mod slow;

use bytes::{BufMut, Bytes};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName};

/// The header that carries the bytes of a target inside of the proxy.
pub(super) const MARKER: HeaderName = HeaderName::from_static("exeat-target");

/// Whether the HTTP library may know no target with this byte.
const fn is_odd(byte: u8, binary: bool) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`') || binary && byte >= 0x80
}

/// Whether a target has a byte that may be odd. Most have none.
pub(super) fn may_be_odd(target: &[u8]) -> bool {
    target.iter().any(|byte| is_odd(*byte, true))
}

/// Appends a target with its odd bytes percent-encoded (WHATWG URL, percent-encode sets).
pub(super) fn encode(target: &[u8], out: &mut impl BufMut) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let binary = std::str::from_utf8(target).is_err();
    for byte in target {
        if is_odd(*byte, binary) {
            out.put_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.put_u8(*byte);
        }
    }
}

fn encoded(target: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(target.len() + 16);
    encode(target, &mut out);
    out
}

/// A path and query that the HTTP library does not know, in the form that it knows. None where it
/// knows it as it is, or in no form.
fn known_form(target: &[u8]) -> Option<Vec<u8>> {
    let knows = |target: &[u8]| PathAndQuery::try_from(target).is_ok();
    if !may_be_odd(target) || knows(target) {
        return None;
    }
    Some(encoded(target)).filter(|encoded| knows(encoded))
}

/// A target without what is behind a `#`, which is not sent on (RFC 9110 §4.2.5).
fn without_fragment(target: &[u8]) -> &[u8] {
    &target[..memchr::memchr(b'#', target).unwrap_or(target.len())]
}

/// The path and query of a target in origin form or in absolute form (RFC 9112 §3.2), as it goes out
/// in origin form. None for other forms.
pub(super) fn origin_form(target: &[u8]) -> Option<Vec<u8>> {
    let target = without_fragment(target);
    if target.starts_with(b"/") {
        return Some(target.to_vec());
    }
    let authority = memchr::memmem::find(target, b"://")? + 3;
    let end = target[authority..].iter().position(|byte| matches!(byte, b'/' | b'?'))?;
    let path = &target[authority + end..];
    let slash: &[u8] = if path.starts_with(b"?") { b"/" } else { b"" };
    Some([slash, path].concat())
}

/// The bytes that a request's path and query were sent as, where they differ from it.
///
/// The proxy's own marker is the last one of several.
pub(super) fn sent_as(headers: &HeaderMap, path_and_query: &str) -> Option<Bytes> {
    let fits =
        |value: &[u8]| value != path_and_query.as_bytes() && stands_for(value, path_and_query);
    let markers = headers.get_all(MARKER).iter().map(http::HeaderValue::as_bytes);
    markers.rev().find(|value| fits(value)).map(Bytes::copy_from_slice)
}

/// Whether these bytes, percent-encoded, are this path and query.
fn stands_for(bytes: &[u8], path_and_query: &str) -> bool {
    // Encoding makes nothing shorter.
    bytes.len() <= path_and_query.len() && encoded(bytes) == path_and_query.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(markers: &[&[u8]]) -> HeaderMap {
        let value = |one: &&[u8]| (MARKER, HeaderValue::from_bytes(one).unwrap());
        markers.iter().map(value).collect()
    }

    #[test]
    fn a_marker_says_how_a_target_is_written_and_nothing_else() {
        for (markers, target, sent) in [
            (&[&b"/a<b"[..]][..], "/a%3Cb", Some(&b"/a<b"[..])),
            (&[b"/caf\xe9?\"`>"], "/caf%E9?%22%60%3E", Some(b"/caf\xe9?\"`>")),
            (&["/é<".as_bytes()], "/é%3C", Some("/é<".as_bytes())),
            (&[b"/denied", b"/a<b", b"/x"], "/a%3Cb", Some(b"/a<b")),
            (&[b"/a<b%3C", b"/a%3Cb<"], "/a%3Cb%3C", Some(b"/a%3Cb<")),
            (&[b"/a%3Cb"], "/a%3Cb", None),
            (&[b"/a%3cb<"], "/a%3Cb%3C", None),
            (&[b"/denied"], "/a%3Cb", None),
            (&[b"/a<b#x"], "/a%3Cb", None),
            (&[b"/a<b "], "/a%3Cb", None),
            (&[b"/\xe9\xc3\xa9"], "/%E9\u{e9}", None),
            (&[b""], "/", None),
            (&[], "/a%3Cb", None),
        ] {
            assert_eq!(sent_as(&headers(markers), target).as_deref(), sent, "{markers:?} {target}");
        }
    }

    #[test]
    fn targets_in_absolute_form_lose_their_origin() {
        for (target, path) in [
            (&b"/a<?<#<"[..], Some(&b"/a<?<"[..])),
            (b"http://a/<x>", Some(b"/<x>")),
            (b"http://a?<x>", Some(b"/?<x>")),
            (b"http://a", None),
            (b"*", None),
        ] {
            assert_eq!(origin_form(target).as_deref(), path, "{target:?}");
        }
    }

    #[test]
    fn only_what_the_library_does_not_know_is_encoded() {
        for (target, known) in [
            (&b"/\"?<"[..], Some(&b"/%22?%3C"[..])),
            (b"/caf\xe9", Some(b"/caf%E9")),
            (b"/\"", None),
            ("/é".as_bytes(), None),
            (b"/<\0", None),
            (b"/< x", None),
            (b"<", None),
        ] {
            assert_eq!(known_form(target).as_deref(), known, "{target:?}");
        }
    }
}
