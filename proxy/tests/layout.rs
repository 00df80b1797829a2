//! Rooms use only rooms on lines below their own: the `use` lines of `src` against the table in
//! `src/lib.rs`. And no two files use one another, directly or in a circle.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Line of the table by room: the first line is the highest.
fn table() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let block = text.split("//! ```text\n").nth(1).unwrap().split("//! ```").next().unwrap();
    let mut lines = BTreeMap::new();
    for (number, line) in block.lines().enumerate() {
        let line = line.strip_prefix("//! ").unwrap();
        let rooms = line.get(..22).unwrap_or(line);
        for room in rooms.split_whitespace() {
            assert!(lines.insert(room.to_owned(), number).is_none(), "{room} stands twice");
        }
    }
    lines
}

/// Every Rust file below a directory.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// Module path of a file below `src`: `protocol/http/mod.rs` is `protocol::http`.
fn module(path: &Path) -> Vec<String> {
    let relative = path.strip_prefix(source()).unwrap().with_extension("");
    let mut parts: Vec<String> =
        relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The text of a file without its comments and its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `crate::`, braces expanded one after the other.
fn crate_paths(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        if text[..at].ends_with("pub(") {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        expand(rest, &mut Vec::new(), &mut all);
    }
    all
}

/// Reads one tree of paths; returns what is behind it.
fn expand<'a>(text: &'a str, before: &mut Vec<String>, all: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text;
    let depth = before.len();
    loop {
        rest = rest.trim_start();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            loop {
                rest = rest.trim_start();
                if rest.is_empty() || rest.starts_with('}') {
                    before.truncate(depth);
                    return rest.get(1..).unwrap_or_default();
                }
                rest = rest.strip_prefix(',').unwrap_or(rest);
                let length = before.len();
                rest = expand(rest, before, all);
                before.truncate(length);
            }
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end == 0 {
            // `*`, or something that is no path.
            before.truncate(depth);
            return rest.get(1..).unwrap_or_default();
        }
        before.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(behind) => rest = behind,
            None => {
                all.push(before.clone());
                before.truncate(depth);
                return rest;
            }
        }
    }
}

#[test]
fn rooms_use_only_rooms_below_them() {
    let table = table();
    let mut all = Vec::new();
    files(&source(), &mut all);
    let mut wrong = BTreeSet::new();
    let mut arrows = 0;
    for path in &all {
        let own = module(path);
        if own == ["lib"] || own == ["main"] {
            continue;
        }
        let line = *table.get(&own[0]).unwrap_or_else(|| panic!("{} is in no line", own[0]));
        for used in crate_paths(&code(path)) {
            let Some(other) = table.get(&used[0]) else {
                panic!("{}: crate::{} is in no line", path.display(), used[0]);
            };
            arrows += 1;
            if used[0] != own[0] && *other <= line {
                wrong.insert(format!("{} uses {}", own.join("::"), used.join("::")));
            }
            // A protocol never imports another.
            let of = |it: &[String]| it.get(1).filter(|_| it[0] == "protocol").cloned();
            if let (Some(mine), Some(theirs)) = (of(&own), of(&used))
                && mine != theirs
                && theirs != "relay"
            {
                wrong.insert(format!("{} uses {}", own.join("::"), used.join("::")));
            }
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_is_in_the_table_and_the_other_way_round() {
    let table: BTreeSet<String> = table().into_keys().collect();
    let rooms = fs::read_dir(source())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let rooms: BTreeSet<String> =
        rooms.filter(|name| !["lib", "main"].contains(&name.as_str())).collect();
    assert_eq!(table, rooms);
}

/// Files by module path, and the files that each uses. `super` and `self` count too.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let mut all = Vec::new();
    files(&source(), &mut all);
    let modules: BTreeSet<String> = all.iter().map(|path| module(path).join("::")).collect();
    let mut graph = BTreeMap::new();
    for path in &all {
        let own = module(path);
        let mut text = code(path);
        let is_folder = path.file_name().is_some_and(|name| name == "mod.rs");
        // The module that holds this file's neighbours.
        let parent = own[..own.len().saturating_sub(1)].to_vec();
        let above =
            if parent.is_empty() { String::new() } else { format!("{}::", parent.join("::")) };
        text = text.replace("super::", &format!("crate::{above}"));
        let mut uses = BTreeSet::new();
        for used in crate_paths(&text) {
            // The longest prefix that is a file.
            let target = (1..=used.len())
                .rev()
                .map(|n| used[..n].join("::"))
                .find(|it| modules.contains(it));
            uses.extend(target.filter(|target| *target != own.join("::")));
        }
        // A folder's `mod.rs` names its files to re-export them: that is no use of them.
        if is_folder {
            let prefix = format!("{}::", own.join("::"));
            uses.retain(|used| !used.starts_with(&prefix));
        }
        graph.insert(own.join("::"), uses);
    }
    graph
}

#[test]
fn no_two_files_use_one_another() {
    let graph = graph();
    let mut circles = BTreeSet::new();
    for start in graph.keys() {
        // Everything that is reached from here.
        let mut reached = BTreeSet::new();
        let mut open: Vec<&String> = graph[start].iter().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next.clone())
                && let Some(uses) = graph.get(next)
            {
                open.extend(uses);
            }
        }
        if reached.contains(start) {
            circles.insert(start.clone());
        }
    }
    assert!(circles.is_empty(), "in a circle: {circles:#?}");
}

#[test]
fn the_reader_of_use_lines_reads_them() {
    let text = "use crate::gate::{Ask, pass::{Permit, Route}};\nlet x = crate::dial::dial(y);";
    let read: Vec<String> = crate_paths(text).iter().map(|path| path.join("::")).collect();
    let expected = ["gate::Ask", "gate::pass::Permit", "gate::pass::Route", "dial::dial"];
    assert_eq!(read, expected);
}
