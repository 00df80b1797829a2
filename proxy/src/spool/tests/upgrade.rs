//! Spools of the version before: lines of JSON.

use super::*;
use exeat_audit::chain::ChainWriter;
use std::fmt::Write as _;
use std::fs;

/// A spool as the version before left it: `segments` of ten entries each, without those below
/// `first`.
fn old_spool(dir: &Path, segments: u64, first: u64) -> Vec<String> {
    let (spool, keys) = (dir.join("spool"), dir.join("keys"));
    fs::create_dir_all(&spool).unwrap();
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("chain.key"), [7; 32]).unwrap();
    let mut chain = ChainWriter::start(POD.parse().unwrap());
    let mut records = Vec::new();
    for segment in 0..segments {
        let mut lines = String::new();
        for n in 0..10 {
            let resource = format!("https://api.example/{segment}/{n}");
            let entry = chain.append(&intent(&resource).to_record()).unwrap();
            writeln!(lines, "{}", serde_json::to_string(&entry).unwrap()).unwrap();
            records.push(entry.record);
        }
        if segment * 10 >= first {
            fs::write(spool.join(format!("{:020}.jsonl", segment * 10)), lines).unwrap();
        }
    }
    records
}

fn kept(dir: &Path) -> (Option<u64>, Vec<String>) {
    let (mut first, mut records) = (None, Vec::new());
    recover::recover_each(&dir.join("spool"), &POD.parse().unwrap(), |seq, record| {
        first.get_or_insert(seq);
        records.push(String::from_utf8(record.to_vec()).unwrap());
    })
    .unwrap();
    (first, records)
}

fn leftovers(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("spool")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("carried") || name.contains("jsonl")).collect()
}

#[tokio::test]
async fn a_spool_of_the_version_before_is_carried_over() {
    let dir = directory();
    let old = old_spool(dir.path(), 3, 0);
    let (log, mut shipping) = open(dir.path()).unwrap();
    assert_eq!(batch_after(&mut shipping, 0).await.len(), 10, "segment by segment from the disk");
    drop_and_wait(log, shipping).await;
    let (first, records) = kept(dir.path());
    assert_eq!((first, &records[..30]), (Some(0), &old[..]));
    let restart: Record = serde_json::from_str(&records[30]).unwrap();
    assert_eq!((restart.kind, restart.unclean), (Kind::Restart, true));
    assert_eq!(leftovers(dir.path()), Vec::<String>::new());
    assert_eq!(fs::read(dir.path().join("spool/chain.key")).unwrap(), [7; 32]);
}

#[tokio::test]
async fn without_its_beginning_it_goes_on_after_the_first_entry_that_is_left() {
    let dir = directory();
    let old = old_spool(dir.path(), 3, 10);
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
    let (first, records) = kept(dir.path());
    assert_eq!((first, &records[..19]), (Some(11), &old[11..]));
}

#[tokio::test]
async fn a_torn_last_line_is_left_out_and_a_damaged_one_is_refused() {
    let dir = directory();
    let old = old_spool(dir.path(), 2, 0);
    let last = dir.path().join("spool/00000000000000000010.jsonl");
    let lines = fs::read_to_string(&last).unwrap();
    fs::write(&last, format!("{lines}{{\"seq\":20,\"rec")).unwrap();
    let first = dir.path().join("spool/00000000000000000000.jsonl");
    let whole = fs::read_to_string(&first).unwrap();
    fs::write(&first, whole.replacen("api.example", "Xpi.example", 1)).unwrap();
    let refused = open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(refused, AuditError::Old(_)));
    assert!(refused.to_string().contains("delete the pod"), "{refused}");

    fs::write(&first, whole).unwrap();
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
    let (_, records) = kept(dir.path());
    assert_eq!(&records[..20], &old[..]);
}

#[tokio::test]
async fn one_that_is_too_large_or_lies_beside_a_new_one_is_refused_and_stays() {
    let dir = directory();
    old_spool(dir.path(), 3, 0);
    let limits = Limits { spool: 4096, ..limits() };
    let storage = Arc::new(FileSystem);
    let large = open_with(dir.path(), limits, storage, AuditSettings::default());
    assert!(matches!(large, Err(AuditError::Old(_))));
    assert_eq!(leftovers(dir.path()).len(), 3);
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
    old_spool(dir.path(), 1, 0);
    assert!(matches!(open(dir.path()), Err(AuditError::Old(_))));
}

/// Fails for ever from an operation on: what a kill at that moment leaves behind.
#[tokio::test]
async fn a_kill_in_the_middle_leaves_a_spool_that_opens() {
    for first in 0.. {
        let dir = directory();
        let old = old_spool(dir.path(), 3, 0);
        let storage = faults::dead_after(first);
        let settings = AuditSettings::default();
        let done = match open_with(dir.path(), limits(), storage, settings) {
            Ok((log, shipping)) => {
                drop_and_wait(log, shipping).await;
                true
            }
            Err(_) => false,
        };
        let (log, shipping) = open(dir.path()).unwrap();
        drop_and_wait(log, shipping).await;
        let (_, records) = kept(dir.path());
        assert_eq!(&records[..30], &old[..], "dead after {first} operations");
        assert_eq!(leftovers(dir.path()), Vec::<String>::new(), "dead after {first} operations");
        assert_eq!(fs::read(dir.path().join("spool/chain.key")).unwrap(), [7; 32]);
        if done {
            assert!(first > 15);
            return;
        }
    }
}
