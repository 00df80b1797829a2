//! Bodies that are made to keep the scanner busy take time by their length alone.

use exeat_policy::body::{BodyPatterns, Scanner};
use std::time::{Duration, Instant};

const LENGTH: usize = 1 << 20;
/// Far more than it takes, and far less than the square of the length would.
const ENOUGH: Duration = Duration::from_secs(20);

#[test]
fn no_body_takes_longer_than_its_length() {
    let sets: [&[&str]; 4] = [
        &["password", "secret", " pass word"],
        &[r"(?-u:\b)password", "(?m)^ab$", "AKIA[0-9A-Z]{16}", "ghp_[0-9A-Za-z]{36}"],
        &["ab", "n n n", "secret.*key"],
        &["[0-9]{3}-[0-9]{2}-[0-9]{4}", "s+w", "password"],
    ];
    let repeated: [&[u8]; 16] = [
        b"\0",
        b"%",
        b"+",
        b"\\",
        b"\\u",
        b"\\ud83d",
        b"%25",
        b"p\0",
        b" + ",
        b"+p\\ass+wo\\rd",
        b"a+b\0\\a ",
        b"passwor",
        b"%70asswor\\",
        b"+\\npass\0\0\0",
        b"secret AKIA ",
        b"AKIAghp_",
    ];
    for set in sets {
        let patterns: Vec<_> = set.iter().map(|pattern| (*pattern).to_owned()).collect();
        let patterns =
            BodyPatterns::compile(&patterns).expect("the patterns are fixed and compile");
        for part in repeated {
            let runs = [&b"pass"[..], &[0; 4000]].concat();
            for body in [part.repeat(LENGTH / part.len()), [part, &runs].concat().repeat(250)] {
                let begin = Instant::now();
                let mut scanner = Scanner::new(&patterns);
                scanner.push(&body);
                scanner.finish();
                let (took, text) = (begin.elapsed(), String::from_utf8_lossy(part));
                assert!(took < ENOUGH, "{took:?} for {text:?} over and over, {set:?}");
            }
        }
    }
}
