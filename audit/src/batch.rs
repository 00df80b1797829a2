//! What a proxy ships and the controller answers, over `POST /v1/audit`.

use serde::{Deserialize, Serialize};

/// A collector refuses a batch with more entries.
pub const MAX_BATCH_ENTRIES: usize = 1000;
/// A collector refuses a batch whose JSON is longer. A proxy stays below it by counting
/// [`Entry::wire_bytes`].
pub const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A run of consecutive entries of one chain. The chain's id is the pod uid, which the collector
/// takes from the caller's token and compares with `chain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    pub chain: String,
    pub entries: Vec<Entry>,
    /// The head after the last entry: it covers exactly the last entry of `entries`, or the last
    /// one before them where `entries` is empty.
    pub head: SignedHead,
}

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// From 0, without gaps.
    pub seq: u64,
    /// The record's exact bytes (UTF-8 JSON).
    pub record: String,
    /// Hex of the 32-byte link.
    pub link: String,
}

/// The end of a chain at a moment, signed by the chain's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedHead {
    pub chain: String,
    /// Sequence of the last entry covered.
    pub seq: u64,
    /// Hex of that entry's link.
    pub link: String,
    /// RFC 3339, UTC, milliseconds.
    pub time: String,
    /// Hex of the 64-byte Ed25519 signature.
    pub signature: String,
}

/// Everything up to and including `seq` is on the collector's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Absent: nothing is stored yet; send from 0.
    pub seq: Option<u64>,
}

impl Entry {
    /// An upper bound of the bytes that this entry takes in the JSON of a batch: a record's text is
    /// escaped once more there, in the worst case sixfold.
    pub fn wire_bytes(&self) -> usize {
        let escaped: usize = self
            .record
            .bytes()
            .map(|byte| match byte {
                b'"' | b'\\' => 2,
                0..=0x1f | 0x7f => 6,
                _ => 1,
            })
            .sum();
        escaped + 128
    }
}
