//! The end of the chain and the file that it is written to. Whoever holds the lock around a
//! [`Writer`] appends to the kernel and waits for no disk.
//!
//! What is in `pending` is part of the chain, and not in the file yet: outcomes, which may wait for
//! the next intent or for the next sync. If a write fails, the record that asked for it is taken
//! back and nothing of the chain has moved; what the failed write left in the file lies behind the
//! last entry, and the next write replaces it.

use super::AuditError;
use super::recent::Recent;
use super::recover::Kept;
use super::segment::{self, FRAME_BYTES, HEADER_BYTES, Header, Tip};
use super::storage::Storage;
use ahead::{SPARE, Spare, begin_segment};
use exeat_audit::chain::{ChainError, ChainId};
use exeat_audit::record::{Kind, RecordRef, cut};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use sync::Span;

pub(super) mod ahead;
pub(super) mod sync;

/// What an intent reserves for its outcome, and the spool for its Close, in bytes.
const OUTCOME_ROOM: u64 = 1024;
const CLOSE_ROOM: u64 = 256;
/// Longest text of an outcome that must fit into what was reserved for it. JSON makes at most six
/// bytes of one.
const SHORT_TEXT: usize = 48;
/// Pending outcomes are written once they are this long.
const PENDING_BYTES: usize = 64 << 10;

/// Sizes and times, which tests make small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// A segment is made this long ahead.
    pub(super) segment: u64,
    /// All entries together; what is made ahead is not counted.
    pub(super) spool: u64,
    /// What is kept in memory for shipping.
    pub(super) recent: usize,
    /// Longest time between an append and its sync.
    pub(super) sync: Duration,
    /// Shortest time from the beginning of a sync to that of the next: under load more of those who
    /// wait share one.
    pub(super) apart: Duration,
    /// Time until a failed sync, or a segment that could not be made, is tried again.
    pub(super) retry: Duration,
    /// Longest time until denials that were counted are looked at.
    pub(super) fold: Duration,
    /// Longest wait for the disk.
    pub(super) disk: Duration,
    /// Longest wait for the collector.
    pub(super) collector: Duration,
}

/// What is appended, as far as its room goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reserves room for its outcome.
    Intent,
    /// An allowed intent that has no outcome.
    Answer,
    /// Uses the room that its intent reserved.
    Outcome,
    Other,
    /// Uses the last room, and ends the chain.
    Close,
}

/// A place in a file and where the chain stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) offset: u64,
    pub(super) tip: Tip,
}

/// The segment that is appended to.
#[derive(Debug)]
struct Active {
    file: Arc<File>,
    path: PathBuf,
    start: Tip,
    synced: Mark,
    /// After the last entry.
    position: u64,
    /// After the last byte that a failed write may have left behind `position`.
    soiled: u64,
    /// Up to here the file was filled with zeros, and needs no more of the disk.
    made: u64,
}

/// The end of the chain, and the segment that it is written to.
pub(super) struct Writer {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    chain: ChainId,
    limits: Limits,
    /// After the last entry.
    tip: Tip,
    /// After the last entry that is in the file.
    written: Tip,
    pending: Vec<u8>,
    active: Active,
    spare: Spare,
    /// Earlier segments, in order, and their bytes.
    kept: VecDeque<Kept>,
    kept_bytes: u64,
    /// Spans of earlier segments that are not synced yet.
    unsynced: Vec<Span>,
    /// Number of segments that were begun, and of those whose names are synced.
    begun: u64,
    begun_synced: u64,
    /// For outcomes of open intents.
    reserved: u64,
    recent: Recent,
    synced: u64,
    /// When the first append that no sync covers came.
    dirty: Option<Instant>,
    /// The same for the sync that is under way.
    syncing: Option<Instant>,
    /// When the last sync began.
    began: Option<Instant>,
    /// Why the last sync failed, and when it is tried again.
    fault: Option<(io::ErrorKind, Instant)>,
    ended: bool,
}

