//! `exeat audit`: what is done with the collector's answers.

use std::time::SystemTime;

mod acts;
mod chains;
pub(crate) mod export;
mod rows;
pub(crate) mod show;
pub(crate) mod verify;

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
