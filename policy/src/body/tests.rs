use super::patterns::syntax_config;
use super::*;
use proptest::prelude::*;
use regex_automata::util::syntax;

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

/// The literals of a pattern as text, in lower case.
fn literals(pattern: &str) -> Vec<String> {
    let hir = syntax::parse_with(pattern, &syntax_config()).unwrap();
    let text = |literal: &Vec<u8>| String::from_utf8_lossy(literal).to_lowercase();
    prefixes::of(&hir).iter().map(text).collect()
}

#[test]
fn literals_are_what_every_match_begins_with() {
    for (pattern, want) in [
        ("ab", &["ab"][..]),
        ("(?-i)aB", &["ab"]),
        ("(ab|cd)e", &["abe", "cde"]),
        ("a[bcd]e", &["abe", "ace", "ade"]),
        ("ab?c", &["abc", "ac"]),
        ("a+b", &["a"]),
        ("a{2}b", &["aab"]),
        ("a{2,3}b", &["aa"]),
        ("ab.*cd", &["ab"]),
        ("ab[a-z]*cd", &["aba", "abb"]),
        (r"(?-u:\b)ab$", &["ab"]),
        ("[a-z]{2}x", &["aax"]),
        ("abcdefghijklmnopqrstuvwxyz", &["abcdefghij"]),
        (r"\w+ab", &[""]),
        (".ab", &[""]),
    ] {
        let found = literals(pattern);
        for (literal, want) in found.iter().zip(want) {
            assert!(literal.starts_with(want) || want.is_empty(), "{pattern}: {found:?}");
        }
        assert!(found.len() >= want.len(), "{pattern}: {found:?}");
    }
    // Without regard to case, k is the Kelvin sign too, and s the long s.
    assert_eq!(literals("ks").len(), 4);
}

#[test]
fn patterns_that_begin_with_literals_are_skipped_to() {
    for (patterns, skipped_to) in [
        (&["password", r"(?-u:\b)token", "AKIA[0-9A-Z]{4}"][..], true),
        (&["ab", "(xyz|uvw).*"], true),
        (&["password", "a"], false),
        (&["password", r"\d+-\d+"], false),
        (&["[a-z]{2,}x"], false),
    ] {
        assert_eq!(
            compiled(patterns).groups.iter().all(|group| group.prefilter.is_some()),
            skipped_to,
            "{patterns:?}"
        );
    }
}

#[test]
fn a_match_is_found_at_every_place_of_a_chunk() {
    let patterns = compiled(&["password", "secret key"]);
    for text in ["PassWord", "pass%77ord", r"pass\u0077ord", "p\0ass\0\0word", "secret+key"] {
        for before in 0..80 {
            let body = [&b"x".repeat(before), text.as_bytes(), &b"y".repeat(40)].concat();
            let matched = scan(&patterns, &body, body.len()).is_some();
            assert!(matched, "{text} behind {before} bytes");
        }
    }
}
