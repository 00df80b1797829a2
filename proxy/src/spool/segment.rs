//! A file of the spool: a header, then frames, then zeros.
//!
//! ```text
//! header, 256 bytes, numbers big endian:
//!     0  "EXEATSEG"
//!     8  version (u32): 1
//!    12  length of the chain's id (u32)
//!    16  sequence number of the first entry (u64)
//!    24  link before the first entry (32 bytes)
//!    56  chain's id, filled up with zeros (64 bytes)
//!   120  the first 8 bytes of the SHA-256 of bytes 0 to 119
//!   128  zeros
//!   248  synced (u64): entries up to this offset were on disk when this was written
//! frame:
//!     0  length of the record in bytes (u32); 0: the entries end here
//!     4  the first 4 bytes of the entry's link
//!     8  record
//! ```
//!
//! A link is not stored whole: it follows from the link before and the record, so whoever reads a
//! segment computes every link and compares. A file has the name of its first entry's sequence
//! number. It is made and filled with zeros before it is needed, so that an append neither
//! allocates nor changes the file's size, and syncing it does not wait for the file system's
//! journal.

use exeat_audit::chain::{ChainId, Link, MAX_RECORD_BYTES};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes before the first frame.
pub const HEADER_BYTES: u64 = 256;
/// Bytes of a frame before its record.
pub const FRAME_BYTES: usize = 8;
/// Where the header states what is synced.
pub(super) const SYNCED_OFFSET: u64 = 248;

const MAGIC: &[u8; 8] = b"EXEATSEG";
const VERSION: u32 = 1;
const SUFFIX: &str = ".seg";

/// Where a chain stands: after all entries below `next`, the last of which has the link `link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    pub next: u64,
    pub link: Link,
}

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub chain: ChainId,
    /// Before the first entry.
    pub start: Tip,
    /// May lag behind what is on disk, and is never ahead of it.
    pub synced: u64,
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderError {
    /// Nothing but zeros: the file was made, and its header never reached the disk.
    Blank,
    Malformed,
}

/// A file of the spool's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Sequence number of the first entry, by the file's name.
    pub first: u64,
    pub path: PathBuf,
    pub bytes: u64,
}

impl Tip {
    /// Before the first entry of a chain.
    pub fn start(chain: &ChainId) -> Self {
        Self { next: 0, link: Link::start(chain) }
    }

    /// After one more entry. None: the sequence numbers are used up.
    pub fn after(&self, record: &[u8]) -> Option<Self> {
        let next = self.next.checked_add(1)?;
        Some(Self { next, link: self.link.next(self.next, record) })
    }
}

impl Header {
    /// The header of a segment that is about to begin.
    pub fn encode(chain: &ChainId, start: Tip) -> [u8; HEADER_BYTES as usize] {
        let id = chain.as_str().as_bytes();
        let mut bytes = [0; HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_be_bytes());
        // At most 64 bytes, by the type.
        bytes[15] = id.len() as u8;
        bytes[16..24].copy_from_slice(&start.next.to_be_bytes());
        bytes[24..56].copy_from_slice(start.link.as_bytes());
        bytes[56..56 + id.len()].copy_from_slice(id);
        let digest = Sha256::digest(&bytes[..120]);
        bytes[120..128].copy_from_slice(&digest[..8]);
        bytes[248..].copy_from_slice(&HEADER_BYTES.to_be_bytes());
        bytes
    }

    /// # Errors
    /// When the bytes are blank, or not a header of this version.
    pub fn decode(bytes: &[u8; HEADER_BYTES as usize]) -> Result<Self, HeaderError> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Err(HeaderError::Blank);
        }
        Self::parse(bytes).ok_or(HeaderError::Malformed)
    }

    fn parse(bytes: &[u8; HEADER_BYTES as usize]) -> Option<Self> {
        if &bytes[..8] != MAGIC || word(&bytes[8..12]) != VERSION {
            return None;
        }
        if Sha256::digest(&bytes[..120])[..8] != bytes[120..128] {
            return None;
        }
        let length = word(&bytes[12..16]) as usize;
        let id = std::str::from_utf8(bytes[56..120].get(..length)?).ok()?;
        let link: [u8; 32] = bytes[24..56].try_into().ok()?;
        let next = u64::from_be_bytes(bytes[16..24].try_into().ok()?);
        let synced = u64::from_be_bytes(bytes[248..].try_into().ok()?);
        Some(Self {
            chain: id.parse().ok()?,
            start: Tip { next, link: link.into() },
            synced: synced.max(HEADER_BYTES),
        })
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Fills in what stands before a record: `frame` is [`FRAME_BYTES`] long.
pub(super) fn seal(frame: &mut [u8], length: usize, link: &Link) {
    // A record is at most 64 KiB.
    frame[..4].copy_from_slice(&(length as u32).to_be_bytes());
    frame[4..8].copy_from_slice(&link.as_bytes()[..4]);
}

/// The records of frames that were made here: whole, and in order.
pub(super) fn records(mut frames: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = word(frames.get(..4)?) as usize;
        let record = frames.get(FRAME_BYTES..FRAME_BYTES + length)?;
        frames = &frames[FRAME_BYTES + length..];
        Some(record)
    })
}

