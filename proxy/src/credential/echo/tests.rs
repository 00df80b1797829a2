use super::*;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

const VALUE: &str = "s3cr3t/+\"v& lue==";

fn masked(text: &str) -> String {
    let mut text = text.as_bytes().to_vec();
    Echo::of(VALUE).mask(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_value_is_found_in_its_spellings_and_lengths_stay() {
    let encoded = [
        VALUE.to_owned(),
        serde_json::to_string(VALUE).unwrap(),
        "s3cr3t%2F%2B%22v%26%20lue%3D%3D".to_owned(),
        "s3cr3t%2f%2b%22v%26+lue%3d%3d".to_owned(),
        "s3cr3t\\/+\\\"v& lue==".to_owned(),
        "s3cr3t/+&quot;v&amp; lue==".to_owned(),
        hex::encode(VALUE),
        hex::encode(VALUE).to_uppercase(),
    ];
    for text in encoded {
        let text = format!("<{text}>");
        let out = masked(&text);
        assert_eq!(out.len(), text.len());
        let kept = out.trim_matches(['<', '>', '"']);
        assert!(kept.chars().all(|c| c == '*'), "{text}: {out}");
    }
    assert_eq!(masked("s3cr3t"), "s3cr3t");
}

#[test]
fn base64_of_it_is_masked_wherever_it_begins() {
    for before in ["", "u", "us", "user:", "Basic user:x"] {
        for engine in [&STANDARD, &base64::engine::general_purpose::URL_SAFE] {
            let text = engine.encode(format!("{before}{VALUE} and more"));
            let out = masked(&text);
            assert_eq!(out.len(), text.len());
            // What decodes is not the value, nor more of it than a byte at each end.
            let stars = out.chars().filter(|c| *c == '*').count();
            assert!(stars >= VALUE.len() * 4 / 3 - 2, "{text}: {out}");
        }
    }
}

proptest! {
    /// Any chunks: the same output as the whole at once.
    #[test]
    fn chunks_make_no_difference(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(VALUE.to_owned()), Just(VALUE[..5].to_owned()), Just(VALUE[3..].to_owned()),
                Just(STANDARD.encode(VALUE)), "[a-z3=/+]{0,6}",
            ],
            0..8,
        ),
        cuts in prop::collection::vec(1..9_usize, 1..40),
    ) {
        let text = pieces.concat();
        let echo = Echo::of(VALUE);
        let mut whole = text.clone().into_bytes();
        echo.mask(&mut whole);
        let (mut mask, mut out, mut rest) = (Mask::default(), Vec::new(), text.as_bytes());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, behind) = rest.split_at((*cut).min(rest.len()));
            out.extend_from_slice(&mask.push(&echo, chunk));
            rest = behind;
        }
        out.extend_from_slice(&mask.finish());
        prop_assert_eq!(String::from_utf8(out).unwrap(), String::from_utf8(whole).unwrap());
    }
}

#[test]
fn only_what_may_be_the_beginning_is_kept_back() {
    let echo = Echo::of(VALUE);
    let mut mask = Mask::default();
    assert_eq!(mask.push(&echo, b"data: hello\n\n"), "data: hello\n\n");
    assert_eq!(mask.push(&echo, b"data: s3"), "data: ");
    assert_eq!(mask.len(), 2);
    assert_eq!(mask.push(&echo, b"x"), "s3x");
}
