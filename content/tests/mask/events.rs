//! Events, and the texts that are split over them.

use crate::support::{CARD, cards, run, text};
use exeat_content::{Masker, Media};

const KIND: &str = "text/event-stream";

fn delta(text: &str) -> String {
    format!("event: d\ndata: {{\"index\":0,\"delta\":{{\"text\":\"{text}\"}}}}\n\n")
}

#[test]
fn a_value_in_one_event() {
    let masks = cards();
    let body = format!(": {CARD}\r\ndata: {{\"a\": \"{CARD}\"}}\r\n\r\ndata: pay {CARD}\r\n\r\n");
    let want = body.replace(CARD, "[exeat:credit-card]");
    assert_eq!(text(&masks, KIND, &body), want);
}

#[test]
fn a_value_split_over_many_events_is_masked_whole() {
    let masks = cards();
    let pieces: Vec<String> = CARD.chars().map(String::from).collect();
    let body: String = std::iter::once("pay ".to_owned())
        .chain(pieces)
        .chain([" now".to_owned()])
        .map(|piece| delta(&piece))
        .collect();
    let want: String = std::iter::once("pay ".to_owned())
        .chain(["[exeat:credit-card]".to_owned()])
        .chain(std::iter::repeat_n(String::new(), 15))
        .chain([" now".to_owned()])
        .map(|piece| delta(&piece))
        .collect();
    let media = Media::of(KIND);
    assert_eq!(text(&masks, KIND, &body), want);
    let apart = run(&masks, &media, body.as_bytes().chunks(7)).unwrap();
    assert_eq!(String::from_utf8(apart).unwrap(), want);
}

#[test]
fn blocks_are_told_apart_by_their_index() {
    let masks = cards();
    let of = |index: u8, text: &str| format!("data: {{\"index\":{index},\"t\":\"{text}\"}}\n\n");
    let body = [of(0, &CARD[..8]), of(1, "x"), of(0, &CARD[8..]), of(1, "y")].concat();
    let want = [of(0, "[exeat:credit-card]"), of(1, "x"), of(0, ""), of(1, "y")].concat();
    assert_eq!(text(&masks, KIND, &body), want);
}

#[test]
fn events_leave_as_soon_as_nothing_is_open() {
    let masks = cards();
    let mut masker = Masker::new(&masks, &Media::of(KIND)).unwrap();
    let mut out = Vec::new();
    masker.push(delta("hello, ").as_bytes(), &mut out).unwrap();
    assert_eq!(out, delta("hello, ").as_bytes());
    out.clear();
    masker.push(delta("4111").as_bytes(), &mut out).unwrap();
    assert_eq!(out, b"");
    assert_eq!(masker.waiting(), 4);
    masker.flush(&mut out).unwrap();
    assert_eq!(out, delta("4111").as_bytes());
    out.clear();
    masker.push(delta(&CARD[4..]).as_bytes(), &mut out).unwrap();
    masker.finish(&mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), delta("[exeat:credit-card]"));
    assert_eq!(masker.counts().get("credit-card"), Some(&1));
}

#[test]
fn lines_of_json_are_a_sequence_too() {
    let masks = cards();
    let of = |text: &str| format!("{{\"t\":\"{text}\"}}\n");
    let body = [of("a "), of(&CARD[..5]), of(&CARD[5..]), of(" b")].concat();
    let want = [of("a "), of("[exeat:credit-card]"), of(""), of(" b")].concat();
    assert_eq!(text(&masks, "application/x-ndjson", &body), want);
}

#[test]
fn what_is_held_is_bounded() {
    let masks = cards();
    let mut masker = Masker::new(&masks, &Media::of(KIND)).unwrap();
    let mut out = Vec::new();
    let mut sent = 0;
    let open = delta("4111");
    masker.push(open.as_bytes(), &mut out).unwrap();
    sent += open.len();
    for n in 0..40_000 {
        let other = format!("data: {{\"other\":\"{n} words.\"}}\n\n");
        masker.push(other.as_bytes(), &mut out).unwrap();
        sent += other.len();
        assert!(sent - out.len() < 600 << 10, "{n}");
    }
}
