//! Where a body is cut changes nothing of what it is masked to. The first byte chooses what is declared, the
//! next three the cuts.
#![no_main]

use exeat_content::{Masker, Masks, Media};
use exeat_policy::detect::Set;
use exeat_policy::mask::{Direction, Mask, Numbers, With};
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

const DECLARED: [&str; 6] = [
    "text/plain",
    "application/json",
    "application/x-ndjson",
    "text/event-stream",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
];

static MASKS: LazyLock<Masks> = LazyLock::new(|| {
    let set = Set::compile(&["credit-card", "iban", "email"], &[]).unwrap();
    let (with, numbers) = (With::Placeholder, Numbers::Keep);
    let mask = Mask { set, direction: Direction::Both, with, numbers };
    Masks::new(vec![Arc::new(mask)], Arc::new(|_| [0; 6]))
});

fn run(media: &Media, pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut masker = Masker::new(&MASKS, media).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        masker.push(piece, &mut out).ok()?;
    }
    masker.finish(&mut out).ok()?;
    Some(out)
}

fuzz_target!(|data: &[u8]| {
    let Some(([kind, a, b, c], body)) = data.split_first_chunk() else { return };
    let media = Media::of(DECLARED[usize::from(*kind) % DECLARED.len()]);
    let mut cuts = [a, b, c].map(|cut| usize::from(*cut) * (body.len() + 1) / 256);
    cuts.sort_unstable();
    let [a, b, c] = cuts;
    let pieces = [&body[..a], &body[a..b], &body[b..c], &body[c..]];
    assert_eq!(run(&media, &[body]), run(&media, &pieces));
});
