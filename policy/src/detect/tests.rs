//! The catalogue holds what it says, and findings do not depend on where chunks are cut.

use super::*;
use proptest::prelude::*;

/// What a set finds, pushed in pieces of these lengths, in turn.
pub(super) fn find(set: &Set, text: &[u8], cuts: &[usize]) -> Vec<Finding> {
    let mut finder = Finder::new(set);
    let mut found = Vec::new();
    let mut rest = text;
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let cut = cuts.next().map_or(rest.len(), |&cut| cut.clamp(1, rest.len()));
        let (chunk, more) = rest.split_at(cut);
        let before = (text.len() - rest.len()) as u64;
        assert!(finder.open() <= before);
        let settled = before - finder.open();
        finder.push(chunk, &mut |finding| {
            assert!(finding.start >= settled, "{finding:?} begins in what was let through");
            found.push(finding);
        });
        assert!(finder.open() <= 17 << 10, "{} bytes are open", finder.open());
        rest = more;
    }
    finder.finish(&mut |finding| found.push(finding));
    found
}

fn only(name: &str) -> Set {
    Set::compile(&[name], &[]).unwrap()
}

#[test]
fn names_are_kebab_case_and_there_once() {
    let mut names: Vec<_> = all().iter().map(|it| it.name).collect();
    for name in &names {
        let is_part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
        };
        assert!(name.len() <= 63 && name.split('-').all(is_part), "{name}");
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all().len());
    assert!(names.len() >= 120);
}

