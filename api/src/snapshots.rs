//! The stream that [`crate::paths::SNAPSHOTS`] answers with: a line of JSON, which is one
//! `exeat_policy` snapshot, at once and after every change, and empty lines between them.

use std::time::Duration;

/// The controller sends a line, if only an empty one, at least this often.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The proxy takes a stream that was silent for so long to be dead.
pub const SILENCE: Duration = Duration::from_secs(30);
/// The proxy gives a stream up whose line is longer, in bytes.
pub const MAX_LINE: usize = 8 << 20;

const _: () = assert!(SILENCE.as_secs() >= 2 * KEEP_ALIVE.as_secs(), "one line may be late");
