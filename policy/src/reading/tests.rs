use super::*;
use proptest::prelude::*;

fn all(path: &str) -> Vec<String> {
    Readings::of(path).unwrap().iter().map(str::to_owned).collect()
}

#[test]
fn ordinary_paths_have_one_reading() {
    for (given, want) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/%7Euser/%41", "/~user/A"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/café", "/caf%C3%A9"),
        ("/%E9", "/%E9"),
        ("/100%25", "/100%25"),
        ("/100%", "/100%25"),
        ("/a%20b", "/a%20b"),
        ("/a%2Bb+c", "/a%2Bb+c"),
        ("/\"<>[]{}|^`", "/%22%3C%3E%5B%5D%7B%7D%7C%5E%60"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/...", "/a/..."),
        ("/%zz", "/%25zz"),
    ] {
        assert_eq!(all(given), [want], "{given}");
        assert_eq!(Readings::of(given).unwrap().collapsed(), None);
    }
}

#[test]
fn paths_that_servers_read_differently_have_all_their_readings() {
    for (given, want) in [
        ("/@types%2fnode", &["/@types%2Fnode", "/@types/node"][..]),
        ("/a%2F..%2Fb", &["/a%2F..%2Fb", "/a/../b", "/b"]),
        ("/a//b", &["/a//b", "/a/b"]),
        ("//h/b", &["//h/b", "/b", "/h/b"]),
        ("/a/../b", &["/a/../b", "/b"]),
        ("/a/%2e%2E/b", &["/a/../b", "/b"]),
        ("/a/..", &["/a/..", "/"]),
        ("/a;v=1/b", &["/a;v=1/b", "/a/b"]),
        ("/a/..;/b", &["/a/..;/b", "/a/../b", "/b"]),
        ("/a%3Bv/b", &["/a%3Bv/b", "/a/b"]),
        ("/a;x%2F..%2F/b", &["/a;x%2F..%2F/b", "/a/b", "/a/../b", "/b"]),
        ("/a\\..\\b", &["/a%5C..%5Cb", "/a/../b", "/b"]),
        ("/a%5cb", &["/a%5Cb", "/a/b"]),
        ("/a%252Fb", &["/a%252Fb", "/a%2Fb", "/a/b"]),
        ("/a/%252e%252e/b", &["/a/%252e%252e/b", "/a/../b", "/b"]),
        ("/a/%%32e./b", &["/a/%252e./b", "/a/../b", "/b"]),
        ("/a/%c0%ae%C0%AE/b", &["/a/%C0%AE%C0%AE/b", "/a/../b", "/b"]),
        ("/v1/%EF%BC%8E%EF%BC%8E/x", &["/v1/%EF%BC%8E%EF%BC%8E/x", "/v1/../x", "/x"]),
        ("/v1%EF%BC%8Fx", &["/v1%EF%BC%8Fx", "/v1/x"]),
        ("/v1／x", &["/v1%EF%BC%8Fx", "/v1/x"]),
        ("/%u002e%u002e/x", &["/%25u002e%25u002e/x", "/../x", "/x"]),
        ("/admin%3Fx", &["/admin%3Fx", "/admin"]),
        ("/admin%23x", &["/admin%23x", "/admin"]),
        ("/ﬁ", &["/%EF%AC%81", "/fi"]),
    ] {
        let all = all(given);
        for one in want {
            assert!(all.iter().any(|have| have.eq_ignore_ascii_case(one)), "{given}: {all:?}");
        }
        assert!(all[0].eq_ignore_ascii_case(want[0]), "{given}: {all:?}");
    }
}

#[test]
fn only_dots_and_empty_segments_collapse() {
    for (given, want) in [
        ("//a//b/", Some("/a/b/")),
        ("/a/./b/../c", Some("/a/c")),
        ("/a/.//../b", Some("/b")),
        ("/a%2Fb//c", None),
        ("/a//b;c", None),
        ("/a/b", None),
        ("/a/%252e./b//", None),
    ] {
        let collapsed = Readings::of(given).unwrap().collapsed();
        assert_eq!(collapsed.as_ref().map(Readings::first), want, "{given}");
        assert!(collapsed.is_none_or(|one| one.iter().count() == 1));
    }
}

