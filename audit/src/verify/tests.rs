//! Every way to tamper with a chain is found, and named.

use super::*;
use crate::chain::ChainWriter;
use crate::key::SigningKey;
use crate::record::Record;
use proptest::prelude::*;

const NOW: u64 = 1_767_323_045_678;

struct Chain {
    id: ChainId,
    key: SigningKey,
    entries: Vec<Entry>,
    head: SignedHead,
}

/// Genesis, `pairs` of allowed intents with outcomes, a Deny, a Close.
fn chain(id: &str, pairs: u64) -> Chain {
    let id: ChainId = id.parse().unwrap();
    let key = SigningKey::from_seed(&[id.as_str().len() as u8; 32]);
    let mut records = vec![Record::genesis(time::rfc3339(NOW), genesis(&id, &key))];
    for pair in 0..pairs {
        records.push(intent(pair, "Allow"));
        records.push(Record::outcome(time::rfc3339(NOW), pair));
    }
    records.push(intent(pairs, "Deny"));
    records.push(Record::close(time::rfc3339(NOW)));
    written(id, key, &records)
}

fn written(id: ChainId, key: SigningKey, records: &[Record]) -> Chain {
    let mut writer = ChainWriter::start(id.clone());
    let entries = records.iter().map(|record| writer.append(record).unwrap()).collect();
    let head = writer.head(&time::rfc3339(NOW), &key).unwrap();
    Chain { id, key, entries, head }
}

fn genesis(id: &ChainId, key: &SigningKey) -> Genesis {
    Genesis {
        pod_uid: id.to_string(),
        pod_name: "research-0".to_owned(),
        namespace: "agents".to_owned(),
        service_account: "research".to_owned(),
        node: "node-1".to_owned(),
        image: "exeat-proxy:test".to_owned(),
        public_key: key.public().to_hex(),
        policy: String::new(),
    }
}

fn intent(id: u64, effect: &str) -> Record {
    Record::intent(time::rfc3339(NOW), id, "network.request", "https://a.example/", effect, "Rule")
}

fn judge(chain: &Chain) -> Report {
    let mut verifier = Verifier::new(chain.id.clone());
    verifier.head(chain.head.clone());
    chain.entries.iter().for_each(|entry| verifier.push(entry));
    verifier.finish(Some(NOW))
}

fn faults(chain: &Chain) -> Vec<Fault> {
    judge(chain).faults
}

#[test]
fn an_untouched_chain_passes_both_verdicts() {
    let report = judge(&chain("pod-1", 3));
    assert!(report.has_integrity() && report.is_complete(), "{report:?}");
    assert_eq!((report.entries, report.signed_up_to, report.closed), (9, Some(8), true));
    assert_eq!(report.genesis.unwrap().pod_name, "research-0");
}

#[test]
fn an_edited_record_is_found_where_it_is() {
    let mut chain = chain("pod-1", 3);
    chain.entries[7].record = chain.entries[7].record.replace("Deny", "Allow");
    assert_eq!(faults(&chain), [Fault::Edited { seq: 7 }]);
}

#[test]
fn a_record_edited_with_its_own_link_is_found_at_the_next() {
    let mut chain = chain("pod-1", 3);
    relink(&mut chain, 3..4);
    assert_eq!(faults(&chain), [Fault::Edited { seq: 4 }]);
}

#[test]
fn a_chain_rewritten_to_its_end_contradicts_what_was_signed() {
    let mut chain = chain("pod-1", 3);
    relink(&mut chain, 3..9);
    assert_eq!(faults(&chain), [Fault::Rewritten { seq: 8 }]);
}

/// Edits the first of `range` and computes the links of all of it anew.
fn relink(chain: &mut Chain, range: std::ops::Range<usize>) {
    let mut previous: Link = chain.entries[range.start - 1].link.parse().unwrap();
    chain.entries[range.start].record = chain.entries[range.start].record.replace('a', "b");
    for entry in &mut chain.entries[range] {
        previous = previous.next(entry.seq, entry.record.as_bytes());
        entry.link = previous.to_string();
    }
}

#[test]
fn dropped_entries_are_found() {
    let mut chain = chain("pod-1", 3);
    chain.entries.drain(2..5);
    assert!(faults(&chain).contains(&Fault::Dropped { from: 2, to: 4 }));
}

