//! What a proxy ships and the controller answers, over `POST /v1/audit`.
//!
//! A batch is a run of consecutive entries of one chain, and the head after the last of them:
//!
//! ```text
//! batch   = "EXEATB02"
//!           || length of the chain id (u8) || chain id
//!           || sequence of the first entry (u64) || link before the first entry (32 bytes)
//!           || number of entries (u32) || a frame each (see [`crate::frame`])
//!           || time of the head (24 bytes) || signature of the head (64 bytes)
//! ```
//!
//! Numbers are big endian. Sequences and links are not in it: both sides compute them. The head
//! covers the last entry, or the one before `first` where the batch has none (a sign of life). On
//! the wire a batch is one zstd frame (see [`compress`]).
//!
//! [`json`] has the form of the version before, which collectors still take.

use crate::chain::{ChainId, Link};
use crate::frame::{self, FrameError};
use crate::head::{Seal, SignedHead};
use crate::key::SIGNATURE_BYTES;
use crate::time::Stamp;
use serde::{Deserialize, Serialize};

pub mod json;
mod wire;

pub use wire::{compress, decompress};

/// The content type of `POST /v1/audit`.
pub const CONTENT_TYPE: &str = "application/vnd.exeat.audit-batch.v2+zstd";
/// The first bytes of a batch.
pub const MAGIC: &[u8; 8] = b"EXEATB02";
/// A collector refuses a batch with more entries.
pub const MAX_BATCH_ENTRIES: usize = 10_000;
/// A collector refuses a batch that is longer before compression.
pub const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// No zstd frame of a batch is longer: zstd adds at most this to what it cannot compress.
pub const MAX_BODY_BYTES: usize = MAX_BATCH_BYTES + MAX_BATCH_BYTES / 256;
/// Bytes of a batch beside its frames, at most.
pub const MAX_OVERHEAD_BYTES: usize =
    MAGIC.len() + 1 + ChainId::MAX_BYTES + 8 + 32 + 4 + Stamp::BYTES + SIGNATURE_BYTES;

/// What a reader takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the batch before compression.
    pub bytes: usize,
    pub entries: usize,
}

/// A batch that was read; the records are borrowed from its bytes. Neither the links nor the
/// signature have been judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch<'a> {
    pub chain: ChainId,
    /// Sequence of the first entry.
    pub first: u64,
    /// Link before the first entry, as the sender states it.
    pub previous: Link,
    pub records: Vec<&'a [u8]>,
    pub seal: Seal,
}

/// Why bytes are no batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    #[error("a batch begins with EXEATB02")]
    Magic,
    #[error("the batch ends too early")]
    Short,
    #[error("bytes follow the batch")]
    Trailing,
    #[error("a batch is at most {0} bytes")]
    TooLong(usize),
    #[error("a batch has at most {0} entries")]
    TooMany(usize),
    #[error("the chain id of the batch is malformed")]
    Chain,
    #[error("the entries of the batch have no sequence numbers")]
    Sequence,
    #[error("the time of the head is malformed")]
    Time,
    #[error("entry {seq}: {error}")]
    Frame { seq: u64, error: FrameError },
    #[error("the batch cannot be decompressed: {0}")]
    Zstd(String),
}

/// Everything up to and including `seq` is on the collector's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Absent: nothing is stored yet; send from 0.
    pub seq: Option<u64>,
}

impl Limits {
    /// What every collector takes.
    pub const COLLECTOR: Self = Self { bytes: MAX_BATCH_BYTES, entries: MAX_BATCH_ENTRIES };
}

impl Batch<'_> {
    /// Sequence of the entry that the head covers: the last one, or the one before `first`.
    pub const fn head_seq(&self) -> u64 {
        // `decode` refuses what would wrap.
        (self.first + self.records.len() as u64).wrapping_sub(1)
    }

    /// The head, for the link that the entry [`head_seq`](Self::head_seq) has by computation.
    pub fn head(&self, link: Link) -> SignedHead {
        self.seal.head(&self.chain, self.head_seq(), link)
    }
}