impl Writer {
    /// Begins a segment where the chain stands, after `kept`, with its first record, and makes it
    /// durable.
    ///
    /// # Errors
    /// When the disk refuses. The spool can be opened again then, and holds what it held before.
    pub(super) fn begin(
        storage: Arc<dyn Storage>,
        dir: &Path,
        chain: ChainId,
        limits: Limits,
        kept: Vec<Kept>,
        tip: Tip,
        first: RecordRef<'_>,
    ) -> Result<Self, AuditError> {
        let path = segment::path(dir, tip.next);
        let file = Arc::new(begin_segment(&*storage, dir, &chain, tip, limits.segment)?);
        let mark = Mark { offset: HEADER_BYTES, tip };
        let active = Active {
            file,
            path,
            start: tip,
            synced: mark,
            position: HEADER_BYTES,
            soiled: 0,
            made: limits.segment,
        };
        let mut writer = Self {
            storage,
            dir: dir.to_owned(),
            chain,
            limits,
            tip,
            written: tip,
            pending: Vec::new(),
            active,
            spare: Spare::Absent,
            kept_bytes: kept.iter().map(|kept| kept.bytes).sum(),
            kept: kept.into(),
            unsynced: Vec::new(),
            begun: 1,
            begun_synced: 0,
            reserved: 0,
            recent: Recent::new(limits.recent, tip),
            synced: tip.next,
            dirty: None,
            syncing: None,
            began: None,
            fault: None,
            ended: false,
        };
        writer.encode(&first)?;
        writer.flush()?;
        if let Some(job) = writer.begin_sync(Instant::now()) {
            job.run(&*writer.storage, dir, &writer.chain)?;
            job.mark(&*writer.storage);
            writer.finish_sync(&job, Ok(()), Instant::now());
        }
        Ok(writer)
    }

    /// Appends a record and returns its sequence number. Every kind but an outcome is in the kernel
    /// then, and so is all that came before it.
    ///
    /// # Errors
    /// When there is no room, the disk refuses, or the record is none; the chain has not moved then.
    pub(super) fn append(
        &mut self,
        record: RecordRef<'_>,
        purpose: Purpose,
        now: Instant,
    ) -> Result<u64, AuditError> {
        if self.ended {
            return Err(AuditError::Ended);
        }
        self.is_sound(purpose, now)?;
        let (before, length) = (self.tip, self.pending.len());
        let id = if record.kind == Kind::Intent { Some(before.next) } else { record.id };
        let written = self
            .encode(&RecordRef { id, ..record })
            .and_then(|()| self.fit(RecordRef { id, ..record }, purpose, before, length))
            .and_then(|()| match purpose {
                Purpose::Outcome => {
                    self.flush_if_long();
                    Ok(())
                }
                _ => Ok(self.flush()?),
            });
        if let Err(error) = written {
            self.take_back(before, length);
            return Err(error);
        }
        match purpose {
            Purpose::Intent => self.reserved += OUTCOME_ROOM,
            Purpose::Outcome => self.reserved = self.reserved.saturating_sub(OUTCOME_ROOM),
            Purpose::Close => self.ended = true,
            Purpose::Answer | Purpose::Other => {}
        }
        self.dirty.get_or_insert(now);
        Ok(before.next)
    }

    /// Whether the disk does what is promised for an intent: to have it within 20 ms.
    fn is_sound(&self, purpose: Purpose, now: Instant) -> Result<(), AuditError> {
        if !matches!(purpose, Purpose::Intent | Purpose::Answer) {
            return Ok(());
        }
        if let Some((kind, _)) = self.fault {
            return Err(io::Error::from(kind).into());
        }
        match self.syncing {
            Some(since) if now.saturating_duration_since(since) > self.limits.disk => {
                Err(AuditError::Overload)
            }
            _ => Ok(()),
        }
    }

    /// Puts the frame of a record behind what is pending.
    fn encode(&mut self, record: &RecordRef<'_>) -> Result<(), AuditError> {
        let start = self.pending.len();
        self.pending.extend_from_slice(&[0; FRAME_BYTES]);
        let tip = record.write(&mut self.pending).and_then(|()| {
            self.tip.after(&self.pending[start + FRAME_BYTES..]).ok_or(ChainError::Exhausted)
        });
        match tip {
            Ok(tip) => {
                let (frame, record) = self.pending[start..].split_at_mut(FRAME_BYTES);
                segment::seal(frame, record.len(), &tip.link);
                self.tip = tip;
                Ok(())
            }
            Err(error) => {
                self.pending.truncate(start);
                Err(error.into())
            }
        }
    }

