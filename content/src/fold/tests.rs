use super::{Fold, fold};
use proptest::prelude::*;

#[test]
fn one_form() {
    for (text, want) in [
        ("PassWord", "password"),
        ("ＡＫＩＡ１２", "akia12"),
        ("pa\u{200b}ss\u{ad}wo\u{2060}rd", "password"),
        ("p\u{0430}ssw\u{043e}rd", "password"),
        ("\u{0420}\u{0410}SSWORD", "password"),
        ("pa\u{0301}sswörd", "password"),
        ("ﬁne", "fine"),
        ("𝐩𝐚𝐬𝐬", "pass"),
        ("pοrt", "port"),
        ("\u{0406}D", "id"),
        ("ⓢⓔⓒⓡⓔⓣ", "secret"),
        ("日本", "日本"),
        ("10 I l", "10 i l"),
    ] {
        assert_eq!(fold(text), want, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_pass() {
    let mut out = Vec::new();
    let mut folding = Fold::default();
    folding.push(b"A\xffB\xe2\x82", &mut out);
    folding.push(b"C\xe2", &mut out);
    folding.finish(&mut out);
    assert_eq!(out, b"a\xffb\xe2\x82c\xe2");
}

proptest! {
    #[test]
    fn any_cut_is_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64), text in ".{0,24}", cut in 0usize..100) {
        let all = [text.as_bytes(), &bytes].concat();
        let mut whole = Vec::new();
        let mut folding = Fold::default();
        folding.push(&all, &mut whole);
        folding.finish(&mut whole);
        let mut cuts = Vec::new();
        let mut folding = Fold::default();
        for piece in all.chunks(cut % 7 + 1) {
            folding.push(piece, &mut cuts);
        }
        folding.finish(&mut cuts);
        prop_assert_eq!(whole, cuts);
    }

    #[test]
    fn folding_twice_is_folding_once(text in ".{0,24}") {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }
}
