//! HTTP/2 written and read by hand: what no library would send, and what came in which bytes.

use exeat_proxy::protocol::http::raw::hpack::{Field, Fields, Name};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RESET: u8 = 3;
const SETTINGS: u8 = 4;
pub(crate) const GO_AWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
/// A request without a body, in one frame.
pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) async fn read_frame<T: AsyncRead + Unpin>(stream: &mut T) -> Option<Frame> {
    let mut head = [0; 9];
    let mut payload = Vec::new();
    let read = async {
        stream.read_exact(&mut head).await.ok()?;
        payload.resize(u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize, 0);
        stream.read_exact(&mut payload).await.ok()
    };
    timeout(Duration::from_secs(5), read).await.ok()??;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], flags: head[4], stream: id, payload })
}

/// A short string literal in plain.
pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    let length = text.len();
    if length < 127 {
        return [&[length as u8], text].concat();
    }
    let more = length - 127;
    assert!(more < 1 << 14);
    [&[127, (more & 127) as u8 | 128, (more >> 7) as u8], text].concat()
}

/// The pseudo-headers of a GET but for its path.
pub(crate) fn get(scheme: &str, authority: &str) -> Vec<u8> {
    let scheme = if scheme == "https" { 0x87 } else { 0x86 };
    [&[0x82, scheme, 0x01], &text(authority.as_bytes())[..]].concat()
}

/// `:path` as a literal: `first` says how it is kept.
pub(crate) fn path(first: u8, path: &[u8]) -> Vec<u8> {
    [&[first | 4], &text(path)[..]].concat()
}

/// A header that no table keeps.
pub(crate) fn header(name: &str, value: &[u8]) -> Vec<u8> {
    [&[0], &text(name.as_bytes())[..], &text(value)].concat()
}

/// What the proxy says to one stream: the head's first byte (`0x88` is 200), or how it ended.
pub(crate) async fn answer<T: AsyncRead + Unpin>(stream: &mut T, id: u32) -> Frame {
    let mut head = None;
    while let Some(frame) = read_frame(stream).await {
        match frame.kind {
            GO_AWAY => return frame,
            RESET if frame.stream == id => return frame,
            HEADERS | DATA if frame.stream == id => {
                let ended = frame.flags & END_STREAM != 0;
                let head = head.get_or_insert(frame);
                if ended {
                    return Frame {
                        kind: HEADERS,
                        flags: 0,
                        stream: id,
                        payload: head.payload.clone(),
                    };
                }
            }
            _ => {}
        }
    }
    Frame { kind: u8::MAX, flags: 0, stream: id, payload: Vec::new() }
}

/// Header blocks that reached a server.
pub(crate) type Blocks = Arc<Mutex<Vec<Vec<u8>>>>;

/// A server that answers every request with 200 and keeps its header block.
pub(crate) async fn serve<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, blocks: Blocks) {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    stream.write_all(&frame(SETTINGS, 0, 0, b"")).await.unwrap();
    let mut open = Vec::new();
    while let Some(got) = read_frame(&mut stream).await {
        match got.kind {
            SETTINGS if got.flags == 0 => {
                stream.write_all(&frame(SETTINGS, 1, 0, b"")).await.unwrap();
            }
            HEADERS | CONTINUATION => {
                open.extend_from_slice(&got.payload);
                if got.flags & END_HEADERS != 0 {
                    blocks.lock().unwrap().push(std::mem::take(&mut open));
                }
            }
            _ => {}
        }
        if got.kind <= HEADERS && got.flags & END_STREAM != 0 {
            // The body's end, or a head that has none.
            let ok = frame(HEADERS, WHOLE, got.stream, &[0x88]);
            stream.write_all(&ok).await.unwrap();
        }
    }
}

/// The paths that a block says, after making sure that there is no marker in it.
pub(crate) fn paths_of(block: &[u8]) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    for field in Fields::of(block) {
        let Field::Literal { name, value, .. } = field.unwrap().0 else { continue };
        match name {
            Name::Of(4 | 5) => paths.push(value.decoded().unwrap()),
            Name::Literal(name) => assert_ne!(name.decoded().unwrap(), b"exeat-target"),
            Name::Of(_) => {}
        }
    }
    paths
}
