//! What holds for any body, however it is cut.

use crate::support::{CARD, cards, run};
use exeat_content::{Decoder, Limits, Masks, Media, Place, Sink, StreamId};
use exeat_policy::detect::{Finder, Set};
use proptest::prelude::*;
use std::collections::HashMap;

/// Every decoded text of a body.
#[derive(Default)]
struct Texts(HashMap<StreamId, Vec<u8>>);

impl Sink for Texts {
    fn open(&mut self, id: StreamId, _: &Place<'_>) {
        self.0.insert(id, Vec::new());
    }
    fn fork(&mut self, id: StreamId, of: StreamId, _: &Place<'_>) {
        let text = self.0.get(&of).cloned().unwrap_or_default();
        self.0.insert(id, text);
    }
    fn text(&mut self, id: StreamId, _: &Place<'_>, text: &[u8]) {
        self.0.entry(id).or_default().extend_from_slice(text);
    }
    fn close(&mut self, _: StreamId, _: &Place<'_>) {}
}

/// Whether a detector finds something in what the body stands for.
fn holds(media: &Media, body: &[u8]) -> bool {
    let mut texts = Texts::default();
    let mut decoder = Decoder::new(media, Limits::default());
    decoder.push(body, &mut texts).unwrap();
    decoder.finish(&mut texts).unwrap();
    let set = Set::compile(&["credit-card", "us-ssn"], &[]).unwrap();
    let mut found = false;
    for text in texts.0.values() {
        let mut finder = Finder::new(&set);
        finder.push(text, &mut |_| found = true);
        finder.finish(&mut |_| found = true);
    }
    found
}

fn cut(body: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    at.windows(2).map(|two| body[two[0]..two[1]].to_vec()).collect()
}

/// A text in which values stand, plain or escaped for JSON.
fn words() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        3 => "[a-zA-Z0-9 .,é-]{0,12}",
        2 => Just(format!(" {CARD} ")),
        1 => Just(" 4111-1111-1111-1111".to_owned()),
        1 => Just(CARD[..9].to_owned()),
        1 => Just(CARD[9..].to_owned()),
        1 => Just(" 078-05-1120 ssn ".to_owned()),
        1 => "[\"\\\\\n\t{}\\[\\]:&=%+]{0,4}",
    ];
    prop::collection::vec(word, 0..12)
}

fn quote(text: &str, escape: bool) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if escape && c.is_ascii_digit() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn body() -> impl Strategy<Value = (Media, Vec<u8>)> {
    (words(), 0..7_u8, any::<bool>()).prop_map(|(words, kind, escape)| {
        let of = |kind: &str, text: String| (Media::of(kind), text.into_bytes());
        let strings = || words.iter().map(|word| quote(word, escape)).collect::<Vec<_>>();
        match kind {
            0 => of("text/plain", words.concat()),
            1 => of("application/json", format!("{{\"a\" : [{}]}}", strings().join(" , "))),
            2 => of("application/json", format!("[{},{CARD}, -1.5]", strings().concat().len())),
            3 => {
                let event = |text: &String| format!("id: 1\ndata: {{\"d\": {{\"t\":{text}}}}}\n\n");
                of("text/event-stream", strings().iter().map(event).collect())
            }
            4 => {
                let line = |text: &String| format!("{{\"t\":{text}}}\n");
                of("application/x-ndjson", strings().iter().map(line).collect())
            }
            5 => {
                let field = |text: &String| {
                    let escaped: String = text
                        .bytes()
                        .map(|b| {
                            if b.is_ascii_alphanumeric() {
                                char::from(b).into()
                            } else {
                                format!("%{b:02x}")
                            }
                        })
                        .collect();
                    format!("f={escaped}")
                };
                let fields: Vec<String> = words.iter().map(field).collect();
                of("application/x-www-form-urlencoded", fields.join("&"))
            }
            _ => of("application/json", format!("[{}]", strings().join(","))),
        }
    })
}

/// The masked body. A sequence may be refused: without a value between them, pieces of two texts can make
/// one. So may a body with a masked `us-ssn`: the placeholder's name is a word that tells so of a number
/// behind it.
fn masked(masks: &Masks, media: &Media, body: &[u8]) -> Option<Vec<u8>> {
    let out = run(masks, media, [body]);
    let kind = media.content_type.as_deref().unwrap();
    let is_sequence =
        kind.ends_with("stream") || kind.ends_with("ndjson") || body.starts_with(b"[");
    let has_context = body.windows(3).any(|three| three == b"ssn");
    if is_sequence || has_context { out.ok() } else { Some(out.unwrap()) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_cut_gives_the_same((media, body) in body(), cuts: [prop::sample::Index; 6]) {
        let masks = cards();
        let whole = run(&masks, &media, [&body[..]]);
        let pieces = cut(&body, &cuts);
        let apart = run(&masks, &media, pieces.iter().map(Vec::as_slice));
        prop_assert_eq!(whole.is_ok(), apart.is_ok());
        if let (Ok(whole), Ok(apart)) = (&whole, &apart) {
            prop_assert_eq!(String::from_utf8_lossy(whole), String::from_utf8_lossy(apart));
        }
        let bytes = run(&masks, &media, body.chunks(1));
        if let (Ok(whole), Ok(bytes)) = (&whole, &bytes) {
            prop_assert_eq!(String::from_utf8_lossy(whole), String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn no_value_is_left((media, body) in body()) {
        let masks = cards();
        let Some(out) = masked(&masks, &media, &body) else { return Ok(()) };
        prop_assert!(!holds(&media, &out), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn json_stays_json((media, body) in body()) {
        let masks = cards();
        let Some(out) = masked(&masks, &media, &body) else { return Ok(()) };
        if media.content_type.as_deref() == Some("application/json") {
            let _: serde_json::Value = serde_json::from_slice(&out).unwrap();
        }
    }

    #[test]
    fn what_holds_no_value_stays(text in "[a-z \\\\\"\n{}\\[\\]:,&=%+é]{0,200}", kind in 0..5_usize) {
        let kinds = ["text/plain", "application/json", "text/event-stream", "application/x-ndjson",
            "application/x-www-form-urlencoded"];
        let masks = cards();
        let out = run(&masks, &Media::of(kinds[kind]), [text.as_bytes()]).unwrap();
        prop_assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
