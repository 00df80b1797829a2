//! What real servers make of a path is one of its readings.
//!
//! `servers.jsonl` was written by `ask.py` from answers of nginx, Node.js, Go, Java, PHP and Python.

mod compare;
mod models;

use compare::{decode, is_among};
use exeat_policy::reading::Readings;
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Asked {
    path: String,
    /// By what servers saw (a character is a byte), which servers saw it.
    seen: BTreeMap<String, String>,
}

#[test]
fn every_servers_reading_is_decided() {
    let mut missed = Vec::new();
    let mut compared = 0;
    for line in include_str!("servers.jsonl").lines() {
        let asked: Asked = serde_json::from_str(line).unwrap();
        // A refused path reaches no server.
        let Ok(readings) = Readings::of(&asked.path) else { continue };
        for (text, servers) in &asked.seen {
            compared += 1;
            let seen: Vec<u8> = text.chars().map(|byte| byte as u8).collect();
            if !is_among(&readings, &seen) {
                missed.push(format!("{} is {text:?} to {servers}: {readings:?}", asked.path));
            }
        }
    }
    assert!(compared > 1_000, "{compared} readings were compared");
    let some: Vec<_> = missed.iter().take(20).collect();
    assert!(missed.is_empty(), "{} missed: {some:#?}", missed.len());
}

#[test]
fn the_models_are_the_servers() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in include_str!("servers.jsonl").lines() {
        let asked: Asked = serde_json::from_str(line).unwrap();
        for (text, servers) in &asked.seen {
            let seen: Vec<u8> = text.chars().map(|byte| byte as u8).collect();
            // What is behind nginx is named so.
            let servers = servers.replace("nginx proxy, ", "nginx proxy: ");
            for (name, model) in models::MODELS {
                if !servers.split(", ").any(|server| server == name) {
                    continue;
                }
                compared += 1;
                let modelled = model(&asked.path);
                if modelled.as_deref().map(decode) != Some(decode(&seen)) {
                    let modelled = modelled.as_deref().map(String::from_utf8_lossy);
                    wrong.push(format!("{}: {name} sees {text:?}, not {modelled:?}", asked.path));
                }
            }
        }
    }
    assert!(compared > 3_000, "{compared} answers were compared");
    let some: Vec<_> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} differ: {some:#?}", wrong.len());
}

/// What paths are drawn from: the pieces of `ask.py`, and some that it has not.
const PIECES: &[&str] = &[
    "a",
    "B",
    "/",
    "//",
    "..",
    ".",
    "/../",
    "/./",
    "%2e",
    "%2E%2e",
    "%2F",
    "%2f..%2f",
    "%5C",
    "\\",
    ";",
    ";v=1",
    "%3B",
    "%252F",
    "%252e%252e",
    "%25",
    "%",
    "%2",
    "%zz",
    "%c0%ae",
    "%c0%af",
    "%EF%BC%8F",
    "%EF%BC%8E",
    "%E2%80%A5",
    "%3F",
    "?",
    "%23",
    "#",
    "%20",
    "%E9",
    "é",
    "．",
    "／",
    "|",
    "\"",
    "{",
    "[",
    "^",
    "<",
    "`",
    "%u002f",
    "%41",
    "+",
    "%2B",
    "~",
    "@",
    ":",
    "!",
    "%21",
    "=",
    "%00",
    "%0a",
    "\u{ff0e}",
    "\u{fe52}",
    "%e2%81%84",
    "\u{2215}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]
    #[test]
    fn every_models_reading_is_decided(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..9),
    ) {
        let path = format!("/{}", pieces.concat());
        let Ok(readings) = Readings::of(&path) else { return Ok(()) };
        for (name, model) in models::MODELS {
            let Some(seen) = model(&path) else { continue };
            let text = String::from_utf8_lossy(&seen);
            prop_assert!(is_among(&readings, &seen), "{path} is {text} to {name}: {readings:?}");
        }
    }
}