#[test]
fn a_dropped_start_is_found() {
    let mut chain = chain("pod-1", 3);
    chain.entries.remove(0);
    let faults = faults(&chain);
    assert!(faults.contains(&Fault::Dropped { from: 0, to: 0 }), "{faults:?}");
}

#[test]
fn a_dropped_entry_with_the_rest_renumbered_is_found() {
    let mut chain = chain("pod-1", 3);
    chain.entries.remove(4);
    for entry in &mut chain.entries[4..] {
        entry.seq -= 1;
    }
    let faults = faults(&chain);
    assert!(faults.contains(&Fault::Edited { seq: 4 }), "{faults:?}");
    assert!(faults.contains(&Fault::CutTail { last: Some(7), signed: 8 }), "{faults:?}");
}

#[test]
fn reordered_entries_are_found() {
    let mut chain = chain("pod-1", 3);
    chain.entries.swap(3, 4);
    assert_eq!(faults(&chain), [Fault::Reordered { seq: 3 }]);
}

#[test]
fn a_duplicated_entry_is_found() {
    let mut chain = chain("pod-1", 3);
    chain.entries.insert(5, chain.entries[4].clone());
    assert_eq!(faults(&chain), [Fault::Duplicated { seq: 4 }]);
}

#[test]
fn a_cut_tail_is_found_by_the_head() {
    let mut chain = chain("pod-1", 3);
    chain.entries.truncate(5);
    assert_eq!(faults(&chain), [Fault::CutTail { last: Some(4), signed: 8 }]);

    let mut verifier = Verifier::new(chain.id.clone()).pin(chain.key.public().to_hex());
    verifier.head(chain.head.clone());
    let faults = verifier.finish(Some(NOW)).faults;
    assert_eq!(faults, [Fault::Empty, Fault::CutTail { last: None, signed: 8 }]);
}

#[test]
fn a_tail_cut_together_with_its_head_has_no_end() {
    let full = chain("pod-1", 3);
    let records: Vec<Record> =
        full.entries[..5].iter().map(|entry| read_record(&entry.record).unwrap()).collect();
    let mut cut = written(full.id.clone(), SigningKey::from_seed(&[5; 32]), &records);
    let mut verifier = Verifier::new(cut.id.clone());
    verifier.head(cut.head.clone());
    cut.entries.iter().for_each(|entry| verifier.push(entry));
    let report = verifier.finish(Some(NOW + STALE_MS + 1));
    assert!(report.has_integrity(), "{report:?}");
    assert_eq!(report.gaps, [Gap::NoEnd { time: Some(time::rfc3339(NOW)) }]);

    // Whoever kept a later head aside has proof.
    let mut verifier = Verifier::new(cut.id.clone());
    verifier.head(cut.head.clone());
    verifier.head(full.head);
    cut.entries.drain(..).for_each(|entry| verifier.push(&entry));
    assert_eq!(verifier.finish(Some(NOW)).faults, [Fault::CutTail { last: Some(4), signed: 8 }]);
}

#[test]
fn swapped_chains_are_found() {
    let (mut one, two) = (chain("pod-1", 3), chain("pod-22", 3));
    one.entries = two.entries.clone();
    one.head = two.head.clone();
    let owner = "pod-22".to_owned();
    assert_eq!(
        faults(&one),
        [Fault::Swapped { seq: 0, owner: owner.clone() }, Fault::Swapped { seq: 8, owner }]
    );
}

#[test]
fn an_entry_of_another_chain_does_not_fit() {
    let (mut one, two) = (chain("pod-1", 3), chain("pod-22", 3));
    one.entries[3] = two.entries[3].clone();
    assert_eq!(faults(&one), [Fault::Edited { seq: 3 }, Fault::Edited { seq: 4 }]);
}

#[test]
fn a_head_under_another_key_is_found() {
    let mut chain = chain("pod-1", 1);
    let link = chain.head.link.parse().unwrap();
    let other = SigningKey::from_seed(&[99; 32]);
    chain.head = SignedHead::sign(&chain.id, chain.head.seq, link, &chain.head.time, &other);
    assert_eq!(faults(&chain), [Fault::BadSignature { seq: 4 }]);
}

