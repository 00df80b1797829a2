//! The body scanner finds what stepping an automaton over every byte of every view finds, however
//! the body is cut.

use exeat_policy::body::{BodyPatterns, Scanner};
use proptest::prelude::*;
use std::time::Instant;

mod holes;
mod oracle;
mod related;

/// Sets of patterns: literals, prefixes, classes, anchors, look-around, and none that can be
/// skipped to.
const SETS: [&[&str]; 12] = [
    &["password", "secret", "api_key", "token"],
    &["ab", "a b", "%41b"],
    &["passkey", "kelvin\u{212a}x", "straße"],
    &["AKIA[0-9A-Z]{4}", "ghp_[a-z0-9]{6}", "xox[bp]-[0-9]{2,}"],
    &["secret.*key", "pass\\s*=\\s*\\w+"],
    &["a\"b", "n\"x", "nak'a", "\\n\\n", "aa\\\\b"],
    &["é", "日本", "\u{1f600}!"],
    &[r"(?-u:\b)token(?-u:\b)", r"(?-u:\B)key"],
    &["^pass", "word$", "(?m)^abc", "(?m)xyz$"],
    &["[0-9]{3}-[0-9]{2}", "s+w"],
    &["(a|b)*c d", "x"],
    &["(?-i)Pass", "(?i)wORD", "a{3,5}b", "(abc|abd|xyz)q?"],
];

fn owned(set: &[&str]) -> Vec<String> {
    set.iter().map(|pattern| (*pattern).to_owned()).collect()
}

struct Both {
    fast: BodyPatterns,
    /// One for each pattern.
    slow: Vec<oracle::Patterns>,
}

impl Both {
    fn new(set: &[&str]) -> Self {
        Self::of(&owned(set)).expect("the sets are fixed and compile")
    }

    fn of(patterns: &[String]) -> Option<Self> {
        let fast = BodyPatterns::compile(patterns).ok()?;
        let slow = patterns.iter().map(|one| oracle::Patterns::compile(std::slice::from_ref(one)));
        Some(Self { fast, slow: slow.collect() })
    }

    /// What is found where the body is cut at these lengths, over and over.
    fn fast(&self, body: &[u8], cuts: &[usize]) -> Option<usize> {
        let mut scanner = Scanner::new(&self.fast);
        let mut rest = body;
        for cut in cuts.iter().cycle() {
            let (chunk, more) = rest.split_at((*cut).min(rest.len()));
            scanner.push(chunk);
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        scanner.finish()
    }

    /// Whether each pattern is in this body.
    fn slow(&self, body: &[u8]) -> Vec<bool> {
        let found = |patterns| {
            let mut scanner = oracle::Scanner::new(patterns);
            scanner.push(body);
            scanner.finish().is_some()
        };
        self.slow.iter().map(found).collect()
    }

    /// Nothing where both find the same, whole and cut; otherwise what they find.
    fn differ(&self, body: &[u8], cuts: &[usize]) -> Option<String> {
        let slow = self.slow(body);
        [&[usize::MAX][..], cuts].into_iter().find_map(|cuts| {
            let fast = self.fast(body, cuts);
            let right = match fast {
                Some(found) => slow[found],
                None => !slow.contains(&true),
            };
            let text = String::from_utf8_lossy(body);
            (!right).then(|| format!("{fast:?} for {slow:?} in {text:?}, cut at {cuts:?}"))
        })
    }
}

/// Pieces of which bodies are made: parts of what the patterns match, escapes of each view whole and
/// in part, and text that matches nothing.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let fixed = prop::sample::select(vec![
        &b"pass"[..],
        b"PassWord",
        b"word",
        b"sec",
        b"ret",
        b"api_",
        b"key",
        b"to",
        b"ken",
        b"AKIA",
        b"AKIA12",
        b"34",
        b"ghp_",
        b"xoxb-",
        b"1",
        b"123-45",
        b"=",
        b" ",
        b"a",
        b"b",
        b"n",
        b"x",
        b"nak",
        b"'a",
        b"\"",
        b"\\",
        b"\\\"",
        b"\\n",
        b"\\\\",
        b"\\'",
        b"\\u0061",
        b"\\u0041",
        b"\\u00",
        b"\\ud83d",
        b"\\ud83d\\ude00!",
        b"\\u00e9",
        b"\\u65e5\\u672c",
        b"\\u212a",
        b"%",
        b"%4",
        b"%41",
        b"%61",
        b"%73",
        b"%00",
        b"%5c",
        b"%%",
        b"+",
        b"\0",
        b"\0\0\0",
        b"s\0",
        b"e\0",
        b"\xc5\xbf",
        b"\xe2\x84\xaa",
        b"\xc3\xa9",
        b"\xe6\x97\xa5\xe6\x9c\xac",
        b"abc",
        b"xyz",
        b"c d",
        b"\n",
        b"\r\n",
        b"w",
        b"ss",
        b"\xff\xfe",
        b"kelvin",
    ])
    .prop_map(<[u8]>::to_vec);
    prop_oneof![
        12 => fixed,
        3 => "[ a-z]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(pieces(), 0..24).prop_map(|pieces| pieces.concat())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1usize..4, 1usize..40, 60usize..400], 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn finds_what_stepping_over_everything_finds(
        set in 0..SETS.len(),
        body in body(),
        cuts in cuts(),
    ) {
        thread_local! {
            static ALL: Vec<Both> = SETS.iter().map(|set| Both::new(set)).collect();
        }
        ALL.with(|all| {
            let both = &all[set];
            prop_assert_eq!(both.differ(&body, &cuts), None, "{:?}", SETS[set]);
            Ok(())
        })?;
    }
}

