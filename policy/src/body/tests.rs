use super::*;
use proptest::prelude::*;

fn compiled(patterns: &[&str]) -> BodyPatterns {
    BodyPatterns::compile(&patterns.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn scan(patterns: &BodyPatterns, body: &[u8], cut: usize) -> Option<usize> {
    let mut scanner = Scanner::new(patterns);
    for chunk in body.chunks(cut.max(1)) {
        scanner.push(chunk);
    }
    scanner.finish()
}

#[test]
fn finds_every_view_at_every_cut() {
    let patterns = compiled(&["password", "secret", r"AKIA[0-9A-Z]{16}"]);
    for (body, want) in [
        (&b"my PassWord is"[..], Some(0)),
        (b"a=1&b=s%65cret", Some(1)),
        (br#"{"a":"pass\u0077ord"}"#, Some(0)),
        (br#"{"a":"pass\u0077\u006Frd"}"#, Some(0)),
        (b"s\0e\0c\0r\0e\0t\0", Some(1)),
        (b"xAKIAABCDEFGHIJKLMNOPx", Some(2)),
        (b"passwor", None),
        (b"pass word", None),
        (b"%", None),
        (br"\u00", None),
        (b"", None),
    ] {
        for cut in 1..=body.len().max(1) {
            assert_eq!(
                scan(&patterns, body, cut),
                want,
                "{} at {cut}",
                String::from_utf8_lossy(body)
            );
        }
    }
}

#[test]
fn bad_patterns_say_which_and_why() {
    for bad in ["", "(", "a*", "\\", &"x".repeat(600), r"\bword\b", "(\\pL{40}){40}"] {
        let error = BodyPatterns::compile(&["fine".to_owned(), bad.to_owned()]).expect_err(bad);
        assert_eq!(error.index, Some(1), "{bad}: {error}");
        assert!(!error.fix.is_empty());
    }
    assert!(BodyPatterns::compile(&vec!["a".to_owned(); 65]).is_err());
    assert!(BodyPatterns::compile(&[r"(?-u:\b)token(?-u:\b)".to_owned()]).is_ok());
}

#[test]
fn an_end_anchor_is_decided_at_the_end() {
    let patterns = compiled(&["token$"]);
    assert_eq!(scan(&patterns, b"a token", 3), Some(0));
    assert_eq!(scan(&patterns, b"a token ", 3), None);
}

proptest! {
    #[test]
    fn chunks_never_matter(body in prop::collection::vec(prop::sample::select(b"pas%5Cword\\u0037+\0x".to_vec()), 0..60), cut in 1usize..20) {
        let patterns = compiled(&["pass", "s+w", "word7"]);
        prop_assert_eq!(scan(&patterns, &body, cut), scan(&patterns, &body, body.len().max(1)));
    }
}
