//! The cost of looking for detectors: `cargo bench -p exeat-policy --bench detect`.
//!
//! Bodies of 1 MiB in chunks of 16 KiB: requests and answers of a model API, prose without an
//! anchor, base64, and rows of numbers; with the detectors that are on by default, and with all.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use exeat_policy::detect::{Finder, Set, all};
use std::hint::black_box;

const LENGTH: usize = 1 << 20;
const CHUNK: usize = 16 << 10;

const WORDS: [&str; 40] = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "that",
    "it",
    "with",
    "as",
    "for",
    "was",
    "on",
    "are",
    "by",
    "be",
    "this",
    "from",
    "or",
    "have",
    "an",
    "which",
    "one",
    "had",
    "not",
    "but",
    "what",
    "all",
    "were",
    "when",
    "there",
    "function",
    "people",
    "water",
    "number",
    "between",
    "important",
    "example",
    "account",
    "token",
    "garden",
];

/// Numbers that are always the same (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 16).unwrap_or(0)
    }
}

fn filled(mut part: impl FnMut(&mut Numbers, &mut String)) -> Vec<u8> {
    let mut numbers = Numbers(7);
    let mut out = String::new();
    while out.len() < LENGTH {
        part(&mut numbers, &mut out);
    }
    out.truncate(LENGTH);
    out.into_bytes()
}

fn words(numbers: &mut Numbers, out: &mut String, count: usize) {
    for _ in 0..count {
        out.push_str(WORDS[numbers.next() % WORDS.len()]);
        out.push_str(match numbers.next() % 12 {
            0 => ", ",
            1 => ".\\n\\n",
            _ => " ",
        });
    }
}

fn bodies() -> [(&'static str, Vec<u8>); 4] {
    let model = filled(|numbers, out| {
        out.push_str("{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"");
        words(numbers, out, 60);
        let id = numbers.next() as u64;
        out.push_str(&format!(
            "\"}},{{\"type\":\"tool_use\",\"id\":\"toolu_{id:016x}\",\"name\":\"read_file\",\"input\":\
             {{\"path\":\"src/main.rs\",\"limit\":{}}}}}],\"usage\":{{\"input_tokens\":{},\"output_tokens\":{}}}}},",
            numbers.next() % 2000,
            numbers.next() % 100_000,
            numbers.next() % 5000,
        ));
    });
    let plain = filled(|numbers, out| {
        out.push_str(WORDS[numbers.next() % 20]);
        out.push(' ');
    });
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64 = filled(|numbers, out| out.push(char::from(ALPHABET[numbers.next() % 64])));
    let numbers = filled(|numbers, out| {
        out.push_str(&format!(
            "{},{}.{:02},",
            numbers.next() % 1_000_000,
            numbers.next() % 1000,
            numbers.next() % 100
        ));
    });
    [("model-json", model), ("no-anchor", plain), ("base64", base64), ("numbers", numbers)]
}

fn detect(c: &mut Criterion) {
    let names: Vec<_> = all().iter().map(|it| it.name).collect();
    let few = Set::compile(&["aws-access-key", "private-key", "github-token", "credit-card"], &[]);
    let sets = [
        ("standard", Set::standard().expect("the catalogue compiles")),
        ("all", Set::compile(&names, &[]).expect("the catalogue compiles")),
        ("four", few.expect("the catalogue compiles")),
    ];
    let bodies = bodies();
    let mut group = c.benchmark_group("detect");
    group.throughput(Throughput::Bytes(LENGTH as u64));
    for (name, set) in &sets {
        for (kind, body) in &bodies {
            let run = || {
                let mut finder = Finder::new(set);
                let mut found = 0;
                for chunk in black_box(body).chunks(CHUNK) {
                    finder.push(chunk, &mut |_| found += 1);
                }
                finder.finish(&mut |_| found += 1);
                found
            };
            group.bench_function(BenchmarkId::new(*name, kind), |b| b.iter(run));
        }
    }
    group.finish();
}

criterion_group!(benches, detect);
criterion_main!(benches);
