//! Collects streams, and encodes what tests decode.
#![allow(dead_code, reason = "each test uses some of it")]

use exeat_content::{DecodeError, Decoder, Limits, Media, Place, Sink, StreamId};
use std::collections::BTreeMap;
use std::io::Write;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    pub(crate) at: String,
    pub(crate) text: Vec<u8>,
    pub(crate) closed: bool,
}

#[derive(Default)]
pub(crate) struct Collect {
    pub(crate) streams: BTreeMap<StreamId, Stream>,
}

impl Sink for Collect {
    fn open(&mut self, id: StreamId, at: &Place<'_>) {
        let stream = Stream { at: at.to_string(), text: Vec::new(), closed: false };
        assert!(self.streams.insert(id, stream).is_none());
    }

    fn fork(&mut self, id: StreamId, of: StreamId, at: &Place<'_>) {
        let text = self.streams[&of].text.clone();
        let stream = Stream { at: at.to_string(), text, closed: false };
        assert!(self.streams.insert(id, stream).is_none());
    }

    fn text(&mut self, id: StreamId, at: &Place<'_>, text: &[u8]) {
        let _ = at.to_string();
        let stream = self.streams.get_mut(&id).expect("the stream is open");
        assert!(!stream.closed);
        stream.text.extend_from_slice(text);
    }

    fn close(&mut self, id: StreamId, _at: &Place<'_>) {
        let stream = self.streams.get_mut(&id).expect("the stream is open");
        assert!(!std::mem::replace(&mut stream.closed, true));
    }

    fn cancel(&mut self, id: StreamId) {
        assert!(!self.streams.remove(&id).expect("the stream is open").closed);
    }
}

pub(crate) struct Decoded {
    pub(crate) streams: Vec<Stream>,
    pub(crate) result: Result<(), DecodeError>,
}

impl Decoded {
    /// Whether a stream holds the text.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// Where a stream other than the body holds the text.
    pub(crate) fn find(&self, text: &str) -> Option<&str> {
        let holds =
            |stream: &&Stream| stream.text.windows(text.len()).any(|one| one == text.as_bytes());
        self.streams.iter().find(holds).map(|stream| stream.at.as_str())
    }

    /// The text of the stream at this place.
    pub(crate) fn at(&self, place: &str) -> String {
        let found = self.streams.iter().find(|stream| stream.at == place);
        let found = found.unwrap_or_else(|| panic!("no {place:?} in {}", self.list()));
        String::from_utf8_lossy(&found.text).into_owned()
    }

    pub(crate) fn list(&self) -> String {
        let line = |stream: &Stream| {
            let text: String = String::from_utf8_lossy(&stream.text).chars().take(80).collect();
            format!("{}: {text:?}\n", stream.at)
        };
        self.streams.iter().map(line).collect()
    }
}

pub(crate) fn chunked<'a>(
    media: &Media,
    limits: Limits,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> Decoded {
    let mut sink = Collect::default();
    let mut decoder = Decoder::new(media, limits);
    let mut result = Ok(());
    for chunk in chunks {
        result = decoder.push(chunk, &mut sink);
        if result.is_err() {
            break;
        }
    }
    let result = result.and_then(|()| decoder.finish(&mut sink));
    let mut streams: Vec<_> = sink.streams.into_values().collect();
    if result.is_ok() {
        assert!(streams.iter().all(|stream| stream.closed), "a stream was left open");
    }
    streams.sort();
    Decoded { streams, result }
}

/// Decodes a body whole, and by single bytes, which must be the same.
pub(crate) fn decode(media: &Media, body: &[u8]) -> Decoded {
    let whole = chunked(media, Limits::default(), std::iter::once(body));
    for size in [1, 7] {
        let cut = chunked(media, Limits::default(), body.chunks(size));
        assert_eq!(whole.result, cut.result);
        if whole.result.is_ok() {
            assert_eq!(whole.streams, cut.streams, "{}\nagainst\n{}", whole.list(), cut.list());
        }
    }
    whole
}

pub(crate) fn encoded(content_type: &str, encoding: &str) -> Media {
    Media { content_encoding: Some(encoding.to_owned()), ..Media::of(content_type) }
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zlib(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub(crate) fn deflate(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(text, 3).unwrap()
}

/// A brotli stream of one uncompressed meta-block and an empty last one, RFC 7932 §9.
pub(crate) fn brotli(text: &[u8]) -> Vec<u8> {
    assert!(!text.is_empty() && text.len() <= 1 << 16);
    // WBITS 16 (0), ISLAST 0, MNIBBLES 4 (00), MLEN - 1, ISUNCOMPRESSED 1, padding.
    let head = (text.len() as u32 - 1) << 4 | 1 << 20;
    let mut out = head.to_le_bytes()[..3].to_vec();
    out.extend_from_slice(text);
    // ISLAST 1, ISLASTEMPTY 1.
    out.push(3);
    out
}

pub(crate) fn base64(text: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in text.chunks(3) {
        let bytes = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at > group.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

/// A frame of gRPC.
pub(crate) fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags], length.as_slice(), message].concat()
}

pub(crate) fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16()
        .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
        .collect()
}
