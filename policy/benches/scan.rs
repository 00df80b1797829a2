//! The cost of scanning a body: `cargo bench -p exeat-policy --bench scan`.
//!
//! Bodies of 1 MiB in chunks of 16 KiB, as TLS records bring them: English text, JSON with an escape
//! about every thirty bytes, a form with escapes, and random bytes; under 64 literals, under ten
//! regular expressions of which each begins with a literal, and under one that begins with a class.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use exeat_policy::body::{BodyPatterns, Scanner};
use std::hint::black_box;

const LENGTH: usize = 1 << 20;
const CHUNK: usize = 16 << 10;

/// Words of the text, none of which any pattern matches.
const WORDS: [&str; 48] = [
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
    "can",
    "more",
    "people",
    "water",
    "number",
    "between",
    "important",
    "example",
    "against",
    "window",
    "account",
    "company",
    "understand",
    "keyed",
    "paper",
    "question",
    "secretary",
    "garden",
];

const LITERALS: [&str; 64] = [
    "password=",
    "passwd=",
    "secret_key",
    "client_secret",
    "api_key",
    "api-key",
    "apikey",
    "access_token",
    "refresh_token",
    "id_token",
    "auth_token",
    "bearer token",
    "private key",
    "begin rsa private",
    "begin openssh",
    "begin ec private",
    "aws_access_key",
    "aws_secret",
    "project zeus",
    "operation nightfall",
    "internal only",
    "do not distribute",
    "confidential",
    "top secret",
    "trade secret",
    "attorney-client",
    "social security",
    "credit card",
    "card number",
    "cvv code",
    "date of birth",
    "passport no",
    "driver license",
    "bank account",
    "routing number",
    "iban number",
    "swift code",
    "salary of",
    "payroll run",
    "layoff plan",
    "merger with",
    "acquisition of",
    "term sheet",
    "cap table",
    "board minutes",
    "customer list",
    "price list",
    "source code of",
    "vault token",
    "kubeconfig",
    "docker_auth",
    "npm_token",
    "pypi-token",
    "slack_webhook",
    "discord_token",
    "stripe_live",
    "twilio_sid",
    "sendgrid_key",
    "mailgun_key",
    "jdbc:oracle",
    "mongodb+srv",
    "postgres://admin",
    "redis://default",
    "amqp://guest",
];

const EXPRESSIONS: [&str; 10] = [
    "AKIA[2-7A-Z]{4}",
    "xox[abprs]-[0-9]{10,12}-",
    "-----BEGIN ([A-Z]+ )?PRIVATE KEY-----",
    "sk_live_[0-9a-f]{24}",
    "sha256:[0-9a-f]{64}",
    "glpat-[0-9]{6,}",
    r"hooks\.slack\.com/services/T[0-9]{8}",
    r"(?-u:\b)password[ \t]*[:=][ \t]*[^ \r\n]{4}",
    "project (zeus|hera|athena)",
    "token=[0-9a-f]{32}",
];

fn compiled(patterns: &[&str]) -> BodyPatterns {
    let owned: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    BodyPatterns::compile(&owned).expect("the patterns are fixed and compile")
}

/// Numbers that are always the same (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((mixed ^ (mixed >> 27)) >> 16).unwrap_or(0)
    }
}

/// Words with `before` and `behind` around every few of them.
fn words(between: &str, around: impl Fn(usize) -> (&'static str, &'static str)) -> Vec<u8> {
    let mut numbers = Numbers(7);
    let mut out = String::new();
    while out.len() < LENGTH {
        let (before, behind) = around(numbers.next());
        out.push_str(before);
        for at in 0..5 {
            out.push_str(if at == 0 { "" } else { between });
            out.push_str(WORDS[numbers.next() % WORDS.len()]);
        }
        out.push_str(behind);
    }
    out.truncate(LENGTH);
    out.into_bytes()
}

fn bodies() -> [(&'static str, Vec<u8>); 4] {
    let random = {
        let mut numbers = Numbers(11);
        (0..LENGTH).map(|_| numbers.next().to_le_bytes()[0]).collect()
    };
    [
        ("text", words(" ", |n| ("", if n % 4 == 0 { ".\n" } else { ", " }))),
        (
            "json",
            words(" ", |n| match n % 4 {
                0 => ("{\"role\":\"user\",\"content\":\"", "\"},"),
                1 => ("\\\"", "\\\" "),
                2 => ("", "\\n\\n"),
                _ => ("", "\\u2019s "),
            }),
        ),
        (
            "form",
            words("+", |n| if n % 2 == 0 { ("%22", "%22%2C") } else { ("&field=", "%0D%0A") }),
        ),
        ("binary", random),
    ]
}

fn scan(c: &mut Criterion) {
    let sets = [
        ("64-literals", compiled(&LITERALS)),
        ("10-expressions", compiled(&EXPRESSIONS)),
        ("class-first", compiled(&[r"[0-9]{3}-[0-9]{2}-[0-9]{4}", r"[\w.]+@example\.com"])),
    ];
    let bodies = bodies();
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(LENGTH as u64));
    for (name, patterns) in &sets {
        for (kind, body) in &bodies {
            let run = || {
                let mut scanner = Scanner::new(patterns);
                for chunk in black_box(body).chunks(CHUNK) {
                    scanner.push(chunk);
                }
                scanner.finish()
            };
            assert_eq!(run(), None, "{name} in {kind}");
            group.bench_function(BenchmarkId::new(*name, kind), |b| b.iter(run));
        }
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
