//! What recovery makes of bytes that are not as they were written.

use super::*;
use proptest::prelude::*;
use segment::{FRAME_BYTES, HEADER_BYTES, Header, SYNCED_OFFSET, Tip, seal};
use std::fs;
use std::os::unix::fs::FileExt;

fn chain() -> ChainId {
    POD.parse().unwrap()
}

/// A segment of records, the first `synced` of which are marked as on disk, filled up with zeros.
fn segment_of(start: Tip, records: &[&[u8]], synced: usize) -> (Vec<u8>, Tip) {
    let mut bytes = Header::encode(&chain(), start).to_vec();
    let (mut tip, mut mark) = (start, HEADER_BYTES);
    for (at, record) in records.iter().enumerate() {
        tip = tip.after(record).unwrap();
        let frame = bytes.len();
        bytes.resize(frame + FRAME_BYTES, 0);
        seal(&mut bytes[frame..], record.len(), &tip.link);
        bytes.extend_from_slice(record);
        if at < synced {
            mark = bytes.len() as u64;
        }
    }
    bytes[SYNCED_OFFSET as usize..HEADER_BYTES as usize].copy_from_slice(&mark.to_be_bytes());
    bytes.resize(bytes.len() + 512, 0);
    (bytes, tip)
}

const RECORDS: [&[u8]; 4] = [br#"{"n":0}"#, br#"{"n":1}"#, br#"{"n":2}"#, br#"{"n":3}"#];
/// Offset of the frame of each of them.
const OFFSETS: [usize; 4] = [256, 271, 286, 301];

fn recover_bytes(files: &[(u64, &[u8])]) -> Result<recover::Recovered, AuditError> {
    let dir = directory();
    for (first, bytes) in files {
        fs::write(segment::path(dir.path(), *first), bytes).unwrap();
    }
    recover::recover(dir.path(), &chain())
}

#[test]
fn a_segment_is_read_back() {
    let (bytes, tip) = segment_of(Tip::start(&chain()), &RECORDS, 4);
    let found = recover_bytes(&[(0, &bytes)]).unwrap();
    assert_eq!((found.tip, found.cut, found.closed), (tip, 0, false));
    assert_eq!((found.segments[0].end, found.segments[0].bytes), (4, 316));
}

#[test]
fn a_torn_end_is_cut_off_where_nothing_was_synced_and_is_damage_where_it_was() {
    for (synced, entries) in [(0, 2), (1, 2), (2, 2)] {
        let (mut bytes, _) = segment_of(Tip::start(&chain()), &RECORDS, synced);
        bytes[OFFSETS[2] + 12] ^= 1;
        let found = recover_bytes(&[(0, &bytes)]).unwrap();
        assert_eq!((found.tip.next, found.cut), (entries, 30));
    }
    let (mut bytes, _) = segment_of(Tip::start(&chain()), &RECORDS, 3);
    bytes[OFFSETS[2] + 12] ^= 1;
    assert!(matches!(recover_bytes(&[(0, &bytes)]), Err(AuditError::Damaged(_))));
    // Entries that were synced, and that are zeros now.
    let (mut bytes, _) = segment_of(Tip::start(&chain()), &RECORDS, 3);
    bytes[OFFSETS[1]..].fill(0);
    assert!(matches!(recover_bytes(&[(0, &bytes)]), Err(AuditError::Damaged(_))));
}

#[test]
fn the_next_segment_says_where_one_ends() {
    let start = Tip::start(&chain());
    let (mut first, tip) = segment_of(start, &RECORDS[..2], 2);
    // What a write that failed left behind the last entry.
    first[OFFSETS[2]..OFFSETS[2] + 40].fill(b'x');
    let (second, end) = segment_of(tip, &RECORDS[2..], 2);
    let found = recover_bytes(&[(0, &first), (2, &second)]).unwrap();
    assert_eq!((found.tip, found.cut, found.segments.len()), (end, 0, 2));

    // A segment that does not follow is damage if it was synced, and cut off if not.
    let (short, _) = segment_of(start, &RECORDS[..1], 1);
    let synced = recover_bytes(&[(0, &short), (2, &second)]);
    assert!(matches!(synced, Err(AuditError::Damaged(_))));
    let (unsynced, _) = segment_of(tip, &RECORDS[2..], 0);
    let found = recover_bytes(&[(0, &short), (2, &unsynced)]).unwrap();
    assert_eq!((found.tip.next, found.cut, found.segments.len()), (1, 30, 1));
    assert_eq!(found.orphans.len(), 1);
}

#[test]
fn a_segment_without_a_header_was_never_synced() {
    let start = Tip::start(&chain());
    let (first, tip) = segment_of(start, &RECORDS[..2], 2);
    let (mut second, end) = segment_of(tip, &RECORDS[2..], 0);
    second[..HEADER_BYTES as usize].fill(0);
    let found = recover_bytes(&[(0, &first), (2, &second)]).unwrap();
    assert_eq!((found.tip, found.cut), (end, 0), "its entries follow all the same");
    let found = recover_bytes(&[(0, &first), (3, &second)]).unwrap();
    assert_eq!((found.tip, found.cut), (tip, 30));
    let found = recover_bytes(&[(0, &[0; 4096])]).unwrap();
    assert_eq!((found.tip, found.cut), (start, 0));
    assert!(matches!(recover_bytes(&[(3, &second)]), Err(AuditError::Damaged(_))));
}

#[test]
fn a_segment_of_another_chain_or_with_another_name_is_refused() {
    let (bytes, _) = segment_of(Tip::start(&chain()), &RECORDS, 4);
    assert!(matches!(recover_bytes(&[(7, &bytes)]), Err(AuditError::Damaged(_))));
    let other: ChainId = "pod-2".parse().unwrap();
    let mut renamed = bytes.clone();
    renamed[..128].copy_from_slice(&Header::encode(&other, Tip::start(&other))[..128]);
    assert!(matches!(recover_bytes(&[(0, &renamed)]), Err(AuditError::Damaged(_))));
    // A header that anybody could have made, but for the link that only this chain has.
    let mut foreign = bytes;
    let tip = Tip { next: 0, link: [7; 32].into() };
    foreign[..128].copy_from_slice(&Header::encode(&chain(), tip)[..128]);
    assert!(matches!(recover_bytes(&[(0, &foreign)]), Err(AuditError::Damaged(_))));
}

#[test]
fn a_spool_whose_entries_are_all_gone_does_not_begin_anew() {
    let tip = Tip { next: 9, link: [7; 32].into() };
    let (mut bytes, _) = segment_of(tip, &RECORDS, 0);
    bytes[HEADER_BYTES as usize + 12] ^= 1;
    assert!(matches!(recover_bytes(&[(9, &bytes)]), Err(AuditError::Damaged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// One byte of synced entries is altered: never accepted. Of others: what stands before it is
    /// kept, and nothing else.
    #[test]
    fn no_altered_byte_is_taken_for_an_entry(
        lengths in prop::collection::vec(1_usize..300, 1..12),
        synced in 0_usize..12,
        at in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let records: Vec<Vec<u8>> = lengths.iter().map(|length| vec![b'r'; *length]).collect();
        let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let synced = synced.min(records.len());
        let (mut bytes, _) = segment_of(Tip::start(&chain()), &records, synced);
        let frames = HEADER_BYTES as usize..bytes.len() - 512;
        let at = frames.start + at.index(frames.len());
        bytes[at] ^= flip;
        let mut end = HEADER_BYTES as usize;
        let intact = lengths.iter().take_while(|length| {
            end += FRAME_BYTES + **length;
            end <= at
        }).count();
        match recover_bytes(&[(0, &bytes)]) {
            Err(error) => {
                prop_assert!(matches!(error, AuditError::Damaged(_)));
                prop_assert!(intact < synced);
            }
            Ok(found) => {
                prop_assert_eq!(found.tip.next, intact as u64);
                prop_assert!(intact >= synced);
            }
        }
    }
}

#[tokio::test]
async fn a_torn_end_is_said_in_the_restart_and_stays_said() {
    let dir = directory();
    let (log, mut shipping) = open(dir.path()).unwrap();
    log.append_intent(intent("https://api.example/1")).unwrap();
    shipping.synced_beyond(1).await.unwrap();
    drop_and_wait(log, shipping).await;
    let spool = dir.path().join("spool");
    let found = recover::recover(&spool, &chain()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&found.segments[0].path).unwrap();
    file.write_all_at(b"torn", found.segments[0].bytes + 20).unwrap();

    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
    let all = written(dir.path());
    assert_eq!((all[2].kind, all[2].unclean, all[2].cut), (Kind::Restart, true, Some(24)));
    assert_eq!(fs::metadata(&found.segments[0].path).unwrap().len(), found.segments[0].bytes);
    // The bytes were there still if the process had died before it cut them off.
    file.write_all_at(b"torn", found.segments[0].bytes + 20).unwrap();
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
    assert_eq!(written(dir.path()).len(), 4);
}

#[tokio::test]
async fn a_damaged_middle_is_refused_with_the_way_out() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    fill(&log, 60);
    drop_and_wait(log, shipping).await;
    let spool = dir.path().join("spool");
    let files = segment::list(&spool).unwrap();
    assert!(files.len() > 3);
    let whole = fs::read(&files[1].path).unwrap();
    let mut edited = whole.clone();
    let at = edited.windows(11).position(|window| window == b"api.example").unwrap();
    edited[at] = b'X';
    fs::write(&files[1].path, &edited).unwrap();
    let refused = open(dir.path()).map(drop).unwrap_err();
    assert!(refused.to_string().contains("delete the pod"), "{refused}");
    // A segment in the middle that is missing.
    fs::remove_file(&files[1].path).unwrap();
    assert!(matches!(open(dir.path()), Err(AuditError::Damaged(_))));
    fs::write(&files[1].path, &whole).unwrap();
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn a_lost_key_is_said_and_so_is_the_way_out() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
    let key = dir.path().join("spool/chain.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let seed = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let refused = open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(refused, AuditError::KeyLost));
    assert!(refused.to_string().contains("elete the pod"), "{refused}");
    assert!(!key.exists(), "no other key takes its place");
    fs::write(&key, &seed[..31]).unwrap();
    assert!(matches!(open(dir.path()), Err(AuditError::Damaged(_))));
    fs::write(&key, &seed).unwrap();
    let (log, shipping) = open(dir.path()).unwrap();
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn a_key_where_the_version_before_kept_it_is_moved() {
    let dir = directory();
    let (log, shipping) = open(dir.path()).unwrap();
    let public = shipping.key().public();
    drop_and_wait(log, shipping).await;
    let (old, new) = (dir.path().join("keys/chain.key"), dir.path().join("spool/chain.key"));
    fs::rename(&new, &old).unwrap();
    let (log, shipping) = open(dir.path()).unwrap();
    assert_eq!(shipping.key().public(), public);
    assert!(new.exists() && !old.exists());
    drop_and_wait(log, shipping).await;
}
