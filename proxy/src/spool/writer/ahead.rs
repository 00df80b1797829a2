//! The segment that is made ahead of need, and those that are removed when the collector has them.

use super::super::segment::{self, Header, Tip};
use super::super::storage::Storage;
use super::Writer;
use exeat_audit::chain::ChainId;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A segment that is made ahead has this name until it begins.
pub(super) const SPARE: &str = "next.spare";
const PART: &str = "next.part";
/// Zeros are written in pieces of this size.
const PIECE: usize = 64 << 10;

/// The segment that is made ahead.
#[derive(Debug)]
pub(super) enum Spare {
    Absent,
    Making,
    Ready(Arc<File>),
    Failed(io::ErrorKind, Instant),
}

impl Writer {
    /// Whether the next segment is to be made now, or when it is tried again.
    pub(in super::super) fn spare_due(&self, now: Instant) -> Option<Instant> {
        match self.spare {
            Spare::Failed(_, at) => Some(at + self.limits.retry),
            Spare::Absent if self.active.position > self.active.made / 4 => Some(now),
            _ => None,
        }
    }

    /// Somebody makes the next segment from now on.
    pub(in super::super) fn spare_begun(&mut self) {
        self.spare = Spare::Making;
    }

    pub(in super::super) fn spare_made(&mut self, made: io::Result<File>, now: Instant) {
        self.spare = match made {
            Ok(file) => Spare::Ready(Arc::new(file)),
            Err(error) => {
                tracing::warn!(%error, "Next segment not made");
                Spare::Failed(error.kind(), now)
            }
        };
    }

    #[cfg(test)]
    pub(in super::super) const fn has_spare(&self) -> bool {
        matches!(self.spare, Spare::Ready(_))
    }

    /// The oldest segment, if all its entries and one that follows are acknowledged: then the next
    /// segment is on disk, and the chain goes on from it.
    pub(in super::super) fn removable(&self, acknowledged: u64) -> Option<PathBuf> {
        let oldest = self.kept.front().filter(|kept| kept.end < acknowledged)?;
        Some(oldest.path.clone())
    }

    /// The oldest segment is gone.
    pub(in super::super) fn removed(&mut self) {
        if let Some(kept) = self.kept.pop_front() {
            self.kept_bytes -= kept.bytes;
        }
    }
}

/// Makes the next segment: zeros, on disk, so that writing into it needs nothing more of the file
/// system.
///
/// # Errors
/// As the disk says.
pub(in super::super) fn make_spare(
    storage: &dyn Storage,
    dir: &Path,
    bytes: u64,
) -> io::Result<File> {
    let part = dir.join(PART);
    let file = storage.create(&part)?;
    let zeros = vec![0; PIECE];
    let mut at = 0;
    while at < bytes {
        let length = (bytes - at).min(PIECE as u64);
        storage.write(&file, &zeros[..length as usize], at)?;
        at += length;
    }
    storage.sync(&file)?;
    storage.rename(&part, &dir.join(SPARE))?;
    storage.sync_dir(dir)?;
    Ok(file)
}

/// Begins a segment at `tip`, in the spare one that an earlier run left or in a new one.
///
/// # Errors
/// As the disk says.
pub(super) fn begin_segment(
    storage: &dyn Storage,
    dir: &Path,
    chain: &ChainId,
    tip: Tip,
    bytes: u64,
) -> io::Result<File> {
    let spare = dir.join(SPARE);
    let left = OpenOptions::new().read(true).write(true).open(&spare).ok();
    let file = match left {
        Some(file) if file.metadata()?.len() == bytes => file,
        _ => make_spare(storage, dir, bytes)?,
    };
    storage.write(&file, &Header::encode(chain, tip), 0)?;
    storage.rename(&spare, &segment::path(dir, tip.next))?;
    Ok(file)
}
