//! What a scanner that skips text is most likely to miss, one by one.

use super::Both;

/// That each body is refused or not as `refused` says, however it is cut into two, or into equal parts,
/// and wherever it stands in a chunk.
fn check(patterns: &[&str], refused: bool, bodies: &[&[u8]]) {
    let both = Both::new(patterns);
    for body in bodies {
        let text = String::from_utf8_lossy(body);
        let found = both.slow(body).contains(&true);
        assert_eq!(found, refused, "{patterns:?} in {text:?}, to the oracle");
        let filler = |length| b"-".repeat(length);
        for (before, behind) in [(0, 0), (0, 40), (1, 3), (17, 17), (63, 33)] {
            let body = [filler(before), body.to_vec(), filler(behind)].concat();
            for cut in 1..=body.len() {
                for cuts in [&[cut][..], &[cut, usize::MAX]] {
                    assert_eq!(both.differ(&body, cuts), None, "{patterns:?}");
                }
            }
        }
    }
}

#[test]
fn escapes_in_every_case_of_letters() {
    let bodies: [&[u8]; 7] = [
        b"%70%41%73%53word",
        b"%4a%4B%6aj pas%73wor%64",
        br"\u0070\u0061ssword",
        br"\u004A\u006apassw\u006Frd",
        br"pass\u0057\u004f\u0052\u0044",
        br"\p\ass\word",
        b"%70%61%73%73%77%6f%72%64",
    ];
    check(&["password"], true, &bodies);
}

#[test]
fn escapes_of_escapes_are_undone_once() {
    check(&["password"], false, &[b"%2570assword", br"\\u0070assword", br"\u005cu0070assword"]);
    check(&["%70ass", r"\\u0070a"], true, &[b"%2570ass", br"\\u0070a", br"\u005cu0070a"]);
}

#[test]
fn views_are_not_mixed() {
    check(&["password"], false, &[br"%70\u0061ssword", b"%70a\0ssword", b"p\\u0061ss\0word"]);
}

#[test]
fn broken_escapes() {
    let bodies: [&[u8]; 6] =
        [b"%pass", b"%%70ass", b"%7%70ass", b"%4pass", br"\u00pass", br"pas\u0s"];
    check(&["pass"], true, &bodies);
    check(&["%pass", "%7pass"], true, &[b"%pass", b"%25pass", b"%7%70ass", b"%7p%61ss"]);
}

#[test]
fn nul_bytes_anywhere() {
    let bodies: [&[u8]; 7] = [
        b"p\0a\0s\0s\0w\0o\0r\0d\0",
        b"\0p\0a\0s\0s\0w\0o\0r\0d",
        b"pass\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0word",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0password",
        b"\xff\xfep\0A\0s\0S\0w\0o\0r\0d\0",
        b"\0\0p\0\0\0a\0\0\0s\0\0\0s\0\0\0w\0\0\0o\0\0\0r\0\0\0d\0\0",
        b"\0\0passwor\0d",
    ];
    check(&["password"], true, &bodies);
    // A NUL byte parts an escape of another view.
    check(&["password"], false, &[b"%7\x000assword", b"\\u00\x0070assword"]);
    check(&["a\0b", r"c\x00{2}d"], true, &[b"a\0b", b"c\0\0d", b"a%00b", br"c\u0000\u0000d"]);
}

#[test]
fn surrogates() {
    let pair: [&[u8]; 4] =
        [br"\ud83d\ude00!", br"\uD83D\uDE00!", br"\ud83d\u0\ude00!", b"\xf0\x9f\x98\x80!"];
    check(&["\u{1f600}!"], true, &pair);
    check(&["\u{1f600}!"], false, &[br"\ud83d!", br"\ude00\ud83d!", br"\ud83d\n\ude00!"]);
    check(&["pass"], true, &[br"p\ud83dass", br"\ud83dpass", br"\ud83d\u0070ass"]);
    check(&["\u{fffd}x"], true, &[br"\ude00x", br"\ud83d\ude00\ude00x"]);
}

#[test]
fn letters_that_fold_to_ascii() {
    let bodies: [&[u8]; 6] = [
        "to\u{212a}en".as_bytes(),
        b"to%e2%84%aaen",
        b"to%E2%84%AAen",
        br"to\u212Aen",
        b"to\xe2\0\x84\0\xaaen",
        br"\u0074o\u212aen",
    ];
    check(&["token"], true, &bodies);
    check(&["secret"], true, &["ſecret".as_bytes(), b"%C5%BFecret", br"\u017fecret"]);
    check(&["ſ\u{212a}x"], true, &[b"skx", b"SKX", b"%73%6bx", br"\u0053\u004bx"]);
    check(&["(?-i)token"], false, &["to\u{212a}en".as_bytes(), b"Token"]);
}

#[test]
fn anchors_and_the_bytes_around() {
    check(&[r"(?-u:\b)key(?-u:\b)"], true, &[b"a%20key", b"a+key+b", br"\nkey\n", b"%6bey"]);
    let inside: [&[u8]; 4] = [b"akey", b"%61key", br"\u0061key", b"a\0key"];
    check(&[r"(?-u:\B)key"], true, &inside);
    check(&["(?m)^key"], true, &[b"a\nkey", b"a%0akey", br"a\nkey", b"a\n\0key", br"a\u000Akey"]);
    check(&["(?m)key$"], true, &[b"key\na", b"key%0Aa", br"key\na", b"key\0\na"]);
    check(&["(?Rm)key$"], true, &[b"key\r\na", b"key%0D%0Aa", br"key\r\na", b"key\r"]);
}

