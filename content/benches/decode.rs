//! The cost of decoding: `cargo bench -p exeat-content --bench decode`.
//!
//! Bodies of about 1 MiB in chunks of 16 KiB, as TLS records bring them: a request of a model API in JSON,
//! the same in gzip, a stream of events, plain text, and text that is one run of base64. The sink counts
//! bytes and matches nothing.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use exeat_content::{Decoder, Limits, Media, Place, Sink, StreamId};
use std::fmt::Write as _;
use std::io::Write as _;

const LENGTH: usize = 1 << 20;
const CHUNK: usize = 16 << 10;
const TEXT: &str = "The quarterly figures of the northern region are due on Monday, so please \
    look at the attached table and write two paragraphs about what changed since spring. ";

#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    fn open(&mut self, _: StreamId, _: &Place<'_>) {}
    fn fork(&mut self, _: StreamId, _: StreamId, _: &Place<'_>) {}
    fn text(&mut self, _: StreamId, _: &Place<'_>, text: &[u8]) {
        self.0 += text.len() as u64;
    }
    fn close(&mut self, _: StreamId, _: &Place<'_>) {}
}

fn decode(media: &Media, body: &[u8]) -> u64 {
    let mut sink = Count::default();
    let mut decoder = Decoder::new(media, Limits::default());
    for chunk in body.chunks(CHUNK) {
        decoder.push(chunk, &mut sink).expect("the body decodes");
    }
    decoder.finish(&mut sink).expect("the body is whole");
    sink.0
}

fn json() -> Vec<u8> {
    let mut text = "{\"model\":\"m\",\"messages\":[".to_owned();
    while text.len() < LENGTH {
        let said = TEXT.repeat(4).replace(", ", ",\\n");
        let _ = write!(text, "{{\"role\":\"user\",\"content\":\"{said}\"}},");
    }
    text.push_str("{}]}");
    text.into_bytes()
}

fn events() -> Vec<u8> {
    let mut text = String::new();
    for word in TEXT.split_inclusive(' ').cycle() {
        if text.len() > LENGTH {
            break;
        }
        let _ = write!(
            text,
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}\n\n"
        );
    }
    text.into_bytes()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(text).expect("a vector takes all");
    out.finish().expect("a vector takes all")
}

fn bench(c: &mut Criterion) {
    let json = json();
    let coded =
        Media { content_encoding: Some("gzip".to_owned()), ..Media::of("application/json") };
    let random: Vec<u8> =
        (0..LENGTH as u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64 = random.iter().map(|byte| letters[usize::from(byte & 63)]).collect();
    let cases = [
        ("json", Media::of("application/json"), json.len(), json.clone()),
        ("json in gzip", coded, json.len(), gzip(&json)),
        ("events", Media::of("text/event-stream"), LENGTH, events()),
        (
            "text",
            Media::of("text/plain"),
            LENGTH,
            TEXT.repeat(LENGTH / TEXT.len() + 1).into_bytes(),
        ),
        ("base64", Media::of("text/plain"), LENGTH, base64),
        ("binary", Media::of("application/octet-stream"), LENGTH, random),
    ];
    let mut group = c.benchmark_group("decode");
    group.sample_size(20);
    for (name, media, length, body) in cases {
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &body, |b, body| {
            b.iter(|| decode(&media, body));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