#[test]
fn a_chain_rebuilt_under_another_key_contradicts_the_pinned_one() {
    let known = chain("pod-1", 1).key.public().to_hex();
    let id: ChainId = "pod-1".parse().unwrap();
    let key = SigningKey::from_seed(&[99; 32]);
    let records = [
        Record::genesis(time::rfc3339(NOW), genesis(&id, &key)),
        Record::close(time::rfc3339(NOW)),
    ];
    let forged = written(id, key, &records);
    let mut verifier = Verifier::new(forged.id.clone()).pin(known);
    verifier.head(forged.head.clone());
    forged.entries.iter().for_each(|entry| verifier.push(entry));
    let report = verifier.finish(Some(NOW));
    assert_eq!(report.faults, [Fault::KeyChanged, Fault::BadSignature { seq: 1 }]);
}

#[test]
fn entries_beyond_the_newest_head_are_unsigned() {
    let mut chain = chain("pod-1", 3);
    let link = chain.entries[4].link.parse().unwrap();
    chain.head = SignedHead::sign(&chain.id, 4, link, &time::rfc3339(NOW), &chain.key);
    assert_eq!(faults(&chain), [Fault::Unsigned { from: 5, to: 8 }]);
}

#[test]
fn a_chain_without_head_proves_nothing() {
    let chain = chain("pod-1", 1);
    let mut verifier = Verifier::new(chain.id.clone());
    chain.entries.iter().for_each(|entry| verifier.push(entry));
    assert_eq!(verifier.finish(Some(NOW)).faults, [Fault::NoHead]);
}

