//! What a proxy delivers, in both forms, and what an export holds: read and verified, never a crash.
#![no_main]

use exeat_audit::batch::json::JsonBatch;
use exeat_audit::batch::{self, Limits, MAX_OVERHEAD_BYTES};
use exeat_audit::chain::{ChainId, Entry, Link};
use exeat_audit::export;
use exeat_audit::head::{Seal, SignedHead};
use exeat_audit::time::Stamp;
use exeat_audit::verify::Verifier;
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_767_323_045_678;

fuzz_target!(|data: &[u8]| {
    let _ = export::verify(data, None);
    if let Ok(batch) = serde_json::from_slice::<JsonBatch>(data)
        && let Ok(chain) = batch.chain.parse()
    {
        judge(chain, batch.head, &batch.entries);
    }
    body(data);
    plain(data);
    written(data);
});

/// A body as it comes over the wire: never more than the limit, however it was made.
fn body(data: &[u8]) {
    let limits = Limits { bytes: 64 * 1024, entries: 100 };
    if let Ok(bytes) = batch::decompress(data, limits) {
        assert!(bytes.len() <= limits.bytes);
        plain(&bytes);
    }
}

/// A batch that can be read is written to the very same bytes, and judged.
fn plain(bytes: &[u8]) {
    let Ok(read) = batch::decode(bytes, Limits::COLLECTOR) else { return };
    let records = read.records.iter().copied();
    let again = batch::encode(&read.chain, read.first, read.previous, records, &read.seal);
    assert_eq!(again.as_deref(), Ok(bytes));
    let mut link = read.previous;
    let mut entries = Vec::new();
    for (seq, record) in (read.first..).zip(&read.records) {
        link = link.next(seq, record);
        let record = String::from_utf8_lossy(record).into_owned();
        entries.push(Entry { seq, record, link: link.to_string() });
    }
    let head = read.head(link);
    judge(read.chain, head, &entries);
}

/// Whatever is written comes back, through zstd as well.
fn written(data: &[u8]) {
    let Some((first, rest)) = data.split_first_chunk() else { return };
    let first = u64::from_be_bytes(*first) / 2 + 1;
    let chain: ChainId = "pod-1".parse().expect("a chain's id");
    let seal = Seal { time: Stamp::new(first), signature: [7; 64] };
    let records: Vec<&[u8]> = rest.split(|byte| *byte == 0).filter(|it| !it.is_empty()).collect();
    let previous = Link::from([9; 32]);
    let Ok(bytes) = batch::encode(&chain, first, previous, records.iter().copied(), &seal) else {
        assert!(records.iter().any(|record| record.len() > 65_536));
        return;
    };
    let framed: usize = records.iter().map(|record| record.len() + 4).sum();
    assert!(bytes.len() <= framed + MAX_OVERHEAD_BYTES);
    let wire = batch::compress(&bytes).expect("zstd has memory");
    let limits = Limits { bytes: bytes.len(), entries: records.len() };
    let bytes = batch::decompress(&wire, limits).expect("what was compressed");
    let read = batch::decode(&bytes, limits).expect("what was encoded");
    assert_eq!((read.first, read.previous, &read.records), (first, previous, &records));
    assert_eq!((read.chain, read.seal), (chain, seal));
}

fn judge(chain: ChainId, head: SignedHead, entries: &[Entry]) {
    let mut verifier = Verifier::new(chain);
    verifier.head(head);
    entries.iter().for_each(|entry| verifier.push(entry));
    let report = verifier.finish(Some(NOW));
    // Nobody guesses a signature.
    assert!(!report.has_integrity() || report.signed_up_to.is_some());
}
