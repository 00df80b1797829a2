//! The verifier in Python, which shares no line with this crate, comes to the same verdicts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exeat_audit::chain::{ChainId, ChainWriter, Entry};
use exeat_audit::export::{self, EXPORT_VERSION, Line};
use exeat_audit::head::SignedHead;
use exeat_audit::key::SigningKey;
use exeat_audit::record::{Genesis, Record};
use exeat_audit::time;
use exeat_audit::verify::STALE_MS;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

const NOW: u64 = 1_767_323_045_678;

/// Two chains: one closed, one open with an intent in flight.
fn exported() -> Vec<Line> {
    let mut lines = vec![Line::Export { version: EXPORT_VERSION, time: time::rfc3339(NOW) }];
    for (id, seed, is_closed) in [("pod-1", 1, true), ("pod-22", 2, false)] {
        let chain: ChainId = id.parse().unwrap();
        let key = SigningKey::from_seed(&[seed; 32]);
        let mut writer = ChainWriter::start(chain);
        let entries: Vec<Entry> = records(id, &key, is_closed)
            .iter()
            .map(|record| writer.append(record).unwrap())
            .collect();
        lines.push(Line::Chain {
            chain: id.to_owned(),
            namespace: "agents".to_owned(),
            pod: "research-0".to_owned(),
            public_key: key.public().to_hex(),
        });
        lines.push(Line::Head { head: writer.head(&time::rfc3339(NOW), &key).unwrap() });
        lines.extend(entries.into_iter().map(|entry| Line::Entry { chain: id.to_owned(), entry }));
    }
    lines
}

fn records(id: &str, key: &SigningKey, is_closed: bool) -> Vec<Record> {
    let at = || time::rfc3339(NOW);
    let intent = |number, effect: &str| {
        let resource = "https://a.example/\u{fc}/\"quoted\"";
        Record::intent(at(), number, "network.request", resource, effect, "Rule")
    };
    let genesis = Genesis {
        pod_uid: id.to_owned(),
        pod_name: "research-0".to_owned(),
        namespace: "agents".to_owned(),
        service_account: "research".to_owned(),
        node: "node-1".to_owned(),
        image: "exeat-proxy:test".to_owned(),
        public_key: key.public().to_hex(),
        policy: String::new(),
    };
    let mut records = vec![
        Record::genesis(at(), genesis),
        intent(1, "Allow"),
        Record::outcome(at(), 1),
        Record { count: Some(7), until: Some(at()), ..intent(2, "Deny") },
        Record { durability: Some("Synced".to_owned()), ..Record::policy(at(), "sha256:00") },
        intent(3, "Allow"),
    ];
    // As a proxy of the version before began it.
    records[..3].iter_mut().for_each(|record| record.v = 1);
    if is_closed {
        records.push(Record::outcome(at(), 3));
        records.push(Record::close(at()));
    }
    records
}

/// Names of all findings of both chains.
fn by_rust(text: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let reports = export::verify(text, None).unwrap();
    let faults = reports.iter().flat_map(|it| &it.faults).map(|it| it.name().to_owned()).collect();
    let gaps = reports.iter().flat_map(|it| &it.gaps).map(|it| it.name().to_owned()).collect();
    (faults, gaps)
}

fn by_python(text: &[u8]) -> (BTreeSet<String>, BTreeSet<String>, Option<i32>) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/verify.py");
    let mut child = Command::new("python3")
        .args([script, "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    let (mut faults, mut gaps) = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        for (key, names) in [("faults", &mut faults), ("gaps", &mut gaps)] {
            let found = report[key].as_array().unwrap();
            names.extend(found.iter().map(|name| name.as_str().unwrap().to_owned()));
        }
    }
    (faults, gaps, output.status.code())
}

fn text(lines: &[Line]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| {
            serde_json::to_string(line).unwrap().into_bytes().into_iter().chain([b'\n'])
        })
        .collect()
}

/// The entry `seq` of the first chain: after its export, chain and head lines.
fn entry(lines: &mut [Line], seq: usize) -> &mut Entry {
    match &mut lines[3 + seq] {
        Line::Entry { entry, .. } => entry,
        other => panic!("no entry: {other:?}"),
    }
}

