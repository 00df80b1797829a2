//! Reads a spool back after the proxy ended, in whatever way. Nothing is changed here.
//!
//! The header of a segment says where the one before it ends. Entries that were synced must all be
//! there: if one is missing or altered, that is damage, and an error. What was written after the
//! last sync may be torn by a power cut: it is not part of the chain, and `cut` counts it. Nothing
//! of it was signed, because only what is synced is shipped.

use super::AuditError;
use super::segment::{
    self, Found, Frames, HEADER_BYTES, Header, HeaderError, SegmentFile, Tip, list, used_after,
};
use super::storage::Storage;
use exeat_audit::chain::ChainId;
use exeat_audit::record::{Kind, Record};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A segment that nothing is appended to any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Before its first entry.
    pub start: Tip,
    /// Sequence number after its last entry.
    pub end: u64,
    pub path: PathBuf,
    /// Up to the end of its last entry.
    pub bytes: u64,
}

/// What a spool holds.
#[derive(Debug)]
pub struct Recovered {
    /// Where the chain goes on; at 0 where nothing was written yet.
    pub tip: Tip,
    pub segments: Vec<Kept>,
    /// The last entry is a Close.
    pub closed: bool,
    /// Bytes after the last entry that are no part of the chain.
    pub cut: u64,
    /// Files whose entries are no part of the chain.
    pub(super) orphans: Vec<PathBuf>,
}

impl Recovered {
    /// Removes what is no part of the chain, and gives back the room that the last segment did not
    /// need. For once the segment that follows is on disk: it says what was cut off, so until then
    /// this must be found again. What fails here costs room alone.
    pub(super) fn tidy(&self, storage: &dyn Storage, dir: &Path) {
        let current = segment::path(dir, self.tip.next);
        for orphan in self.orphans.iter().filter(|orphan| **orphan != current) {
            if let Err(error) = storage.remove(orphan) {
                tracing::warn!(%error, "Segment not removed");
            }
        }
        let Some(last) = self.segments.last() else { return };
        let opened = OpenOptions::new().write(true).open(&last.path);
        if let Err(error) = opened.and_then(|file| storage.truncate(&file, last.bytes)) {
            tracing::warn!(%error, "Segment not cut off");
        }
    }
}

/// A file and its header; none where the header never reached the disk.
struct Candidate {
    file: SegmentFile,
    header: Option<Header>,
}

impl Candidate {
    fn synced(&self) -> u64 {
        self.header.as_ref().map_or(HEADER_BYTES, |header| header.synced)
    }

    fn is_unsynced(&self) -> bool {
        self.synced() == HEADER_BYTES
    }

    /// Whether this segment begins where the chain stands.
    fn follows(&self, tip: &Tip) -> bool {
        match &self.header {
            Some(header) => header.start == *tip,
            None => self.file.first == tip.next,
        }
    }
}

/// Checks every link and finds where the chain goes on.
///
/// # Errors
/// When entries that were on disk are missing or altered, or the disk cannot be read.
pub fn recover(dir: &Path, chain: &ChainId) -> Result<Recovered, AuditError> {
    recover_each(dir, chain, |_, _| {})
}