    /// Holds the record that was just encoded to the room that there is for it.
    fn fit(
        &mut self,
        record: RecordRef<'_>,
        purpose: Purpose,
        before: Tip,
        length: usize,
    ) -> Result<(), AuditError> {
        let own = (self.pending.len() - length) as u64;
        let promised = match purpose {
            Purpose::Intent => self.reserved + CLOSE_ROOM + OUTCOME_ROOM,
            Purpose::Answer | Purpose::Other => self.reserved + CLOSE_ROOM,
            Purpose::Outcome if own > OUTCOME_ROOM => self.reserved + CLOSE_ROOM,
            Purpose::Outcome | Purpose::Close => return Ok(()),
        };
        match self.room(promised) {
            Ok(()) => Ok(()),
            Err(_) if purpose == Purpose::Outcome => {
                self.take_back(before, length);
                let short = |text: Option<&str>| text.map(|text| cut(text, SHORT_TEXT));
                let (resource, reason) = (short(record.resource), short(record.reason));
                let (resource, reason) = (resource.as_deref(), reason.as_deref());
                self.encode(&RecordRef { resource, reason, ..record })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether `promised` bytes fit behind all that was appended.
    fn room(&self, promised: u64) -> Result<(), AuditError> {
        let end = self.active.position + self.pending.len() as u64;
        if self.kept_bytes + end + promised > self.limits.spool {
            return Err(AuditError::Full);
        }
        // The disk gave no next segment, so it may give no more bytes either.
        match self.spare {
            Spare::Failed(kind, _) if end + promised > self.active.made => {
                Err(io::Error::from(kind).into())
            }
            _ => Ok(()),
        }
    }

    fn take_back(&mut self, tip: Tip, length: usize) {
        self.pending.truncate(length);
        self.tip = tip;
    }

    /// An outcome that cannot be written yet stays pending: there are no more of them than intents
    /// were written.
    fn flush_if_long(&mut self) {
        if self.pending.len() >= PENDING_BYTES
            && let Err(error) = self.flush()
        {
            tracing::debug!(%error, "Outcomes wait");
        }
    }

    /// Writes what is pending into the file.
    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let length = self.pending.len();
        let full = self.active.position + length as u64 > self.active.made;
        if full && self.active.position > HEADER_BYTES {
            self.rotate();
        }
        let active = &mut self.active;
        let end = active.position + length as u64;
        // Zeros over what a failed write left behind.
        let soiled = active.soiled.saturating_sub(end) as usize;
        self.pending.resize(length + soiled, 0);
        let written = self.storage.write(&active.file, &self.pending, active.position);
        self.pending.truncate(length);
        if let Err(error) = written {
            active.soiled = active.soiled.max(end);
            return Err(error);
        }
        active.soiled = 0;
        active.position = end;
        self.written = self.tip;
        self.recent.push(&self.pending, self.tip);
        self.pending.clear();
        Ok(())
    }

    /// Goes on in the segment that was made ahead. Without one, or if it cannot be used, the current
    /// one grows.
    fn rotate(&mut self) {
        let file = match std::mem::replace(&mut self.spare, Spare::Absent) {
            Spare::Ready(file) => file,
            other => return self.spare = other,
        };
        let path = segment::path(&self.dir, self.written.next);
        let header = Header::encode(&self.chain, self.written);
        let begun = self
            .storage
            .write(&file, &header, 0)
            .and_then(|()| self.storage.rename(&self.dir.join(SPARE), &path));
        if let Err(error) = begun {
            tracing::warn!(%error, "Segment not begun");
            self.spare = Spare::Failed(error.kind(), Instant::now());
            return;
        }
        let mark = Mark { offset: HEADER_BYTES, tip: self.written };
        let next = Active {
            file,
            path,
            start: self.written,
            synced: mark,
            position: HEADER_BYTES,
            soiled: 0,
            made: self.limits.segment,
        };
        let old = std::mem::replace(&mut self.active, next);
        if let Some(span) = old.span(self.written) {
            self.unsynced.push(span);
        }
        self.kept_bytes += old.position;
        self.kept.push_back(Kept {
            start: old.start,
            end: self.written.next,
            path: old.path,
            bytes: old.position,
        });
        self.begun += 1;
    }
}

/// What others ask.
impl Writer {
    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Number of entries that are on disk.
    pub(super) const fn synced(&self) -> u64 {
        self.synced
    }

    pub(super) const fn recent(&mut self) -> &mut Recent {
        &mut self.recent
    }

    /// The segment that holds the entry `seq`, and where the chain stands before its first entry.
    pub(super) fn segment_of(&self, seq: u64) -> Option<(PathBuf, Tip)> {
        if seq >= self.active.start.next {
            return Some((self.active.path.clone(), self.active.start));
        }
        let kept = self.kept.iter().rfind(|kept| kept.start.next <= seq)?;
        Some((kept.path.clone(), kept.start))
    }

    #[cfg(test)]
    pub(super) const fn set_spool_limit(&mut self, bytes: u64) {
        self.limits.spool = bytes;
    }

    /// Nothing is appended any more.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }
}

impl Active {
    /// What is not synced, up to the end of the entries, where the chain stands at `tip`.
    fn span(&self, tip: Tip) -> Option<Span> {
        let to = Mark { offset: self.position, tip };
        (to != self.synced).then(|| Span { file: Arc::clone(&self.file), from: self.synced, to })
    }
}