/// Patterns of the kinds that a prefilter is made from.
fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c_%+]{2,9}",
        "[a-c]{2,4}\\[[a-c]{1,3}\\][a-c]{0,2}",
        "[a-c]{1,3}[a-c][?*+][a-c]{1,3}",
        "\\(([a-c]{1,3}\\|){1,3}[a-c]{2}\\)[a-c]{0,3}",
        "\\(\\?-u:\\\\b\\)[a-c]{2,5}",
        "[a-c]{2,3}\\{2,3\\}[a-c]{1,2}",
        "[a-c]{2,3}\\.\\*[a-c]{2}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn finds_it_for_patterns_of_any_form(
        patterns in prop::collection::vec(pattern(), 1..4),
        bodies in prop::collection::vec(
            prop::collection::vec(
                prop::sample::select(vec![
                    &b"a"[..], b"b", b"c", b"A", b"_", b"%61", b"%2", b"+", b"\\u0062", b"\\", b"\0",
                    b"ab", b"abc", b"xxxxxxxxxxxxxxxxxxxxxxxx", b"zzzzz",
                ]),
                0..40,
            ),
            4,
        ),
        cuts in cuts(),
    ) {
        let Some(both) = Both::of(&patterns) else { return Ok(()) };
        for body in bodies {
            prop_assert_eq!(both.differ(&body.concat(), &cuts), None, "{:?}", patterns);
        }
    }
}

/// What happened in the cases that were tried.
#[derive(Debug, Default)]
struct Tried {
    sets: usize,
    refused: usize,
    passed: usize,
}

impl Tried {
    fn case(&mut self, seed: u64) {
        let case = related::Case::new(seed);
        let Some(both) = Both::of(&case.patterns) else { return };
        self.sets += 1;
        for (body, cuts) in &case.bodies {
            assert_eq!(both.differ(body, cuts), None, "seed {seed}: {:?}", case.patterns);
            let refused = both.fast(body, cuts).is_some();
            *(if refused { &mut self.refused } else { &mut self.passed }) += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn finds_what_patterns_match_however_it_is_written(seed in any::<u64>()) {
        Tried::default().case(seed);
    }
}

/// `EXEAT_SCAN_SECONDS=900 cargo test -p exeat-policy --release --test scanner -- --ignored`.
#[test]
#[ignore = "takes as long as one likes"]
fn finds_what_patterns_match_for_long() {
    let text = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seconds = text("EXEAT_SCAN_SECONDS").unwrap_or(60);
    let first = text("EXEAT_SCAN_SEED").unwrap_or(0);
    let begin = Instant::now();
    let mut tried = Tried::default();
    for seed in first.. {
        tried.case(seed);
        if begin.elapsed().as_secs() >= seconds {
            eprintln!("{tried:?}, up to seed {seed}");
            break;
        }
    }
}
