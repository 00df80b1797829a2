//! The spool on disk: entries as lines of JSON, in files named by their first sequence number.
//!
//! A line counts when it ends in a line feed and its link follows from the one before. A tail that
//! does not (a write that a kill tore) is cut off when the spool is opened: nothing was answered
//! on the strength of it. Damage anywhere else is an error.

use super::AuditError;
use exeat_audit::chain::{ChainId, ChainWriter, Entry, Link};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A segment is closed when it has grown beyond this.
pub const SEGMENT_BYTES: u64 = 4 << 20;
/// No line is longer: a record of 64 KiB, escaped, and what surrounds it.
const MAX_LINE: u64 = 1 << 20;

/// One file of the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub first: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

/// The file that is appended to.
#[derive(Debug)]
pub struct Tail {
    file: File,
    pub bytes: u64,
}

impl Tail {
    /// Begins the segment whose first entry will be `first`.
    ///
    /// # Errors
    /// When the file or its directory entry cannot be made durable.
    pub fn create(dir: &Path, first: u64) -> Result<Self, AuditError> {
        let path = dir.join(format!("{first:020}.jsonl"));
        let file = OpenOptions::new().create_new(true).append(true).open(path)?;
        File::open(dir)?.sync_all()?;
        Ok(Self { file, bytes: 0 })
    }

    /// Appends whole lines and makes them durable. On failure the file is cut back, so that
    /// nothing stays on disk that was answered as unwritten.
    ///
    /// # Errors
    /// As the disk says.
    pub fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.bytes += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.bytes)?;
                self.file.sync_data()?;
                Err(error)
            }
        }
    }
}

/// The segments of a directory, in order.
///
/// # Errors
/// When the directory cannot be read.
pub fn list(dir: &Path) -> std::io::Result<Vec<Segment>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let first =
            name.to_str().and_then(|n| n.strip_suffix(".jsonl")).and_then(|n| n.parse().ok());
        if let Some(first) = first {
            all.push(Segment { first, path: entry.path(), bytes: entry.metadata()?.len() });
        }
    }
    all.sort_by_key(|segment| segment.first);
    Ok(all)
}

/// What a spool held when it was opened.
pub struct Recovered {
    pub writer: ChainWriter,
    pub tail: Option<Tail>,
    /// Of all segments but the tail.
    pub closed_bytes: u64,
}

/// Reads a spool back, checking every link, and cuts off a torn tail.
///
/// # Errors
/// When entries are missing, out of order or altered.
pub fn recover(dir: &Path, chain: &ChainId) -> Result<Recovered, AuditError> {
    let segments = list(dir)?;
    let mut writer: Option<ChainWriter> = None;
    let mut tail = None;
    let mut closed_bytes = 0;
    for (at, segment) in segments.iter().enumerate() {
        let last = at + 1 == segments.len();
        let good = recover_segment(segment, chain, &mut writer, last)?;
        if last {
            let mut file = OpenOptions::new().read(true).append(true).open(&segment.path)?;
            if good < segment.bytes {
                tracing::warn!(cut = segment.bytes - good, "Torn tail of the spool cut off");
                file.set_len(good)?;
                file.sync_all()?;
            }
            file.seek(SeekFrom::End(0))?;
            tail = Some(Tail { file, bytes: good });
        } else {
            closed_bytes += segment.bytes;
        }
    }
    let writer = writer.unwrap_or_else(|| ChainWriter::start(chain.clone()));
    if let (None, Some(first)) = (writer.last(), segments.first().filter(|s| s.first > 0)) {
        return Err(AuditError::Damaged(format!("segment {} holds no entry", first.first)));
    }
    Ok(Recovered { writer, tail, closed_bytes })
}

/// Returns how many bytes of the segment hold.
fn recover_segment(
    segment: &Segment,
    chain: &ChainId,
    writer: &mut Option<ChainWriter>,
    last: bool,
) -> Result<u64, AuditError> {
    let mut reader = BufReader::new(File::open(&segment.path)?);
    let mut good = 0;
    let mut first = true;
    loop {
        let mut line = Vec::new();
        let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line)? as u64;
        if read == 0 {
            return Ok(good);
        }
        let entry =
            line.ends_with(b"\n").then(|| serde_json::from_slice::<Entry>(&line).ok()).flatten();
        let follows = entry.is_some_and(|entry| {
            let expected = !first || entry.seq == segment.first;
            expected && follows(chain, writer, &entry)
        });
        first = false;
        if !follows {
            let rest_is_torn = last && reader.fill_buf()?.is_empty();
            return if rest_is_torn {
                Ok(good)
            } else {
                Err(AuditError::Damaged(format!("after byte {good} of segment {}", segment.first)))
            };
        }
        good += read;
    }
}

