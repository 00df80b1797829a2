//! What is shipped: batches of entries that are on disk, from memory where they still are there,
//! else from the segments. Never beyond what was synced: a head that was signed over an entry holds
//! for ever, and what is not synced may not be there after a power cut.

use super::AuditError;
use super::background::Shared;
use super::now;
use super::recent::Run;
use super::segment::{Found, Frames, HEADER_BYTES, Tip};
use exeat_audit::batch::{self, BatchError, MAX_BATCH_ENTRIES};
use exeat_audit::chain::ChainId;
use exeat_audit::head::Seal;
use exeat_audit::key::SigningKey;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Most bytes of entries in a batch.
const BATCH_BYTES: usize = 4 << 20;
/// A batch that is longer is encoded apart from the threads that carry traffic.
const INLINE_BYTES: usize = 64 << 10;

/// The shipper's side of a spool.
pub struct Shipping {
    shared: Arc<Shared>,
    key: Arc<SigningKey>,
    synced: watch::Receiver<u64>,
    cursor: Option<Cursor>,
}

/// A batch as it goes over the wire.
#[derive(Debug)]
pub struct Body {
    pub bytes: Vec<u8>,
    /// Number of entries of the chain up to its end.
    pub end: u64,
}

/// Where reading a segment goes on.
struct Cursor {
    path: PathBuf,
    offset: u64,
    tip: Tip,
}

impl Shipping {
    pub(super) fn new(
        shared: Arc<Shared>,
        key: Arc<SigningKey>,
        synced: watch::Receiver<u64>,
    ) -> Self {
        Self { shared, key, synced, cursor: None }
    }

    /// Whether the spool's threads are gone.
    #[cfg(test)]
    pub(super) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }

    /// Whose chain this is.
    pub fn chain(&self) -> &ChainId {
        &self.shared.chain
    }

    /// The chain's key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Number of entries that are on disk.
    pub fn synced(&self) -> u64 {
        *self.synced.borrow()
    }

    /// Waits until more than `entries` are on disk, and returns how many. None: that many will never
    /// be, for the spool is closed.
    pub async fn synced_beyond(&mut self, entries: u64) -> Option<u64> {
        self.synced.wait_for(|synced| *synced > entries).await.ok().map(|synced| *synced)
    }

    /// Waits until a batch is worth sending to a collector that has `entries`: for `patience`, or
    /// until somebody waits for the collector, or until the batch is full.
    pub async fn gather(&self, entries: u64, patience: Duration) {
        let full = self.synced() - entries >= MAX_BATCH_ENTRIES as u64;
        if full || self.shared.wanted_shipped.load(Ordering::Relaxed) > entries {
            return;
        }
        tokio::select! {
            () = sleep(patience) => {}
            () = self.shared.ship_bell.notified() => {}
        }
    }

    /// The next batch for a collector that has `entries`, with the head over it.
    ///
    /// # Errors
    /// When there is nothing beyond them, or the spool no longer holds the next entry.
    pub async fn batch(&mut self, entries: u64) -> Result<Body, AuditError> {
        let synced = self.synced();
        let recent = self.shared.lock()?.writer.recent().runs(
            entries,
            synced,
            MAX_BATCH_ENTRIES,
            BATCH_BYTES,
        );
        let (chain, key) = (self.chain().clone(), Arc::clone(&self.key));
        if !recent.is_empty() {
            self.cursor = None;
            if recent.iter().map(|run| run.frames.len()).sum::<usize>() <= INLINE_BYTES {
                return encode(&chain, &recent, &key);
            }
            let encoded = spawn_blocking(move || encode(&chain, &recent, &key));
            return encoded.await.map_err(|_| AuditError::Ended)?;
        }
        let (shared, cursor) = (Arc::clone(&self.shared), self.cursor.take());
        let read = spawn_blocking(move || {
            let (run, cursor) = read(&shared, cursor, entries, synced)?;
            Ok::<_, AuditError>((encode(&chain, &[run], &key)?, cursor))
        });
        let (body, cursor) = read.await.map_err(|_| AuditError::Ended)??;
        self.cursor = Some(cursor);
        Ok(body)
    }

    /// The collector has that many entries: whoever waited for them goes on, and what holds them is
    /// removed.
    pub fn acknowledge(&self, entries: u64) {
        self.shared.acknowledge(entries);
    }
}

fn encode(chain: &ChainId, runs: &[Run], key: &SigningKey) -> Result<Body, AuditError> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return Err(AuditError::Damaged("there is no entry to ship".to_owned()));
    };
    let (start, end) = (first.start, last.end);
    let seal = Seal::sign(chain, end.next - 1, end.link, now(), key);
    let frames: Vec<&[u8]> = runs.iter().map(|run| &run.frames[..]).collect();
    // At most MAX_BATCH_ENTRIES.
    let count = (end.next - start.next) as u32;
    let plain = batch::encode_frames(chain, start.next, start.link, count, &frames, &seal);
    let bytes = batch::compress(&plain)
        .map_err(|error: BatchError| AuditError::Io(std::io::Error::other(error.to_string())))?;
    Ok(Body { bytes, end: end.next })
}

/// Reads entries from `from` on and below `until` out of the segment that holds the first of them.
fn read(
    shared: &Shared,
    cursor: Option<Cursor>,
    from: u64,
    until: u64,
) -> Result<(Run, Cursor), AuditError> {
    let gone = || AuditError::Damaged(format!("entry {from} is no longer there"));
    let (path, tip) = shared.lock()?.writer.segment_of(from).ok_or_else(gone)?;
    let cursor = cursor
        .filter(|cursor| cursor.path == path && cursor.tip.next <= from)
        .unwrap_or(Cursor { path, offset: HEADER_BYTES, tip });
    let mut frames = Frames::new(File::open(&cursor.path)?, cursor.offset, cursor.tip)?;
    let (mut start, mut bytes) = (cursor.tip, Vec::new());
    let mut cursor = cursor;
    while cursor.tip.next < until {
        if frames.read_next()? != Found::Entry {
            break;
        }
        let seq = cursor.tip.next;
        (cursor.offset, cursor.tip) = (frames.offset(), frames.tip());
        if seq < from {
            start = cursor.tip;
            continue;
        }
        bytes.extend_from_slice(&(frames.record().len() as u32).to_be_bytes());
        bytes.extend_from_slice(frames.record());
        let entries = cursor.tip.next - start.next;
        if entries == MAX_BATCH_ENTRIES as u64 || bytes.len() >= BATCH_BYTES {
            break;
        }
    }
    if bytes.is_empty() {
        return Err(gone());
    }
    Ok((Run { start, end: cursor.tip, frames: bytes.into() }, cursor))
}