fn head(lines: &mut [Line]) -> &mut SignedHead {
    match &mut lines[2] {
        Line::Head { head } => head,
        other => panic!("no head: {other:?}"),
    }
}

#[test]
fn both_accept_what_is_whole() {
    let text = text(&exported());
    let none = BTreeSet::new();
    assert_eq!(by_rust(&text), (none.clone(), none.clone()));
    assert_eq!(by_python(&text), (none.clone(), none, Some(0)));
}

#[test]
fn both_name_the_same_tampering() {
    type Tamper = fn(&mut Vec<Line>);
    let cases: [(&str, Tamper); 10] = [
        ("edited", |it| {
            let record = &mut entry(it, 3).record;
            *record = record.replace("Deny", "Allow");
        }),
        ("dropped", |it| drop(it.remove(3 + 2))),
        ("reordered", |it| it.swap(3 + 2, 3 + 3)),
        ("duplicated", |it| it.insert(3 + 3, it[3 + 2].clone())),
        ("cut-tail", |it| drop(it.drain(3 + 6..3 + 8))),
        ("swapped", |it| {
            let other = it.split_off(3 + 8);
            it.truncate(2);
            it.extend(other.into_iter().skip(1));
        }),
        ("bad-signature", |it| head(it).signature = "11".repeat(64)),
        ("bad-signature", |it| head(it).time = time::rfc3339(NOW + 1)),
        ("malformed", |it| entry(it, 4).record = "{}".to_owned()),
        ("no-head", |it| drop(it.remove(2))),
    ];
    for (name, tamper) in cases {
        let mut lines = exported();
        tamper(&mut lines);
        let text = text(&lines);
        let (faults, gaps) = by_rust(&text);
        assert!(faults.contains(name), "{name} is not among {faults:?}");
        assert_eq!(by_python(&text), (faults, gaps, Some(1)), "{name}");
    }
}

#[test]
fn both_miss_the_same_things() {
    let mut lines = exported();
    lines[0] = Line::Export { version: EXPORT_VERSION, time: time::rfc3339(NOW + 3_600_000) };
    let text = text(&lines);
    let expected: BTreeSet<String> = ["no-end", "no-outcome"].map(str::to_owned).into();
    assert_eq!(by_rust(&text), (BTreeSet::new(), expected.clone()));
    assert_eq!(by_python(&text), (BTreeSet::new(), expected, Some(2)));
}

/// What both find in a chain of its Genesis and these records, which its key has signed.
fn of_records(rest: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    of_records_at(NOW, rest)
}