#[test]
fn the_ends_of_a_body() {
    let both = Both::new(&["^key", "token$", r"\Aab\z", r"(?-u:\b)end(?-u:\b)"]);
    for (body, refused) in [
        (&b"key"[..], true),
        (b"\0key", true),
        (b"%6bey", true),
        (br"\u006bey", true),
        (b"-key", false),
        (b"----------------------------key-----------------", false),
        (b"-------------------------------------token", true),
        (b"-------------------------------------token\0", true),
        (b"-------------------------------------toke%6e", true),
        (br"-------------------------------------toke\u006e", true),
        (br"-------------------------------------token\u00", true),
        (b"-------------------------------------token%", false),
        (b"ab", true),
        (b"a\0b\0", true),
        (b"end", true),
        (b"------------------------- end", true),
        (b"------------------------- endx", false),
    ] {
        let text = String::from_utf8_lossy(body);
        assert_eq!(both.slow(body).contains(&true), refused, "{text}, to the oracle");
        for cut in 1..=body.len() {
            assert_eq!(both.differ(body, &[cut]), None);
            assert_eq!(both.differ(body, &[cut, usize::MAX]), None);
        }
    }
}

#[test]
fn patterns_that_hold_the_bytes_of_escapes() {
    check(&["100%", "%", "a%b"], true, &[b"100%", b"%25", br"\u0025", b"1%"]);
    check(&[r"c:\\users\\"], true, &[br"c:\users\x", br"c:\\users\\x", b"c:%5cusers%5cx"]);
    check(&["a+b", r"\+\+c"], true, &[b"aab", b"++c", b"%2b+c%2B%2bc", br"\u002b\+c"]);
    check(&["pass word", " x"], true, &[b"pass+word", b"pass%20word", b"+x", br"\u0020x"]);
    check(&[r"\\\\server"], true, &[br"\\server", br"\\\\server", b"%5C%5cserver"]);
}

#[test]
fn matches_that_overlap_and_begin_again() {
    check(
        &["aaab", "abababc"],
        true,
        &[b"aaaaaaaab", b"ababababc", b"a%61aab", b"ab\0ab\0abab\0c"],
    );
    check(&["abc", "bcd", "cde{2}"], true, &[b"ababcd", b"bbcd", b"%62cd", b"ccdee"]);
    check(&["secret[0-9]{3}", "secret_key"], true, &[b"secretsecret_key", b"secret12secret123"]);
    check(&["AKIA[0-9A-Z]{16}"], true, &[b"AKIAAKIAAKIA_AKIAAKIAAKIA12345678"]);
}

#[test]
fn long_patterns_of_bytes_that_have_no_case() {
    // Of more bytes than the prefilter compares, in one literal.
    check(&["12345678901234567"], true, &[b"12345678901234567", b"123456789%301234567"]);
    check(&["1234567890123456789012345678901234567890"], false, &[b"12345678901234567"]);
    check(&["[0-9]{40}"], true, &[&b"1".repeat(40)]);
    check(
        &["x{100}y", "ab[0-9-]{3,300}cd"],
        true,
        &[
            &[&b"x".repeat(130)[..], b"y"].concat(),
            &[b"ab", &b"-".repeat(280)[..], b"cd"].concat(),
            &[b"%61b", &b"-%2d".repeat(70)[..], b"c%64"].concat(),
        ],
    );
}

#[test]
fn bytes_that_are_no_text() {
    check(&[r"(?-u)\xff\xfeab"], true, &[b"\xff\xfeab", b"%ff%FEab", b"\xff\0\xfe\0ab"]);
    check(&["ab"], true, &[b"\xe2ab", b"\xe2\x84ab", b"\xf0\x9fa%62"]);
}

#[test]
fn patterns_of_which_parts_may_be_empty() {
    check(&["(?:x?){3}pass"], true, &[b"pass", b"xpass", b"p%61ss"]);
    check(&["(?:)pass(?:)?x{0}", "a{0}key"], true, &[b"pass", b"k%65y"]);
}

/// Automata of their own, of which one is busy while another finds something.
#[test]
fn patterns_that_do_not_share_an_automaton() {
    let patterns = ["AKIA[0-9A-Z]{16}", "ghp_[0-9A-Za-z]{36}", "begin.*end", "[0-9]{3}-[0-9]{2}z"];
    let token = [b"gh%70_", &b"a1B2".repeat(9)[..]].concat();
    check(
        &patterns,
        true,
        &[
            &token,
            &[b"begin and ", &token[..]].concat(),
            &[b"AKIA12345 ", &token[..]].concat(),
            b"begin AKIA%310123456789012345",
            b"AKIA123%34AKIA12345678901234567 begin",
            b"begin AKIA en\\u0064",
            b"begin AKIA 123%2d45z",
        ],
    );
    check(
        &patterns,
        false,
        &[&token[..30], b"AKIA begin ghp_ 123-4 en", b"beg%69n 123-AKIA en\\u0065"],
    );
}
