//! The body scanner: how a body is cut never matters. The first byte chooses the cut.
#![no_main]

use exeat_policy::body::{BodyPatterns, Scanner};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PATTERNS: LazyLock<BodyPatterns> = LazyLock::new(|| {
    let texts = ["password", "s+w", "key$", "^a b", r"(?-u:\b)token(?-u:\b)"];
    BodyPatterns::compile(&texts.map(str::to_owned)).expect("the patterns are fixed and compile")
});

fn scan(chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> Option<usize> {
    let mut scanner = Scanner::new(&PATTERNS);
    for chunk in chunks {
        scanner.push(chunk.as_ref());
    }
    scanner.finish()
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, body)) = data.split_first() else { return };
    let whole = scan(std::iter::once(body));
    assert_eq!(scan(body.chunks(usize::from(*cut).max(1))), whole);
    if body.windows(8).any(|window| window.eq_ignore_ascii_case(b"password")) {
        assert!(whole.is_some());
    }
});