/// The same in an export that was made at `exported_at`.
fn of_records_at(exported_at: u64, rest: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let key = SigningKey::from_seed(&[1; 32]);
    let mut writer = ChainWriter::start("pod-1".parse().unwrap());
    let mut lines = exported();
    lines.truncate(4);
    lines[0] = Line::Export { version: EXPORT_VERSION, time: time::rfc3339(exported_at) };
    writer.commit(entry(&mut lines, 0)).unwrap();
    for rest in rest {
        let record = format!(r#"{{"time":"{}",{rest}}}"#, time::rfc3339(NOW));
        let place = writer.next(record.as_bytes()).unwrap();
        writer.advance(place).unwrap();
        let entry = Entry { seq: place.seq(), record, link: place.link().to_string() };
        lines.push(Line::Entry { chain: "pod-1".to_owned(), entry });
    }
    *head(&mut lines) = writer.head(&time::rfc3339(NOW), &key).unwrap();
    let text = text(&lines);
    let (faults, gaps) = by_rust(&text);
    let (python_faults, python_gaps, _) = by_python(&text);
    assert_eq!((&python_faults, &python_gaps), (&faults, &gaps), "{rest:?}");
    (faults, gaps)
}

#[test]
fn both_read_the_same_forms_of_records() {
    const UNTIL: &str = r#""until":"2026-01-02T03:04:06.000Z""#;
    let folded = |count: &str| {
        format!(r#""v":2,"kind":"Intent","id":1,"effect":"Deny","count":{count},{UNTIL}"#)
    };
    for rest in [
        r#""v":1,"kind":"Heartbeat""#.to_owned(),
        r#""v":1,"kind":"Rejected","count":7"#.to_owned(),
        r#""v":2,"kind":"Rejected","count":7"#.to_owned(),
        r#""v":2,"kind":"Intent","id":1,"effect":"Deny""#.to_owned(),
        folded("1"),
        folded("9007199254740991"),
        r#""v":2,"kind":"Restart","unclean":true,"cut":17"#.to_owned(),
        r#""v":2,"kind":"Policy","durability":"Acknowledged""#.to_owned(),
        r#""v":2,"kind":"Heartbeat","later":"versions may say more""#.to_owned(),
        // Version 1 ignores what it does not know.
        r#""v":1,"kind":"Heartbeat","durability":"Hoped""#.to_owned(),
    ] {
        let (faults, gaps) = of_records(&[&rest]);
        assert!(faults.is_empty() && gaps.is_empty(), "{rest}: {faults:?} {gaps:?}");
    }
    for rest in [
        r#""v":3,"kind":"Heartbeat""#.to_owned(),
        r#""v":0,"kind":"Heartbeat""#.to_owned(),
        r#""v":true,"kind":"Heartbeat""#.to_owned(),
        folded("0"),
        folded("1.5"),
        folded("-1"),
        folded("9007199254740992"),
        folded("3").replace("Deny", "Allow"),
        folded("3").replace("Intent", "Outcome"),
        folded("3").replace("2026", "year"),
        folded("3").replace(UNTIL, r#""id":1"#).replacen(r#""id":1,"#, "", 1),
        folded("null"),
        r#""v":2,"kind":"Heartbeat","count":1"#.to_owned(),
        r#""v":2,"kind":"Close","unclean":true"#.to_owned(),
        r#""v":2,"kind":"Restart","unclean":1"#.to_owned(),
        r#""v":2,"kind":"Heartbeat","cut":17"#.to_owned(),
        r#""v":2,"kind":"Restart","cut":-1"#.to_owned(),
        r#""v":2,"kind":"Policy","durability":"Hoped""#.to_owned(),
        r#""v":2,"kind":"Heartbeat","durability":"Synced""#.to_owned(),
    ] {
        let (faults, _) = of_records(&[&rest]);
        assert_eq!(faults, BTreeSet::from(["malformed".to_owned()]), "{rest}");
    }
}

#[test]
fn both_see_what_an_unclean_end_interrupted() {
    let allowed = r#""v":2,"kind":"Intent","id":1,"effect":"Allow""#;
    let restart = r#""v":2,"kind":"Restart","unclean":true,"cut":17"#;
    let (faults, gaps) = of_records(&[allowed, restart]);
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(gaps, BTreeSet::from(["interrupted".to_owned()]));
}

#[test]
fn both_take_the_last_denial_for_a_sign_of_life() {
    let until = NOW + 60_000;
    let flood = |v: u32| {
        let until = time::rfc3339(until);
        format!(r#""v":{v},"kind":"Intent","effect":"Deny","count":9,"until":"{until}""#)
    };
    let exported_at = until + STALE_MS;
    assert!(of_records_at(exported_at, &[&flood(2)]).1.is_empty());
    let no_end = BTreeSet::from(["no-end".to_owned()]);
    assert_eq!(of_records_at(exported_at + 1, &[&flood(2)]).1, no_end);
    assert_eq!(of_records_at(exported_at, &[&flood(1)]).1, no_end, "version 1 has no `until`");
}

#[test]
fn both_refuse_what_is_no_export() {
    for text in ["", "{}\n", "[]\n", "{\"type\":\"export\",\"version\":2,\"time\":\"x\"}\n"] {
        assert!(export::verify(text.as_bytes(), None).is_err(), "{text:?}");
        if !text.is_empty() {
            assert_eq!(by_python(text.as_bytes()).2, Some(3), "{text:?}");
        }
    }
}
