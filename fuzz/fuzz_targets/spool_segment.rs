//! A segment as a crash, a bad disk or somebody else may have left it: recovery never panics, and
//! what it keeps, it keeps again.
#![no_main]

use exeat_audit::chain::ChainId;
use exeat_proxy::spool::recover::{Recovered, recover, recover_each};
use exeat_proxy::spool::segment::{HEADER_BYTES, Header, Tip};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

/// Bytes as they come; or records, how many of them are marked as synced, and bytes that are then
/// replaced.
type Input = (Vec<u8>, Vec<Vec<u8>>, u8, Vec<(u16, u8)>);

const NAME: &str = "00000000000000000000.seg";

fuzz_target!(|input: Input| {
    let (raw, records, synced, edits) = input;
    let dir = tempfile::tempdir().expect("a directory can be made");
    let chain: ChainId = "fuzz".parse().expect("a chain's id");
    holds(dir.path(), &chain, &raw);

    let records: Vec<Vec<u8>> = records.into_iter().filter(|it| !it.is_empty()).collect();
    let mut segment = segment(&chain, &records, synced.into());
    assert_eq!(holds(dir.path(), &chain, &segment), records);
    // Whoever chooses the bytes can make entries that follow: what was signed tells them apart.
    for (at, byte) in edits {
        let at = usize::from(at) % segment.len();
        segment[at] = byte;
    }
    holds(dir.path(), &chain, &segment);
});

/// Recovers a spool of one segment, and once more from what was kept of it. Returns the entries.
fn holds(dir: &Path, chain: &ChainId, segment: &[u8]) -> Vec<Vec<u8>> {
    let file = dir.join(NAME);
    std::fs::write(&file, segment).expect("a file can be written");
    let mut entries = Vec::new();
    let Ok(first) = recover_each(dir, chain, |_, record| entries.push(record.to_vec())) else {
        return Vec::new();
    };
    assert_eq!(first.tip.next, entries.len() as u64);
    if let Some(kept) = first.segments.first() {
        let kept = usize::try_from(kept.bytes).expect("it fits into memory");
        std::fs::write(&file, &segment[..kept]).expect("a file can be written");
        let again: Recovered = recover(dir, chain).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((again.tip, again.cut), (first.tip, 0));
    }
    entries
}

fn segment(chain: &ChainId, records: &[Vec<u8>], synced: usize) -> Vec<u8> {
    let mut tip = Tip::start(chain);
    let mut bytes = Header::encode(chain, tip).to_vec();
    for (at, record) in records.iter().enumerate() {
        tip = tip.after(record).expect("fewer than 2^64 entries");
        let length = u32::try_from(record.len()).expect("an input is short");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&tip.link.as_bytes()[..4]);
        bytes.extend_from_slice(record);
        if at < synced {
            let end = (bytes.len() as u64).to_be_bytes();
            bytes[HEADER_BYTES as usize - 8..HEADER_BYTES as usize].copy_from_slice(&end);
        }
    }
    bytes.resize(bytes.len() + 64, 0);
    bytes
}
