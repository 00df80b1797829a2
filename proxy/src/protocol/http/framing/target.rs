//! Request targets with bytes that URLs do not have, but that clients send: `"`, `<`, `>`, backtick,
//! and bytes that are not UTF-8. The HTTP library knows no such target, so these bytes are
//! percent-encoded, which is what the URL standard makes of them (WHATWG URL, percent-encode sets).

use bytes::{BufMut, BytesMut};
use http::Uri;

/// Whether a complete head has such a target.
pub(super) fn must_be_encoded(head: &[u8]) -> bool {
    let Some((_, target, _)) = split(head) else { return false };
    target.iter().any(|byte| is_unknown(*byte, true)) && Uri::try_from(target).is_err()
}

/// Appends the head with these bytes encoded.
pub(super) fn encode(head: &[u8], out: &mut BytesMut) {
    let Some((before, target, after)) = split(head) else { return out.extend_from_slice(head) };
    let binary = std::str::from_utf8(target).is_err();
    out.extend_from_slice(before);
    for byte in target {
        if is_unknown(*byte, binary) {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.put_u8(b'%');
            out.put_u8(HEX[usize::from(byte >> 4)]);
            out.put_u8(HEX[usize::from(byte & 15)]);
        } else {
            out.put_u8(*byte);
        }
    }
    out.extend_from_slice(after);
}

const fn is_unknown(byte: u8, binary: bool) -> bool {
    matches!(byte, b'"' | b'<' | b'>' | b'`') || binary && byte >= 0x80
}

/// What is before the target, the target, and what is behind it.
fn split(head: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let start = memchr::memchr(b' ', head)? + 1;
    let end = start + memchr::memchr(b' ', &head[start..])?;
    Some((&head[..start], &head[start..end], &head[end..]))
}
