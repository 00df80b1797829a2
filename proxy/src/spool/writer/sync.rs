//! Bringing what was appended to the disk.
//!
//! A sync covers everything that was in the file when it began; whoever comes later waits for the
//! next one. The lock is not held while the disk works.

use super::super::AuditError;
use super::super::segment::{
    FRAME_BYTES, Found, Frames, HEADER_BYTES, Header, SYNCED_OFFSET, Tip, seal,
};
use super::super::storage::Storage;
use super::{Mark, Writer};
use exeat_audit::chain::ChainId;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of a file that are to be synced.
#[derive(Debug, Clone)]
pub(in super::super) struct Span {
    pub(super) file: Arc<File>,
    pub(super) from: Mark,
    pub(super) to: Mark,
}

/// What one sync covers.
#[derive(Debug)]
pub(in super::super) struct Job {
    /// In order.
    pub(in super::super) spans: Vec<Span>,
    /// The names of segments that began since the last one.
    names: bool,
    /// After a failed sync the kernel may have forgotten what it did not write: write it again.
    again: bool,
    begun: u64,
    tip: Tip,
}

impl Writer {
    /// When the next sync is due; none while everything is synced. `wanted`: how many entries
    /// somebody waits for.
    pub(in super::super) fn sync_due(&self, wanted: u64) -> Option<Instant> {
        let dirty = self.dirty?;
        let due = if wanted > self.synced {
            self.began.map_or(dirty, |began| dirty.max(began + self.limits.apart))
        } else {
            dirty + self.limits.sync
        };
        Some(self.fault.map_or(due, |(_, retry)| due.max(retry)))
    }

    /// Begins a sync of everything that was appended. None: there is nothing to sync.
    pub(in super::super) fn begin_sync(&mut self, now: Instant) -> Option<Job> {
        let flushed = self.flush();
        self.recent.seal(self.written);
        let mut spans = self.unsynced.clone();
        spans.extend(self.active.span(self.written));
        let since = self.dirty.take().unwrap_or(now);
        if let Err(error) = flushed {
            tracing::warn!(%error, "Outcomes not written");
            self.dirty = Some(now);
            if spans.is_empty() {
                self.fault = Some((error.kind(), now + self.limits.retry));
            }
        }
        if spans.is_empty() {
            return None;
        }
        self.syncing = Some(since);
        self.began = Some(now);
        Some(Job {
            spans,
            names: self.begun > self.begun_synced,
            again: self.fault.is_some(),
            begun: self.begun,
            tip: self.written,
        })
    }

    /// Takes note of how a sync ended. Returns how many entries are on disk now.
    pub(in super::super) fn finish_sync(
        &mut self,
        job: &Job,
        result: io::Result<()>,
        now: Instant,
    ) -> u64 {
        let since = self.syncing.take().unwrap_or(now);
        if let Err(error) = result {
            tracing::error!(%error, "Spool not synced");
            self.fault = Some((error.kind(), now + self.limits.retry));
            self.dirty = Some(since);
            return self.synced;
        }
        if self.fault.take().is_some() {
            tracing::info!("Spool synced again");
        }
        for span in &job.spans {
            if Arc::ptr_eq(&span.file, &self.active.file) {
                self.active.synced = span.to;
            }
            for open in &mut self.unsynced {
                if Arc::ptr_eq(&span.file, &open.file) {
                    open.from = span.to;
                }
            }
        }
        self.unsynced.retain(|open| open.from != open.to);
        self.begun_synced = job.begun;
        self.synced = job.tip.next;
        self.synced
    }

    /// Why the spool is not synced, where it cannot be.
    pub(in super::super) fn fault(&self) -> AuditError {
        self.fault.map_or(AuditError::Overload, |(kind, _)| io::Error::from(kind).into())
    }
}

impl Job {
    /// Returns once all of it is on disk.
    ///
    /// # Errors
    /// As the disk says. [`ErrorKind::InvalidData`]: what was written is gone, and no other try will
    /// bring it back.
    pub(in super::super) fn run(
        &self,
        storage: &dyn Storage,
        dir: &Path,
        chain: &ChainId,
    ) -> io::Result<()> {
        for span in &self.spans {
            if self.again {
                span.write_again(storage, chain)?;
            }
            storage.sync(&span.file)?;
        }
        if self.names {
            storage.sync_dir(dir)?;
        }
        Ok(())
    }

    /// Whether it ends a segment, or brings the first entries of one.
    pub(in super::super) fn crosses_segments(&self) -> bool {
        self.spans.len() > 1 || self.names
    }

    /// States in the segments what is on disk now. Without it, recovery takes damage for a torn end;
    /// it is not needed otherwise, so nobody waits for it to be on disk itself.
    pub(in super::super) fn mark(&self, storage: &dyn Storage) {
        for span in &self.spans {
            let synced = span.to.offset.to_be_bytes();
            if let Err(error) = storage.write(&span.file, &synced, SYNCED_OFFSET) {
                tracing::debug!(%error, "Segment not marked");
            }
        }
    }
}

impl Span {
    /// After a failed sync the kernel holds pages for clean that never reached the disk. Writing the
    /// same bytes again makes it try again; what it has forgotten already is noticed by its links.
    fn write_again(&self, storage: &dyn Storage, chain: &ChainId) -> io::Result<()> {
        if self.from.offset == HEADER_BYTES {
            storage.write(&self.file, &Header::encode(chain, self.from.tip), 0)?;
        }
        let mut frames = Frames::new(self.file.try_clone()?, self.from.offset, self.from.tip)?;
        let mut frame = Vec::new();
        while frames.offset() < self.to.offset {
            let at = frames.offset();
            if frames.read_next()? != Found::Entry {
                return Err(ErrorKind::InvalidData.into());
            }
            frame.clear();
            frame.resize(FRAME_BYTES, 0);
            seal(&mut frame, frames.record().len(), &frames.tip().link);
            frame.extend_from_slice(frames.record());
            storage.write(&self.file, &frame, at)?;
        }
        Ok(())
    }
}
