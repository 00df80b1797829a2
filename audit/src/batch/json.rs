//! The batch of the version before: JSON, with sequence and link beside every record. Proxies that
//! were started before an upgrade send it, with the content type `application/json` or none.

use crate::chain::Entry;
use crate::head::SignedHead;
use serde::{Deserialize, Serialize};

/// A collector refuses a batch with more entries.
pub const MAX_ENTRIES: usize = 1000;
/// A collector refuses a batch whose JSON is longer.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A run of consecutive entries of one chain. The chain's id is the pod uid, which the collector
/// takes from the caller's token and compares with `chain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JsonBatch {
    pub chain: String,
    pub entries: Vec<Entry>,
    /// The head after the last entry: it covers exactly the last entry of `entries`, or the last
    /// one before them where `entries` is empty.
    pub head: SignedHead,
}