#[test]
fn records_that_cannot_be_read_are_named() {
    for (text, said) in [
        ("", "EOF"),
        ("[]", "invalid"),
        (r#"{"v":3,"time":"2026-01-02T03:04:05.678Z","kind":"Close"}"#, "version 3"),
        (r#"{"v":1,"time":"today","kind":"Close"}"#, "RFC 3339"),
        (r#"{"v":1,"time":"2026-01-02T03:04:05.678Z","kind":"Shut"}"#, "Shut"),
    ] {
        let error = read_record(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn a_genesis_stands_first_and_only_there() {
    let id: ChainId = "pod-1".parse().unwrap();
    let key = SigningKey::from_seed(&[1; 32]);
    let first = Record::genesis(time::rfc3339(NOW), genesis(&id, &key));
    let chain = written(id, key, &[first.clone(), first, Record::close(time::rfc3339(NOW))]);
    assert_eq!(faults(&chain), [Fault::MisplacedGenesis { seq: 1 }]);
}

/// What is missing from a chain of these records after its Genesis.
fn gaps(rest: &[Record], now: u64) -> Vec<Gap> {
    let id: ChainId = "pod-1".parse().unwrap();
    let key = SigningKey::from_seed(&[1; 32]);
    let mut records = vec![Record::genesis(time::rfc3339(NOW), genesis(&id, &key))];
    records.extend_from_slice(rest);
    let chain = written(id, key, &records);
    let mut verifier = Verifier::new(chain.id.clone());
    verifier.head(chain.head.clone());
    chain.entries.iter().for_each(|entry| verifier.push(entry));
    let report = verifier.finish(Some(now));
    assert!(report.has_integrity(), "{report:?}");
    report.gaps
}

#[test]
fn intents_need_outcomes_once_the_chain_has_ended() {
    let close = Record::close(time::rfc3339(NOW));
    let restart = Record::restart(time::rfc3339(NOW));
    let outcome = Record::outcome(time::rfc3339(NOW), 1);
    let allow = intent(1, "Allow");
    let question =
        Record::intent(time::rfc3339(NOW), 2, "network.dns", "a.example", "Allow", "Rule");
    let none: [Gap; 0] = [];

    assert_eq!(gaps(std::slice::from_ref(&allow), NOW), none, "in flight");
    assert_eq!(gaps(&[intent(1, "Deny"), close.clone()], NOW), none, "denied");
    assert_eq!(gaps(&[question, close.clone()], NOW), none, "question");
    assert_eq!(gaps(&[close.clone(), restart.clone()], NOW), none, "restarted in order");
    assert_eq!(gaps(&[allow.clone(), close.clone()], NOW), [Gap::NoOutcome { seq: 1, id: 1 }]);
    assert_eq!(
        gaps(&[allow.clone(), restart.clone()], NOW),
        [Gap::Interrupted { seq: 1, id: 1, restart: 2 }]
    );
    assert_eq!(
        gaps(&[allow.clone(), outcome.clone(), outcome.clone()], NOW),
        [Gap::NoIntent { seq: 3, id: Some(1) }]
    );
    assert_eq!(gaps(&[allow.clone(), allow.clone()], NOW), [Gap::AmbiguousIntent { seq: 2 }]);
    assert_eq!(
        gaps(&[close, outcome], NOW),
        [Gap::AfterClose { seq: 2 }, Gap::NoIntent { seq: 2, id: Some(1) }]
    );
    assert_eq!(
        gaps(&[allow], NOW + STALE_MS + 1),
        [Gap::NoEnd { time: Some(time::rfc3339(NOW)) }, Gap::NoOutcome { seq: 1, id: 1 }]
    );
}

#[test]
fn the_last_of_folded_denials_is_a_sign_of_life() {
    let mut flood = intent(1, "Deny");
    (flood.count, flood.until) = (Some(9), Some(time::rfc3339(NOW + 60_000)));
    let none: [Gap; 0] = [];
    assert_eq!(gaps(std::slice::from_ref(&flood), NOW + 60_000 + STALE_MS), none);
    let end = Gap::NoEnd { time: flood.until.clone() };
    assert_eq!(gaps(&[flood], NOW + 60_000 + STALE_MS + 1), [end]);
}

#[test]
fn an_unclean_restart_interrupts_what_was_open() {
    let mut restart = Record::restart(time::rfc3339(NOW));
    (restart.unclean, restart.cut) = (true, Some(17));
    let gap = Gap::Interrupted { seq: 1, id: 1, restart: 2 };
    assert_eq!(gaps(&[intent(1, "Allow"), restart], NOW), [gap]);
}

#[test]
fn a_chain_goes_on_from_version_1_to_2() {
    let id: ChainId = "pod-1".parse().unwrap();
    let key = SigningKey::from_seed(&[1; 32]);
    let first = Record { v: 1, ..Record::genesis(time::rfc3339(NOW), genesis(&id, &key)) };
    let old = Record { v: 1, ..Record::heartbeat(time::rfc3339(NOW)) };
    let chain = written(id, key, &[first, old, Record::restart(time::rfc3339(NOW))]);
    let report = judge(&chain);
    assert!(report.has_integrity() && report.is_complete(), "{report:?}");
}

#[test]
fn findings_are_bounded() {
    let chain = chain("pod-1", 1);
    let mut verifier = Verifier::new(chain.id.clone());
    for seq in (0..10_000).step_by(2) {
        verifier.push(&Entry { seq, record: String::new(), link: String::new() });
    }
    let report = verifier.finish(None);
    assert_eq!(report.faults.len(), MAX_FINDINGS);
    assert!(report.omitted > 5_000);
}

proptest! {
    /// Any change of any byte, any removal, any swap of unequal entries breaks integrity.
    #[test]
    fn no_tampering_passes(
        pairs in 1_u64..6,
        at in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        how in 0_u8..6,
    ) {
        let mut chain = chain("pod-1", pairs);
        let length = chain.entries.len();
        let (at, other) = (at.index(length), other.index(length));
        match how {
            0 => {
                let record = &mut chain.entries[at].record;
                let place = byte.index(record.len());
                let changed = if &record[place..=place] == "0" { "1" } else { "0" };
                record.replace_range(place..=place, changed);
            }
            1 => drop(chain.entries.remove(at)),
            2 => chain.entries.insert(other, chain.entries[at].clone()),
            3 if at != other => chain.entries.swap(at, other),
            4 => chain.entries.truncate(at),
            5 => {
                let link = &mut chain.entries[at].link;
                let place = byte.index(link.len());
                let changed = if &link[place..=place] == "0" { "1" } else { "0" };
                link.replace_range(place..=place, changed);
            }
            _ => return Ok(()),
        }
        prop_assert!(!judge(&chain).has_integrity());
    }

    #[test]
    fn nothing_crashes_the_verifier(
        entries in prop::collection::vec((any::<u64>(), "\\PC{0,20}", "[0-9a-f]{0,64}"), 0..20),
        head_seq in any::<u64>(),
    ) {
        let chain = chain("pod-1", 1);
        let mut verifier = Verifier::new(chain.id.clone());
        verifier.head(SignedHead { seq: head_seq, ..chain.head.clone() });
        for (seq, record, link) in entries {
            verifier.push(&Entry { seq, record, link });
        }
        prop_assert!(!verifier.finish(Some(NOW)).has_integrity());
    }
}