#[test]
fn every_detector_compiles_and_says_what_it_is() {
    for detector in all() {
        let name = detector.name;
        Set::compile(&[name], &[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!detector.doc.is_empty() && !detector.source.is_empty(), "{name}");
        assert!(!detector.positive.is_empty() && !detector.negative.is_empty(), "{name}");
        assert!(detector.longest <= LONGEST, "{name}");
        if detector.standard && name != "generic-secret" {
            assert!(detector.anchored() || detector.check.is_some(), "{name} has no anchor");
        }
        for anchor in detector.anchors() {
            assert!(anchor.len() >= 3, "{name}: {anchor} is too short");
            assert!(anchor.as_bytes()[0].is_ascii_alphanumeric(), "{name}: {anchor}");
        }
    }
}

#[test]
fn examples_are_found_by_their_detector_alone_and_among_all() {
    let every = Set::compile(&all().iter().map(|it| it.name).collect::<Vec<_>>(), &[]).unwrap();
    let mut wrong = Vec::new();
    for detector in all() {
        let set = only(detector.name);
        for text in detector.positive {
            let (text, range) = example(text);
            let want = [Finding { detector: 0, start: range.start as u64, end: range.end as u64 }];
            if find(&set, text.as_bytes(), &[]) != want {
                wrong.push(format!(
                    "{}: {text}: {:?}",
                    detector.name,
                    find(&set, text.as_bytes(), &[])
                ));
            }
            let among = find(&every, text.as_bytes(), &[]);
            if !among.iter().any(|it| it.start <= want[0].start && want[0].end <= it.end) {
                wrong.push(format!("{} among all: {text}: {among:?}", detector.name));
            }
        }
        for text in detector.negative {
            let (text, _) = example(text);
            let found = find(&set, text.as_bytes(), &[]);
            if !found.is_empty() {
                wrong.push(format!("{} in {text}: {found:?}", detector.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_token_inside_a_longer_run_is_none() {
    let mut wrong = Vec::new();
    for detector in all().iter().filter(|it| it.edge != Edge::Open) {
        let set = only(detector.name);
        for text in detector.positive {
            let (text, range) = example(text);
            let (before, rest) = text.split_at(range.start);
            let (inside, behind) = rest.split_at(range.len());
            for longer in
                [format!("{before}Z{inside}{behind}"), format!("{before}{inside}Z_{behind}")]
            {
                let found = find(&set, longer.as_bytes(), &[]);
                let same = |it: &Finding| (it.end - it.start) as usize == range.len();
                if found.iter().any(same) {
                    wrong.push(format!("{}: {longer}", detector.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn escapes_are_no_part_of_a_token() {
    let set = only("aws-access-key");
    let (key, _) = example("AKIA¦IOSFODNN7EXAMPLE");
    for before in ["\\n", "\\u0022", "%3D", "\\t\\n", "key="] {
        let text = format!("x{before}{key}\\n");
        assert_eq!(find(&set, text.as_bytes(), &[]).len(), 1, "{text}");
    }
}

#[test]
fn an_unknown_name_is_told_with_the_nearest() {
    let error = Set::compile(&["github-tokn"], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no detector \"github-tokn\"; did you mean github-token?"
    );
    assert!(matches!(
        Set::compile(&["zzzzzzzzzzzzzzz"], &[]).unwrap_err(),
        DetectError::Unknown { nearest: None, .. }
    ));
    assert_eq!(nearest("ssn"), Some("us-ssn"));
    assert_eq!(nearest("AWS_ACCESS_KEY"), Some("aws-access-key"));
}

#[test]
fn nothing_is_open_behind_ordinary_text() {
    let set = Set::compile(&["github-token", "private-key", "credit-card", "us-ssn"], &[]).unwrap();
    for (text, open) in [
        ("the end.", 0),
        ("{\"a\": \"b\"}\n", 0),
        ("see ghp", 3),
        ("see ghp_ab", 6),
        ("card 4111 1111", 9),
        ("-----BEG", 8),
        ("card 4111 1111 1111 1111 ", 20),
        ("of 2026", 0),
    ] {
        let mut finder = Finder::new(&set);
        finder.push(text.as_bytes(), &mut |_| {});
        assert_eq!(finder.open(), open, "{text:?}");
    }
}

#[test]
fn a_private_key_without_end_is_found_up_to_the_limit() {
    let set = only("private-key");
    let body = "MIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn\n".repeat(1000);
    let text = format!("{}RSA PRIVATE KEY-----\n{body}", "-----BEGIN ");
    let found = find(&set, text.as_bytes(), &[777]);
    assert_eq!((found[0].start, found[0].end), (0, LONGEST as u64));
}

#[test]
fn the_generic_one_gives_way() {
    let set = Set::compile(&["generic-secret", "github-token"], &[]).unwrap();
    let detector = by_name("github-token").unwrap();
    let (token, _) = example(detector.positive[0]);
    let text = format!("API_TOKEN=abc1-{token}");
    for cuts in [&[][..], &[1], &[7]] {
        let found = find(&set, text.as_bytes(), cuts);
        let names: Vec<_> = found.iter().map(|it| set.name(it.detector)).collect();
        assert_eq!(names, ["github-token"]);
    }
}

#[test]
fn long_gaps_and_long_streams_keep_offsets() {
    let set = only("credit-card");
    let mut text = vec![b'a'; 300_000];
    text.extend_from_slice(b" 4111111111111111 ");
    text.extend(vec![b' '; 100_000]);
    for cuts in [&[][..], &[65_536], &[1000], &[100_003]] {
        let found = find(&set, &text, cuts);
        assert_eq!(found, [Finding { detector: 0, start: 300_001, end: 300_017 }]);
    }
}

/// Texts of examples, words, signs and noise, in any order.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let examples: Vec<Vec<u8>> = all()
        .iter()
        .flat_map(|it| it.positive.iter().chain(it.negative))
        .map(|text| example(text).0.into_bytes())
        .filter(|text| text.len() < 600)
        .collect();
    let part = prop_oneof![
        4 => proptest::sample::select(examples),
        3 => proptest::sample::select(vec![
            " ", "\n", "=", ": ", "\"", "\\n", "%3D", "-", "_", "@", "://", "password", "ssn ", "phone ",
            "abandon ", "zoo ", "AKIA", "4111", "1111 ", "-----BEGIN ", "eyJ", "é", "a", "Z", "0", ".", "token=",
        ]).prop_map(|it| it.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..24),
        1 => "[a-zA-Z0-9+/]{1,40}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn custom() -> Vec<CustomDetector> {
    let named = |name: &str| CustomDetector { name: name.to_owned(), ..CustomDetector::default() };
    vec![
        CustomDetector {
            pattern: Some(r"zo+|[0-9]{4} [0-9]{2,}|(?-u:\b)ssn(?-u:\b)|a[0-9 ]{0,4}b".into()),
            ..named("p")
        },
        CustomDetector { keywords: vec!["abandon zoo".into(), "token".into()], ..named("k") },
        CustomDetector {
            exact: Some(ExactData::of(&[7; 16], ["Abandon Abandon", "4111"].into_iter()).unwrap()),
            ..named("e")
        },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_chunking_finds_the_same(
        text in texts(),
        cuts in proptest::collection::vec(1_usize..40, 1..6),
    ) {
        let names: Vec<_> = all().iter().map(|it| it.name).collect();
        let set = Set::compile(&names, &custom()).unwrap();
        let whole = find(&set, &text, &[]);
        for pair in whole.windows(2) {
            prop_assert!(pair[0].end <= pair[1].start);
        }
        prop_assert_eq!(&whole, &find(&set, &text, &cuts));
        prop_assert_eq!(&whole, &find(&set, &text, &[1]));
    }

    #[test]
    fn each_alone_finds_the_same(
        text in texts(),
        index in 0..300_usize,
        cut in 1_usize..60,
    ) {
        let detector = all()[index % all().len()];
        let set = only(detector.name);
        prop_assert_eq!(find(&set, &text, &[]), find(&set, &text, &[cut]));
    }
}