/// Writes a batch, not compressed.
///
/// # Errors
/// When a record is empty or too long for an entry.
pub fn encode<'a>(
    chain: &ChainId,
    first: u64,
    previous: Link,
    records: impl IntoIterator<Item = &'a [u8]>,
    seal: &Seal,
) -> Result<Vec<u8>, BatchError> {
    let (mut frames, mut count) = (Vec::new(), 0_u32);
    for record in records {
        frame::push_bytes(record, &mut frames).map_err(|error| BatchError::Frame {
            seq: first.saturating_add(count.into()),
            error,
        })?;
        count = count.checked_add(1).ok_or(BatchError::TooMany(u32::MAX as usize))?;
    }
    Ok(encode_frames(chain, first, previous, count, &[&frames], seal))
}

/// Writes a batch of frames as they lie in a spool, not compressed. They are copied as they are:
/// `count` whole frames, in pieces of any size.
pub fn encode_frames(
    chain: &ChainId,
    first: u64,
    previous: Link,
    count: u32,
    frames: &[&[u8]],
    seal: &Seal,
) -> Vec<u8> {
    let id = chain.as_str().as_bytes();
    let length: usize = frames.iter().map(|piece| piece.len()).sum();
    let mut out = Vec::with_capacity(MAX_OVERHEAD_BYTES + length);
    out.extend_from_slice(MAGIC);
    // An id has at most ChainId::MAX_BYTES.
    out.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(id);
    out.extend_from_slice(&first.to_be_bytes());
    out.extend_from_slice(previous.as_bytes());
    out.extend_from_slice(&count.to_be_bytes());
    frames.iter().for_each(|piece| out.extend_from_slice(piece));
    out.extend_from_slice(seal.time.as_bytes());
    out.extend_from_slice(&seal.signature);
    out
}

/// Reads a batch that was decompressed.
///
/// # Errors
/// When the bytes are not exactly one batch within `limits`.
pub fn decode(bytes: &[u8], limits: Limits) -> Result<Batch<'_>, BatchError> {
    if bytes.len() > limits.bytes {
        return Err(BatchError::TooLong(limits.bytes));
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(BatchError::Magic)?;
    let (&[length], rest) = rest.split_first_chunk().ok_or(BatchError::Short)?;
    let (id, rest) = rest.split_at_checked(length.into()).ok_or(BatchError::Short)?;
    let chain = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    let chain = chain.ok_or(BatchError::Chain)?;
    let (first, rest) = rest.split_first_chunk().ok_or(BatchError::Short)?;
    let (previous, rest) = rest.split_first_chunk::<32>().ok_or(BatchError::Short)?;
    let (count, rest) = rest.split_first_chunk().ok_or(BatchError::Short)?;
    let (first, count) = (u64::from_be_bytes(*first), u32::from_be_bytes(*count));
    let (records, rest) = decode_records(rest, first, count, limits.entries)?;
    let (time, rest) = rest.split_first_chunk().ok_or(BatchError::Short)?;
    let (signature, rest) = rest.split_first_chunk().ok_or(BatchError::Short)?;
    if !rest.is_empty() {
        return Err(BatchError::Trailing);
    }
    let time = Stamp::from_bytes(*time).ok_or(BatchError::Time)?;
    let seal = Seal { time, signature: *signature };
    Ok(Batch { chain, first, previous: Link::from(*previous), records, seal })
}

/// The records of `count` frames, and what follows them.
fn decode_records(
    mut rest: &[u8],
    first: u64,
    count: u32,
    most: usize,
) -> Result<(Vec<&[u8]>, &[u8]), BatchError> {
    let number = usize::try_from(count).unwrap_or(usize::MAX);
    if number > most {
        return Err(BatchError::TooMany(most));
    }
    // A batch without entries has a head over the entry before; the last one must have a number.
    match first.checked_add(count.into()) {
        None | Some(0) => return Err(BatchError::Sequence),
        Some(_) => {}
    }
    // What is stated is not trusted with memory.
    let mut records = Vec::with_capacity(number.min(rest.len() / (frame::LENGTH_BYTES + 1)));
    for seq in first..first + u64::from(count) {
        let record;
        (record, rest) = frame::split(rest).map_err(|error| BatchError::Frame { seq, error })?;
        records.push(record);
    }
    Ok((records, rest))
}

#[cfg(test)]
mod tests;