/// The path of the segment that begins with the entry `first`.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}{SUFFIX}"))
}

/// The segments of a directory, in order.
///
/// # Errors
/// When the directory cannot be read.
pub fn list(dir: &Path) -> io::Result<Vec<SegmentFile>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|n| n.strip_suffix(SUFFIX)).and_then(|n| n.parse().ok());
        let Some(first) = first else { continue };
        match entry.metadata() {
            Ok(metadata) => {
                all.push(SegmentFile { first, path: entry.path(), bytes: metadata.len() });
            }
            // Removed meanwhile, by the spool that this directory belongs to.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    all.sort_by_key(|segment| segment.first);
    Ok(all)
}

/// What [`Frames::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// An entry whose link is as it should be; [`Frames::record`] has its bytes.
    Entry,
    /// No frame begins here: the length is 0, or the file ends.
    End,
    /// Something else than the next entry.
    Broken,
}

/// Reads the entries of a segment and checks the link of each.
#[derive(Debug)]
pub struct Frames {
    reader: BufReader<File>,
    offset: u64,
    tip: Tip,
    record: Vec<u8>,
}

impl Frames {
    /// Reads from `offset`, where the chain stands at `tip`.
    ///
    /// # Errors
    /// As the disk says.
    pub fn new(mut file: File, offset: u64, tip: Tip) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        let reader = BufReader::with_capacity(64 << 10, file);
        Ok(Self { reader, offset, tip, record: Vec::new() })
    }

    /// Goes on to the next entry. What is not [`Found::Entry`] does not move the reader on, and
    /// nothing may be read after it.
    ///
    /// # Errors
    /// As the disk says.
    pub fn read_next(&mut self) -> io::Result<Found> {
        let mut frame = [0; FRAME_BYTES];
        let read = fill(&mut self.reader, &mut frame)?;
        let length = word(&frame[..4]) as usize;
        if length == 0 {
            let zeros = frame.iter().all(|byte| *byte == 0);
            return Ok(if zeros { Found::End } else { Found::Broken });
        }
        if read < FRAME_BYTES || length > MAX_RECORD_BYTES {
            return Ok(Found::Broken);
        }
        self.record.resize(length, 0);
        if fill(&mut self.reader, &mut self.record)? < length {
            return Ok(Found::Broken);
        }
        match self.tip.after(&self.record) {
            Some(tip) if tip.link.as_bytes()[..4] == frame[4..] => {
                self.tip = tip;
                self.offset += (FRAME_BYTES + length) as u64;
                Ok(Found::Entry)
            }
            _ => Ok(Found::Broken),
        }
    }

    /// The entry that was found last.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// After the last entry that was found.
    pub const fn tip(&self) -> Tip {
        self.tip
    }

    /// The offset after the last entry that was found.
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}

/// Reads until the buffer is full or the file ends; returns how much was read.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match reader.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// How many bytes after `offset` are not the zeros that a segment is filled with: the last of them
/// counts, and so does everything before it.
pub(super) fn used_after(path: &Path, offset: u64) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut buffer = vec![0; 64 << 10];
    let (mut at, mut used) = (0, 0);
    loop {
        let read = fill(&mut file, &mut buffer)?;
        if let Some(last) = buffer[..read].iter().rposition(|byte| *byte != 0) {
            used = at + last as u64 + 1;
        }
        if read < buffer.len() {
            return Ok(used);
        }
        at += read as u64;
    }
}
