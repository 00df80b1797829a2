//! Where a body is cut changes nothing: the same streams, texts, places and error. The first byte chooses
//! what is declared, the next three the cuts.
#![no_main]

use exeat_content::{DecodeError, Decoder, Limits, Media, Place, Sink, StreamId};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

const DECLARED: [(&str, &str); 16] = [
    ("", ""),
    ("text/plain", "gzip"),
    ("application/json", ""),
    ("application/json", "br"),
    ("application/x-ndjson", "zstd"),
    ("text/event-stream", ""),
    ("text/event-stream", "deflate"),
    ("application/x-www-form-urlencoded", ""),
    ("multipart/form-data; boundary=b", ""),
    ("application/grpc", ""),
    ("application/grpc-web-text", ""),
    ("application/connect+json", ""),
    ("application/json; charset=utf-7", ""),
    ("text/html; charset=shift_jis", ""),
    ("text/plain", "aws-chunked, gzip"),
    ("text/plain; charset=utf-32", ""),
];

#[derive(Default)]
struct Collect(BTreeMap<StreamId, (String, Vec<u8>)>);

impl Sink for Collect {
    fn open(&mut self, id: StreamId, at: &Place<'_>) {
        self.0.insert(id, (at.to_string(), Vec::new()));
    }

    fn fork(&mut self, id: StreamId, of: StreamId, at: &Place<'_>) {
        let text = self.0[&of].1.clone();
        self.0.insert(id, (at.to_string(), text));
    }

    fn text(&mut self, id: StreamId, _: &Place<'_>, text: &[u8]) {
        self.0.get_mut(&id).expect("the stream is open").1.extend_from_slice(text);
    }

    fn close(&mut self, _: StreamId, _: &Place<'_>) {}

    fn cancel(&mut self, id: StreamId) {
        self.0.remove(&id).expect("the stream is open");
    }
}

type Streams = Vec<(String, Vec<u8>)>;

fn decode<'a>(
    media: &Media,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> Result<Streams, DecodeError> {
    let mut sink = Collect::default();
    let mut decoder = Decoder::new(media, Limits::default());
    for chunk in chunks {
        decoder.push(chunk, &mut sink)?;
    }
    decoder.finish(&mut sink)?;
    let mut streams: Vec<_> = sink.0.into_values().collect();
    streams.sort();
    Ok(streams)
}

fuzz_target!(|data: &[u8]| {
    let Some(([declared, cuts @ ..], body)) = data.split_first_chunk::<4>() else { return };
    let (of, encoding) = DECLARED[usize::from(*declared) % DECLARED.len()];
    let media = Media {
        content_encoding: Some(encoding.to_owned()),
        message_encoding: Some("gzip".to_owned()),
        ..Media::of(of)
    };
    let whole = decode(&media, std::iter::once(body));
    let mut rest = body;
    let mut cuts = cuts.iter().cycle();
    let chunks = std::iter::from_fn(|| {
        let cut = usize::from(*cuts.next()?).max(1).min(rest.len());
        let (chunk, more) = rest.split_at(cut);
        rest = more;
        (!chunk.is_empty()).then_some(chunk)
    });
    assert_eq!(whole, decode(&media, chunks));
});
