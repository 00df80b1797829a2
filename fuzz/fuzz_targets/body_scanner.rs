//! The body scanner finds what stepping over every byte of every view finds, however the body is
//! cut. Which of several patterns is named does not matter, if it is one that matches. The first byte
//! chooses the patterns, the next four the cuts.
#![no_main]

use exeat_policy::body::{BodyPatterns, Scanner};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

#[path = "../../policy/tests/scanner/oracle.rs"]
mod oracle;

/// Literals, expressions behind literals, and what the scanner cannot skip to.
const SETS: [&[&str]; 6] = [
    &["password", "secret", "api_key=", "pass key", "a\"b\\\\n"],
    &["AKIA[0-9A-Z]{4}", "sk_[0-9a-f]{6}", "kelvin", "straße", "日本"],
    &[r"(?-u:\b)token(?-u:\b)", "(?m)^word", "key$", "^begin"],
    &["ab", "(ba|bc)a", "c.*d e"],
    &["password", "s+w", "key$", "^a b", r"(?-u:\b)token(?-u:\b)"],
    &["a{3,5}b", "(abc|abd|xyz)q?", "x%y"],
];

static ALL: LazyLock<Vec<(BodyPatterns, Vec<oracle::Patterns>)>> = LazyLock::new(|| {
    let compile = |set: &&[&str]| {
        let texts: Vec<_> = set.iter().map(|text| (*text).to_owned()).collect();
        let fast = BodyPatterns::compile(&texts).expect("the patterns are fixed and compile");
        (fast, texts.chunks(1).map(oracle::Patterns::compile).collect())
    };
    SETS.iter().map(compile).collect()
});

fn fast<'a>(patterns: &BodyPatterns, chunks: impl Iterator<Item = &'a [u8]>) -> Option<usize> {
    let mut scanner = Scanner::new(patterns);
    for chunk in chunks {
        scanner.push(chunk);
    }
    scanner.finish()
}

fuzz_target!(|data: &[u8]| {
    let Some(([set, cuts @ ..], body)) = data.split_first_chunk::<5>() else { return };
    let (patterns, slow) = &ALL[usize::from(*set) % SETS.len()];
    let matches = |one| {
        let mut scanner = oracle::Scanner::new(one);
        scanner.push(body);
        scanner.finish().is_some()
    };
    let want: Vec<_> = slow.iter().map(matches).collect();
    let right = |found: Option<usize>| found.map_or(!want.contains(&true), |at| want[at]);
    assert!(right(fast(patterns, std::iter::once(body))));
    let mut rest = body;
    let mut cuts = cuts.iter().cycle();
    let chunks = std::iter::from_fn(|| {
        let cut = usize::from(*cuts.next()?).max(1).min(rest.len());
        let (chunk, more) = rest.split_at(cut);
        rest = more;
        (!chunk.is_empty()).then_some(chunk)
    });
    assert!(right(fast(patterns, chunks)));
});
