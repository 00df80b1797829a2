//! Carries over a spool of the version before, whose segments were lines of JSON (`*.jsonl`).
//!
//! The new segments are written into a directory of their own. Giving that directory its final name
//! decides: before, the old segments are the spool, and whatever was written is thrown away; after,
//! the new ones are, and each of the steps that remain can be done again.

use super::AuditError;
use super::segment::{self, FRAME_BYTES, HEADER_BYTES, Header, SYNCED_OFFSET, Tip, seal};
use super::storage::Storage;
use exeat_audit::chain::{ChainId, Entry, Link};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

const PART: &str = "carried.part";
const DONE: &str = "carried";
/// No line of the version before is longer.
const MAX_LINE: u64 = 1 << 20;

/// An old segment: its first entry's sequence number, and its file.
type Old = (u64, PathBuf);

/// Carries over what there is of the version before; mostly nothing. Old segments and new ones need
/// room side by side, so no more than `most` bytes are carried over.
///
/// # Errors
/// When the old spool is damaged or too large, or the disk refuses. The old spool is then as it was.
pub(super) fn carry_over(
    storage: &dyn Storage,
    dir: &Path,
    chain: &ChainId,
    most: u64,
) -> Result<(), AuditError> {
    let (part, done) = (dir.join(PART), dir.join(DONE));
    let old = old_segments(dir)?;
    if done.exists() {
        return finish(storage, dir, &done, &old);
    }
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    let Some((first, _)) = old.first() else { return Ok(()) };
    if !segment::list(dir)?.is_empty() {
        return Err(AuditError::Old("it lies beside one of this version".to_owned()));
    }
    let mut bytes = 0;
    for (_, path) in &old {
        bytes += fs::metadata(path)?.len();
    }
    if bytes > most {
        return Err(AuditError::Old(format!(
            "it has {bytes} bytes, and the disk must hold it twice"
        )));
    }
    tracing::info!(segments = old.len(), bytes, "Spool of the version before found");
    storage.make_dir(&part)?;
    let mut tip = (*first == 0).then(|| Tip::start(chain));
    let mut kept = *first == 0;
    for (at, old_segment) in old.iter().enumerate() {
        kept |= convert(storage, &part, chain, old_segment, at + 1 == old.len(), &mut tip)?;
    }
    if !kept {
        return Err(AuditError::Old("it holds one entry, and not the one before it".to_owned()));
    }
    storage.sync_dir(&part)?;
    storage.rename(&part, &done)?;
    storage.sync_dir(dir)?;
    finish(storage, dir, &done, &old)
}

/// Puts the new segments into their place and removes the old ones.
fn finish(storage: &dyn Storage, dir: &Path, done: &Path, old: &[Old]) -> Result<(), AuditError> {
    for segment in segment::list(done)? {
        storage.rename(&segment.path, &segment::path(dir, segment.first))?;
    }
    storage.sync_dir(dir)?;
    for (_, path) in old {
        storage.remove(path)?;
    }
    storage.sync_dir(dir)?;
    Ok(storage.remove_dir(done)?)
}

fn old_segments(dir: &Path) -> Result<Vec<Old>, AuditError> {
    let mut old = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let first = name.and_then(|n| n.strip_suffix(".jsonl")).and_then(|n| n.parse().ok());
        if let Some(first) = first {
            old.push((first, path));
        }
    }
    old.sort_unstable();
    Ok(old)
}

/// Writes one segment anew. Where the chain stood before the first entry is not in an old spool
/// whose beginning was delivered and removed; then the new one begins after that entry. False: there
/// was nothing to write.
fn convert(
    storage: &dyn Storage,
    part: &Path,
    chain: &ChainId,
    (first, path): &Old,
    last: bool,
    tip: &mut Option<Tip>,
) -> Result<bool, AuditError> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut start = *tip;
    let mut bytes = vec![0; HEADER_BYTES as usize];
    loop {
        let mut line = Vec::new();
        (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        let whole = line.ends_with(b"\n");
        let entry: Option<Entry> = whole.then(|| serde_json::from_slice(&line).ok()).flatten();
        match entry.and_then(|entry| frame(&entry, tip, &mut bytes)) {
            Some(()) => {
                start = start.or(*tip);
            }
            // A write that a kill tore. Nothing was answered on the strength of it.
            None if last && reader.fill_buf()?.is_empty() => break,
            None => return Err(AuditError::Old(format!("it is damaged in segment {first}"))),
        }
    }
    let Some(start) = start.filter(|_| bytes.len() as u64 > HEADER_BYTES) else {
        return Ok(false);
    };
    let synced = bytes.len() as u64;
    bytes[..HEADER_BYTES as usize].copy_from_slice(&Header::encode(chain, start));
    bytes[SYNCED_OFFSET as usize..HEADER_BYTES as usize].copy_from_slice(&synced.to_be_bytes());
    let file = storage.create(&segment::path(part, start.next))?;
    storage.write(&file, &bytes, 0)?;
    storage.sync(&file)?;
    Ok(true)
}

/// Puts an entry behind `bytes`, if it is the next one. The first entry after nothing is known gives
/// the place where the chain stands, and is not kept.
fn frame(entry: &Entry, tip: &mut Option<Tip>, bytes: &mut Vec<u8>) -> Option<()> {
    let link: Link = entry.link.parse().ok()?;
    let Some(before) = tip else {
        *tip = Some(Tip { next: entry.seq.checked_add(1)?, link });
        return Some(());
    };
    let after = before.after(entry.record.as_bytes())?;
    if entry.seq != before.next || link != after.link {
        return None;
    }
    let at = bytes.len();
    bytes.extend_from_slice(&[0; FRAME_BYTES]);
    seal(&mut bytes[at..], entry.record.len(), &link);
    bytes.extend_from_slice(entry.record.as_bytes());
    *tip = Some(after);
    Some(())
}