/// As [`recover`], and passes on every entry's sequence number and record.
///
/// # Errors
/// As `recover`.
pub fn recover_each(
    dir: &Path,
    chain: &ChainId,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<Recovered, AuditError> {
    let (candidates, mut orphans) = candidates(dir, chain)?;
    let mut tip = first_tip(chain, candidates.first())?;
    let (mut segments, mut last, mut cut) = (Vec::new(), Vec::new(), 0);
    for (at, candidate) in candidates.iter().enumerate() {
        let next = candidates.get(at + 1);
        let start = tip;
        let bytes = walk(candidate, &mut tip, next, &mut last, &mut each)?;
        if tip.next > start.next {
            let path = candidate.file.path.clone();
            segments.push(Kept { start, end: tip.next, path, bytes });
        }
        let rest = &candidates[at + 1..];
        if next.is_some_and(|next| next.follows(&tip)) {
            continue;
        }
        if bytes < candidate.synced() || rest.iter().any(|later| !later.is_unsynced()) {
            let first = candidate.file.first;
            return Err(AuditError::Damaged(format!("after byte {bytes} of segment {first}")));
        }
        cut = used_after(&candidate.file.path, bytes)?;
        for later in rest {
            cut += used_after(&later.file.path, HEADER_BYTES)?;
            orphans.push(later.file.path.clone());
        }
        break;
    }
    if let (true, Some(first)) = (segments.is_empty(), candidates.iter().find(|c| c.file.first > 0))
    {
        // The entry before it was acknowledged, and so was one of its own.
        return Err(AuditError::Damaged(format!("segment {} holds no entry", first.file.first)));
    }
    Ok(Recovered { tip, segments, closed: is_close(&last), cut, orphans })
}

/// The files that hold something, and the paths of those that do not.
fn candidates(dir: &Path, chain: &ChainId) -> Result<(Vec<Candidate>, Vec<PathBuf>), AuditError> {
    let (mut candidates, mut empty) = (Vec::new(), Vec::new());
    for file in list(dir)? {
        let header = header(&file, chain)?;
        let candidate = Candidate { file, header };
        if candidate.is_unsynced() && used_after(&candidate.file.path, HEADER_BYTES)? == 0 {
            empty.push(candidate.file.path);
        } else {
            candidates.push(candidate);
        }
    }
    Ok((candidates, empty))
}

fn header(file: &SegmentFile, chain: &ChainId) -> Result<Option<Header>, AuditError> {
    let mut bytes = Vec::new();
    File::open(&file.path)?.take(HEADER_BYTES).read_to_end(&mut bytes)?;
    bytes.resize(HEADER_BYTES as usize, 0);
    let whole = bytes.first_chunk().ok_or(HeaderError::Malformed);
    match whole.and_then(Header::decode) {
        Err(HeaderError::Blank) => Ok(None),
        Ok(header) if header.chain == *chain && header.start.next == file.first => Ok(Some(header)),
        Ok(_) => Err(AuditError::Damaged(format!("segment {} belongs elsewhere", file.first))),
        Err(HeaderError::Malformed) => {
            Err(AuditError::Damaged(format!("the header of segment {}", file.first)))
        }
    }
}

/// Where the chain stands before the first entry that is still here.
fn first_tip(chain: &ChainId, first: Option<&Candidate>) -> Result<Tip, AuditError> {
    let start = Tip::start(chain);
    let Some(first) = first else { return Ok(start) };
    match &first.header {
        Some(header) if header.start.next == 0 && header.start != start => {
            Err(AuditError::Damaged("the link before the first entry".to_owned()))
        }
        Some(header) => Ok(header.start),
        None if first.file.first == 0 => Ok(start),
        None => Err(AuditError::Damaged(format!("the header of segment {}", first.file.first))),
    }
}

/// Moves `tip` over the entries of a segment, up to where the next one begins. Returns the offset
/// after the last entry.
fn walk(
    segment: &Candidate,
    tip: &mut Tip,
    next: Option<&Candidate>,
    last: &mut Vec<u8>,
    each: &mut impl FnMut(u64, &[u8]),
) -> Result<u64, AuditError> {
    let mut frames = Frames::new(File::open(&segment.file.path)?, HEADER_BYTES, *tip)?;
    while !next.is_some_and(|next| next.follows(tip)) {
        if frames.read_next()? != Found::Entry {
            break;
        }
        each(tip.next, frames.record());
        last.clear();
        last.extend_from_slice(frames.record());
        *tip = frames.tip();
    }
    Ok(frames.offset())
}

fn is_close(record: &[u8]) -> bool {
    serde_json::from_slice::<Record>(record).is_ok_and(|record| record.kind == Kind::Close)
}
