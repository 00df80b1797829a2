//! What a policy is likely to look for compiles, all of it together, and is found.

use exeat_policy::body::{BodyPatterns, Scanner};
use std::time::{Duration, Instant};

/// Each with something that it matches.
const REALISTIC: [(&str, &str); 10] = [
    (r"(?-u:\b)(AKIA|ASIA)[0-9A-Z]{16}(?-u:\b)", "AKIAIOSFODNN7EXAMPLE"),
    ("gh[pousr]_[0-9A-Za-z]{36}", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    ("xox[abprs]-[0-9A-Za-z-]{10,48}", "xoxb-1234567890-abcdef"),
    ("-----BEGIN ([A-Z]+ )*PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----"),
    (
        r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w",
    ),
    (r"(?-u:\b)[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}(?-u:\b)", "DE89370400440532013000"),
    (r"(?-u:\b)([0-9]{4}[ -]?){3}[0-9]{4}(?-u:\b)", "4111 1111-1111 1111"),
    (r"[\w.+-]+@[\w-]+\.[\w.-]+", "jörg.o'neil+x@mail.example.com"),
    (r"(?-u:\b)[0-9]{3}-[0-9]{2}-[0-9]{4}(?-u:\b)", "078-05-1120"),
    (r"[a-z0-9-]+\.corp\.example\.internal", "db-7.corp.example.internal"),
];

#[test]
fn ten_realistic_patterns_compile_together_and_are_found() {
    let texts: Vec<_> = REALISTIC.iter().map(|(pattern, _)| (*pattern).to_owned()).collect();
    let begin = Instant::now();
    let patterns = BodyPatterns::compile(&texts).expect("they are within the limits");
    // A guard against building that takes for ever; it takes some tenths of a second.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let found = |body: &str| {
        let mut scanner = Scanner::new(&patterns);
        body.as_bytes().chunks(7).for_each(|chunk| {
            scanner.push(chunk);
        });
        scanner.finish()
    };
    for (at, (pattern, text)) in REALISTIC.iter().enumerate() {
        let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for body in [format!("{{\"a\":\"{text}\"}}"), format!("a={escaped}&b=c")] {
            assert_eq!(found(&body), Some(at), "{pattern} in {body}");
        }
    }
    assert_eq!(found("Nothing of that: 12-34, AKIA, ghp_, eyJ, corp.example."), None);
}

#[test]
fn patterns_that_failed_side_by_side_compile() {
    let compiles = |list: &[&str]| {
        BodyPatterns::compile(&list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()).is_ok()
    };
    assert!(compiles(&["ghp_[0-9A-Za-z]{36}", "AKIA[0-9A-Z]{16}"]));
    assert!(compiles(&["password.{1,400}", "secret.{1,400}", "token.{0,400}"]));
    assert!(!compiles(&["fine", "secret.{0,400}key"]));
}
