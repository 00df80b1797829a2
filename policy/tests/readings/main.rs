//! What real servers make of a path is one of its readings.
//!
//! `servers.jsonl` was written by `ask.py` from answers of nginx, Node.js, Go, Java, PHP and Python.

use exeat_policy::reading::Readings;
use percent_encoding::percent_decode_str;
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
        let decoded: Vec<Vec<u8>> = readings.iter().map(decode).collect();
        for (text, servers) in &asked.seen {
            compared += 1;
            let seen: Vec<u8> = text.chars().map(|byte| byte as u8).collect();
            let again = decode(&String::from_utf8_lossy(&seen));
            if ![seen, again].iter().any(|seen| decoded.iter().any(|one| same(one, seen))) {
                missed.push(format!("{} is {text:?} to {servers}: {readings:?}", asked.path));
            }
        }
    }
    assert!(compared > 1_000, "{compared} readings were compared");
    let some: Vec<_> = missed.iter().take(20).collect();
    assert!(missed.is_empty(), "{} missed: {some:#?}", missed.len());
}

fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

/// What no rule tells apart: a final slash, how many slashes stand together, and dot segments that
/// lead nowhere, since patterns hold none. Charsets change no ASCII.
fn same(reading: &[u8], seen: &[u8]) -> bool {
    plain(reading) == plain(seen)
}

fn plain(path: &[u8]) -> Vec<Vec<u8>> {
    let ascii: Vec<u8> = path.iter().copied().filter(u8::is_ascii).collect();
    let segments = ascii.split(|byte| *byte == b'/').filter(|one| !matches!(*one, b"" | b"."));
    segments.skip_while(|one| *one == b"..").map(<[u8]>::to_vec).collect()
}
