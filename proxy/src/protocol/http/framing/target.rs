//! Request targets with odd bytes: see [`raw`](crate::protocol::http::raw). Over HTTP/1 they are
//! encoded here, and what was sent goes along as a line of its own behind all others.

use super::HEAD_LIMIT;
use crate::protocol::http::raw;
use bytes::BytesMut;
use http::Uri;

/// Whether a complete head has such a target.
pub(super) fn must_be_encoded(head: &[u8]) -> bool {
    let Some((_, target, _)) = split(head) else { return false };
    raw::may_be_odd(target) && Uri::try_from(target).is_err()
}

/// Appends the head with these bytes encoded, and the marker where the head still is short enough
/// for hyper with it.
pub(super) fn encode(head: &[u8], out: &mut BytesMut) {
    let before = out.len();
    let Some((start, target, rest)) = split(head) else { return out.extend_from_slice(head) };
    out.extend_from_slice(start);
    raw::encode(target, out);
    out.extend_from_slice(rest);
    let Some(sent) = raw::origin_form(target) else { return };
    let name = raw::MARKER;
    let line = [name.as_str().as_bytes(), b": ", &sent, b"\r\n"].concat();
    if head.ends_with(b"\r\n\r\n") && out.len() - before + line.len() <= 2 * HEAD_LIMIT {
        out.truncate(out.len() - 2);
        out.extend_from_slice(&line);
        out.extend_from_slice(b"\r\n");
    }
}

/// What is before the target, the target, and what is behind it.
fn split(head: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let start = memchr::memchr(b' ', head)? + 1;
    let end = start + memchr::memchr(b' ', &head[start..])?;
    Some((&head[..start], &head[start..end], &head[end..]))
}