#[test]
fn what_no_server_should_see_is_refused() {
    for (given, want) in [
        ("", PathError::NotAbsolute),
        ("a", PathError::NotAbsolute),
        ("*", PathError::NotAbsolute),
        ("/a?b", PathError::Character),
        ("/a#b", PathError::Character),
        ("/%00", PathError::Control),
        ("/a\tb", PathError::Control),
        ("/%0d%0a", PathError::Control),
        ("/%7f", PathError::Control),
        ("/%2500", PathError::Control),
        ("/%u0000", PathError::Control),
        ("/%C0%80", PathError::Control),
        (&format!("/{}", "%25".repeat(9) + "2525252525252541"), PathError::TooManyReadings),
        (&format!("/{}", "a".repeat(MAX_PATH)), PathError::TooLong),
        (&format!("/{}", "%2F;/%5C%3F//../".repeat(300)), PathError::TooManyReadings),
    ] {
        assert_eq!(Readings::of(given).map(|_| ()), Err(want), "{given}");
    }
}

#[test]
fn long_signed_keys_are_read() {
    let key = format!("/bucket//{}%2F{};v=1", "k".repeat(500), "%C3%A9".repeat(80));
    assert!(Readings::of(&key).is_ok());
    assert!(Readings::of(&format!("/{}", "%2Fa".repeat(2_000))).is_ok());
}

proptest! {
    #[test]
    fn a_reading_has_itself_as_a_reading(
        path in "(/|%2e|%2F|%5c|\\.|%41|a|;|%c3%a9|%25|2e|%20|%c0%af|／|%){0,16}"
    ) {
        let Ok(readings) = Readings::of(&format!("/{path}")) else { return Ok(()) };
        for reading in readings.iter() {
            prop_assert!(reading.starts_with('/') && reading.is_ascii());
            // What a server reads once may be read again behind it: no new place is reached.
            if let Ok(again) = Readings::of(reading) {
                prop_assert_eq!(again.first(), reading);
            }
        }
        if let Some(collapsed) = readings.collapsed() {
            prop_assert!(readings.iter().any(|reading| reading == collapsed.first()));
        }
    }
}

/// A path as HTTP libraries want it: with `"`, `<`, `>`, backtick and bytes that are not UTF-8 escaped.
fn escaped(path: &[u8]) -> String {
    let binary = std::str::from_utf8(path).is_err();
    let mut text = Vec::new();
    for byte in path {
        if matches!(byte, b'"' | b'<' | b'>' | b'`') || binary && *byte >= 0x80 {
            text.extend(format!("%{byte:02X}").bytes());
        } else {
            text.push(*byte);
        }
    }
    String::from_utf8(text).unwrap()
}

/// The readings of bytes that may be no text.
fn of_bytes(path: &[u8]) -> Result<Readings, PathError> {
    if ways::could_differ(path) {
        return ways::all(path);
    }
    Ok(Readings { first: token::canonical(path)?, others: Vec::new(), collapsed: None })
}

proptest! {
    /// A proxy may decide on the escaped form and send the bytes: both have the same readings.
    #[test]
    fn bytes_and_their_escapes_have_the_same_readings(pieces in prop::collection::vec(
        prop::sample::select(vec![
            &b"/"[..], b"a", b"<", b">", b"\"", b"`", b"\xc0\xaf", b"\xc0\xae", b"\xe0\x80\xaf", b"\xff", b"\xc3",
            b"\xef\xbc\x8f", b"\xef\xbc\x8e", b"\xef\xbc\x85", b"\xa9", b"%", b"%2F", b"%25", b"2F", b"2e", b".",
            b"..", b";", b"\\", b"%3C", b"%3c", b"%c0%af", b"%ef%bc", b"u", b"3", b"C", b"%u", b"//", b"\n",
        ]), 0..14))
    {
        let path = [&b"/"[..], &pieces.concat()].concat();
        prop_assert_eq!(of_bytes(&path), Readings::of(&escaped(&path)), "{:?}", path);
    }
}
