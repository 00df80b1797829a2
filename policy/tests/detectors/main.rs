//! How good the detectors are, on texts that are made from a seed.
//!
//! `cargo test -p exeat-policy --test detectors -- --ignored --nocapture` runs the whole of it;
//! `docs/detectors.md` has the numbers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod corpus;
mod page;
mod random;

use exeat_policy::detect::{Set, all};

/// For tuning.
const TUNING: u64 = 1;
/// For testing: not looked at while tuning.
const TESTING: u64 = 2;

/// Most findings of a detector that is on by default, in a hundred thousand ids.
const MOST_IN_IDS: usize = 1;

fn good_enough(seed: u64, count: usize) {
    let mut shown = 0;
    let scores = corpus::scores(seed, count, |name, what| {
        if seed == TUNING && shown < 60 {
            shown += 1;
            eprintln!("{name}: {what}");
        }
    });
    let mut bad = Vec::new();
    for (detector, score) in all().iter().zip(&scores) {
        let least = if detector.standard { 0.9 } else { 0.5 };
        if score.recall() < 0.9 || score.precision() < least {
            bad.push(format!("{}: {score:?}", detector.name));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn few_in_ids(seed: u64, count: usize) {
    let set = Set::standard().unwrap();
    let found = corpus::in_ids(&set, seed, count, |name, at| eprintln!("{name} at {at}"));
    let most = (count * MOST_IN_IDS / 100_000).max(1) as u32;
    let bad: Vec<_> = set.names().zip(&found).filter(|&(_, &found)| found > most).collect();
    assert!(bad.is_empty(), "more than {most} in {count} ids: {bad:?}");
}

#[test]
fn detectors_find_what_they_should_and_little_else() {
    good_enough(TUNING, 3);
}

#[test]
fn ids_are_no_secrets() {
    few_in_ids(TUNING, 50_000);
}

#[test]
fn the_page_holds_the_catalogue() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detectors.md");
    let there = std::fs::read_to_string(file).unwrap_or_default();
    let rows: Vec<_> = there.lines().filter(|line| line.starts_with("| `")).collect();
    let same = rows.len() == all().len()
        && rows.iter().zip(all()).all(|(row, detector)| {
            row.starts_with(&page::front(detector)) && row.contains(&page::back(detector))
        });
    // What stands around the rows is compared without what is measured.
    let without = |page: &str| -> String {
        page.lines().filter(|line| !line.starts_with("| `")).collect::<Vec<_>>().join("\n")
    };
    let none = vec![corpus::Score::default(); all().len()];
    let made = page::page(&none, &vec![0; all().len()]);
    assert!(
        same && without(&there) == without(&made),
        "docs/detectors.md is out of date; run: cargo run -p exeat-policy --example detectors"
    );
}

#[test]
#[ignore = "takes a minute"]
fn tuning_half() {
    good_enough(TUNING, 40);
    few_in_ids(TUNING, 1_000_000);
}

#[test]
#[ignore = "takes a minute"]
fn testing_half() {
    good_enough(TESTING, 40);
    few_in_ids(TESTING, 1_000_000);
}
