//! `exeat audit`: the API's answers, and what is done with them.

use exeat_audit::chain::Entry;
use exeat_audit::head::SignedHead;
use serde::Deserialize;
use std::time::SystemTime;

mod chains;
pub(crate) mod export;
pub(crate) mod show;
pub(crate) mod verify;

/// A chain as the collector lists it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChainInfo {
    chain: String,
    namespace: String,
    pod: String,
    public_key: String,
    head: SignedHead,
    broken: bool,
}

#[derive(Debug, Deserialize)]
struct ChainPage {
    chains: Vec<ChainInfo>,
    #[serde(default)]
    next: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct EntryPage {
    entries: Vec<Entry>,
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
