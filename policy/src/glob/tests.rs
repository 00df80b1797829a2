use super::*;
use backtrack::{Token, Tokens};
use proptest::prelude::*;

#[test]
fn stars() {
    for (glob, path, want) in [
        ("/v1/*", "/v1/items", true),
        ("/v1/*", "/v1/items/7", false),
        ("/v1/*", "/v1", false),
        ("/v1/**", "/v1", true),
        ("/v1/**", "/v1/", true),
        ("/v1/**", "/v1/a/b", true),
        ("/v1/**", "/v10", false),
        ("/**/admin", "/a/b/admin", true),
        ("/**/admin/**", "/a/admin/x", true),
        ("/**/admin", "/admin", true),
        ("/**/admin", "/xadmin", false),
        ("/**/admin", "/a/xadmin", false),
        ("/a/**/b/**/c", "/a/b/c", true),
        ("/a/**/b/**/c", "/a/x/b/y/z/c", true),
        ("/a/**/b/**/c", "/a/xb/c", false),
        ("/*/x/*/y", "/a/x/b/y", true),
        ("/*/x/*/y", "/a/b/x/c/y", false),
        ("/a*c", "/abc", true),
        ("/a*c", "/ab/c", false),
        ("/a**c", "/ab/c", true),
        ("/%7Ea", "/~a", true),
        ("/", "/", true),
        ("/", "/a", false),
        ("/a/**/b/*", "/a/b/b/c/b/d", true),
        ("/caf%c3%a9", "/caf%C3%A9", true),
        ("/café", "/caf%C3%A9", true),
        ("/@types%2f*", "/@types%2Fnode", true),
        ("/@types%2f*", "/@types/node", false),
        ("/a;b/*", "/a;b/c", true),
    ] {
        assert_eq!(Glob::parse(glob).unwrap().matches(path), want, "{glob} on {path}");
    }
    for glob in
        ["/a/../b", "/./a", "/a//b", "/a?b", "/a#b", "/***", "/%00", "/100%", "/%4", "/a\tb"]
    {
        assert!(Glob::parse(glob).is_err(), "{glob}");
    }
}

#[test]
fn a_deny_tries_every_reading() {
    for (glob, path, want) in [
        ("/admin", "/admin/", true),
        ("/admin/", "/admin", true),
        ("/Admin", "/aDMIN", true),
        ("/a!b", "/a%21b", true),
        ("/a%21b", "/a!b", true),
        ("/a%20b", "/a%20b", true),
        ("/admin/*", "/administrator", false),
        ("/admin", "/admin/x", false),
    ] {
        assert_eq!(Glob::parse(glob).unwrap().matches_any_reading(path), want, "{glob} on {path}");
    }
    assert!(Glob::parse(&"/*".repeat(9)).is_err());
}

/// The definition, by recursion.
fn slow(tokens: &[Token], path: &[u8]) -> bool {
    match tokens.split_first() {
        None => path.is_empty(),
        Some((Token::Byte(b), rest)) => path.first() == Some(b) && slow(rest, &path[1..]),
        Some((Token::Below, _)) => path.is_empty() || path[0] == b'/',
        Some((Token::Star, rest)) => {
            let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
            (0..=end).any(|n| slow(rest, &path[n..]))
        }
        Some((Token::Segments, rest)) => (0..=path.len())
            .filter(|n| *n == 0 || path[n - 1] == b'/')
            .any(|n| slow(rest, &path[n..])),
        Some((Token::DoubleStar, rest)) => (0..=path.len()).any(|n| slow(rest, &path[n..])),
    }
}

#[test]
fn many_wildcards_on_a_long_path_end() {
    let path = format!("/{}", "a".repeat(8_000));
    let glob = Glob::parse("/**a**a**a**a**a**a*a*b").unwrap();
    assert!(!glob.matches(&path) && !glob.matches_any_reading(&path));
    assert!(glob.matches(&format!("{path}b")));
}

/// Counts how often two letters are compared.
struct Counted;

thread_local! {
    static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Letters for Counted {
    const FOLDED: bool = true;

    fn same(a: u8, b: u8) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        a.eq_ignore_ascii_case(&b)
    }
}

/// The worst that an agent could ask for: literals that nearly match at every place. The cost does
/// not grow with their length.
#[test]
fn long_literals_cost_no_more_than_short_ones() {
    let path = format!("/{}", "a".repeat(8_000));
    let long = "a".repeat(240);
    for glob in [
        format!("/**{long}b"),
        format!("/**{long}b/**"),
        format!("/**{long}b**{long}b"),
        vec![format!("/**{long}"); 8].concat(),
        format!("/{}**b", vec![format!("*{long}"); 7].concat()),
    ] {
        let glob = Glob::parse(&glob).unwrap();
        COMPARED.set(0);
        assert!(!glob.wire.matches::<Counted>(path.as_bytes()));
        let bound = 2 * path.len() * (glob.wire.rest.len() + 1);
        assert!(COMPARED.get() <= bound, "{} comparisons, {bound} at most", COMPARED.get());
    }
}

#[test]
fn leading_segments_end_before_what_may_differ() {
    for (glob, want) in [
        ("/v1/items/*", &["v1", "items"][..]),
        ("/v1/items", &["v1", "items"]),
        ("/v1/", &["v1"]),
        ("/v1/**", &["v1"]),
        ("/v1/it*", &["v1"]),
        ("/a%20b/c", &[]),
        ("/**/x", &[]),
        ("/", &[]),
    ] {
        let glob = Glob::parse(glob).unwrap();
        let found: Vec<_> = glob.leading_segments().map(String::from_utf8_lossy).collect();
        assert_eq!(found, want);
    }
}

proptest! {
    #[test]
    fn matches_its_definition(glob in "/(a|b|/a|\\*|/\\*\\*/|\\*\\*){0,7}", path in "/(a|b|/){0,12}") {
        if let Ok(parsed) = Glob::parse(&glob) {
            let Tokens(tokens) = Tokens::of(&glob);
            prop_assert_eq!(parsed.matches(&path), slow(&tokens, path.as_bytes()));
        }
    }

    #[test]
    fn matches_as_by_going_back(
        glob in "/(a|B|!|%20|%25|%21|/a|/|\\*|/\\*\\*/|\\*\\*){0,7}(/\\*\\*)?",
        path in "(/|a|b|A|!|%20|%25|%21|2){0,14}",
    ) {
        let path = format!("/{path}");
        if let Ok(parsed) = Glob::parse(&glob) {
            let tokens = Tokens::of(&glob);
            prop_assert_eq!(parsed.matches(&path), tokens.matches(&path));
            prop_assert_eq!(parsed.matches_any_reading(&path), tokens.matches_any_reading(&path));
        }
    }
}

mod backtrack;