fn follows(chain: &ChainId, writer: &mut Option<ChainWriter>, entry: &Entry) -> bool {
    match writer {
        Some(writer) => writer.commit(entry).is_ok(),
        None if entry.seq == 0 => {
            let mut fresh = ChainWriter::start(chain.clone());
            let ok = fresh.commit(entry).is_ok();
            *writer = ok.then_some(fresh);
            ok
        }
        // Earlier segments were acknowledged and removed; the collector holds what this follows.
        None => match entry.link.parse::<Link>() {
            Ok(link) => {
                *writer = Some(ChainWriter::resume(chain.clone(), entry.seq, link));
                true
            }
            Err(_) => false,
        },
    }
}

/// Reads entries in order, for shipping.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    next: u64,
    open: Option<(u64, BufReader<File>)>,
}

impl Reader {
    pub fn new(dir: PathBuf, next: u64) -> Self {
        Self { dir, next, open: None }
    }

    /// Entries from where the last call ended, below `durable`, at most `count` and about `bytes`.
    ///
    /// # Errors
    /// When the spool no longer holds them.
    pub fn read(
        &mut self,
        durable: u64,
        count: usize,
        bytes: usize,
    ) -> Result<Vec<Entry>, AuditError> {
        let mut batch = Vec::new();
        let mut size = 0;
        while self.next < durable && batch.len() < count && size < bytes {
            let Some(entry) = self.one()? else { break };
            size += entry.record.len();
            self.next = entry.seq + 1;
            batch.push(entry);
        }
        Ok(batch)
    }

    /// Goes back where fewer entries were acknowledged than were read.
    pub fn rewind_if_behind(&mut self, acknowledged: u64) {
        if acknowledged != self.next {
            self.next = acknowledged;
            self.open = None;
        }
    }

    fn one(&mut self) -> Result<Option<Entry>, AuditError> {
        loop {
            if self.open.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some((_, reader)) = &mut self.open else { return Ok(None) };
            let mut line = Vec::new();
            reader.take(MAX_LINE).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                if !self.follow()? {
                    return Ok(None);
                }
                continue;
            }
            let entry: Entry = serde_json::from_slice(&line)
                .map_err(|_| AuditError::Damaged(format!("near entry {}", self.next)))?;
            if entry.seq >= self.next {
                return Ok(Some(entry));
            }
        }
    }

    /// Opens the segment that holds `next`.
    fn open_next(&mut self) -> Result<bool, AuditError> {
        let Some(segment) = list(&self.dir)?.into_iter().rfind(|s| s.first <= self.next) else {
            return Err(AuditError::Damaged(format!("entry {} is no longer there", self.next)));
        };
        self.open = Some((segment.first, BufReader::new(File::open(segment.path)?)));
        Ok(true)
    }

    /// At the end of a segment: goes on to the following one, if there is one.
    fn follow(&mut self) -> Result<bool, AuditError> {
        let current = self.open.as_ref().map_or(0, |(first, _)| *first);
        let later =
            list(&self.dir)?.into_iter().find(|s| s.first > current && s.first == self.next);
        match later {
            Some(segment) => {
                self.open = Some((segment.first, BufReader::new(File::open(segment.path)?)));
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Removes segments all of whose entries are below `acknowledged`. The last one with an entry in
/// it always stays: the chain goes on from it.
///
/// # Errors
/// When a file cannot be removed.
pub fn prune(dir: &Path, acknowledged: u64) -> std::io::Result<()> {
    let mut segments = list(dir)?;
    segments.retain(|segment| segment.bytes > 0);
    for pair in segments.windows(2) {
        if pair[1].first <= acknowledged {
            fs::remove_file(&pair[0].path)?;
        }
    }
    Ok(())
}
