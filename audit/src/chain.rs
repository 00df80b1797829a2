//! The hash chain.
//!
//! ```text
//! start = SHA-256("exeat.dev/audit/genesis/v1\n" || chain id)
//! link  = SHA-256("exeat.dev/audit/chain/v1\n" || previous link (32 bytes)
//!                 || seq (u64, big endian) || record length in bytes (u64, big endian) || record)
//! ```
//!
//! The link before entry 0 is `start`. It is derived from the chain's id (the pod's uid), so every
//! link of a chain depends on whose chain it is: the entries of one pod never verify as another's.

use crate::record::Record;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Prefix of what a link hashes.
pub const CHAIN_DOMAIN: &[u8] = b"exeat.dev/audit/chain/v1\n";
/// Prefix of what the link before the first entry hashes.
pub const GENESIS_DOMAIN: &[u8] = b"exeat.dev/audit/genesis/v1\n";
/// No record is longer; writer, collector and verifier refuse one that is.
pub const MAX_RECORD_BYTES: usize = 64 * 1024;

/// Names a chain: the pod's uid. 1 to 64 of `A-Z a-z 0-9 -`, so that it can stand in a signed text
/// and in a URL without escapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId(String);

/// A 32-byte link; hex in text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link([u8; 32]);

/// A record in its place, for people and exports: everything as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// From 0, without gaps.
    pub seq: u64,
    /// The record's exact bytes (UTF-8 JSON).
    pub record: String,
    /// Hex of the 32-byte link.
    pub link: String,
}

/// Appends to one chain. It holds the end only, never the entries.
///
/// Where an append can fail half-way (a disk), take it in two steps: [`next`] computes the place of
/// a record's bytes, and [`advance`] takes it once they are written. The record is hashed once.
///
/// [`next`]: Self::next
/// [`advance`]: Self::advance
#[derive(Debug, Clone)]
pub struct ChainWriter {
    chain: ChainId,
    last: Option<(u64, Link)>,
}

/// The sequence and link that a record gets at the end of a chain. Only [`ChainWriter::next`] makes
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    seq: u64,
    previous: Link,
    link: Link,
}

/// Why something cannot be part of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    #[error("a chain id is 1 to 64 of A-Z a-z 0-9 -")]
    Id,
    #[error("a link is 64 lower-case hex digits")]
    Link,
    #[error("a record is at most {MAX_RECORD_BYTES} bytes, this one has {0}")]
    RecordTooLong(usize),
    #[error("the record cannot be written as JSON: {0}")]
    Record(String),
    #[error("entry {got} does not follow; {expected} does")]
    NotNext { got: u64, expected: u64 },
    #[error("the chain has used up its sequence numbers")]
    Exhausted,
}

impl ChainId {
    /// Longest id.
    pub const MAX_BYTES: usize = 64;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChainId {
    type Err = ChainError;

    fn from_str(text: &str) -> Result<Self, ChainError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.is_empty() || text.len() > Self::MAX_BYTES || !text.bytes().all(allowed) {
            return Err(ChainError::Id);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Link {
    /// The link before entry 0 of `chain`.
    pub fn start(chain: &ChainId) -> Self {
        let mut hash = Sha256::new();
        hash.update(GENESIS_DOMAIN);
        hash.update(chain.as_str());
        Self(hash.finalize().into())
    }

    /// The link of the entry `seq` with these record bytes, after an entry whose link is `self`.
    pub fn next(&self, seq: u64, record: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(CHAIN_DOMAIN);
        hash.update(self.0);
        hash.update(seq.to_be_bytes());
        hash.update((record.len() as u64).to_be_bytes());
        hash.update(record);
        Self(hash.finalize().into())
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Link {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Link {
    type Err = ChainError;

    /// Lower-case only: a link has one text.
    fn from_str(text: &str) -> Result<Self, ChainError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(ChainError::Link);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ChainError::Link)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({self})")
    }
}

impl ChainWriter {
    /// A chain without entries. Its first record must be a Genesis.
    pub const fn start(chain: ChainId) -> Self {
        Self { chain, last: None }
    }

    /// Continues after the entry `seq`, whose link is `link`.
    pub const fn resume(chain: ChainId, seq: u64, link: Link) -> Self {
        Self { chain, last: Some((seq, link)) }
    }

    /// Whose chain this is.
    pub const fn chain(&self) -> &ChainId {
        &self.chain
    }

    /// Sequence and link of the last entry.
    pub const fn last(&self) -> Option<(u64, Link)> {
        self.last
    }

    /// The place of a record with these bytes, without advancing.
    ///
    /// # Errors
    /// When the record is too long, or the chain is at its end.
    pub fn next(&self, record: &[u8]) -> Result<Appended, ChainError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(ChainError::RecordTooLong(record.len()));
        }
        let (seq, previous) = self.following()?;
        Ok(Appended { seq, previous, link: previous.next(seq, record) })
    }

    /// Advances over a record whose place was computed with [`next`](Self::next). Nothing is hashed
    /// again: the place carries the link that it follows.
    ///
    /// # Errors
    /// When the place is not the next one of this chain; the writer has not moved then.
    pub fn advance(&mut self, appended: Appended) -> Result<(), ChainError> {
        let (seq, previous) = self.following()?;
        if appended.seq != seq {
            return Err(ChainError::NotNext { got: appended.seq, expected: seq });
        }
        if appended.previous != previous {
            return Err(ChainError::Link);
        }
        self.last = Some((seq, appended.link));
        Ok(())
    }

    /// The entry that `record` would be, without advancing: write it to disk, then [`commit`] it.
    ///
    /// # Errors
    /// When the record cannot be serialised or is too long.
    ///
    /// [`commit`]: Self::commit
    pub fn prepare(&self, record: &Record) -> Result<Entry, ChainError> {
        Ok(self.entry(record)?.1)
    }

    /// Advances over an entry, prepared here or read back from disk, after checking its link.
    ///
    /// # Errors
    /// When the entry is not the next one of this chain; the writer has not moved then.
    pub fn commit(&mut self, entry: &Entry) -> Result<(), ChainError> {
        let appended = self.next(entry.record.as_bytes())?;
        if entry.seq != appended.seq {
            return Err(ChainError::NotNext { got: entry.seq, expected: appended.seq });
        }
        if entry.link.parse::<Link>()? != appended.link {
            return Err(ChainError::Link);
        }
        self.advance(appended)
    }

    /// Appends a record and returns its entry. For tests and tools: a proxy, which has bytes to
    /// write, calls [`next`](Self::next).
    ///
    /// # Errors
    /// When the record cannot be serialised or is too long.
    pub fn append(&mut self, record: &Record) -> Result<Entry, ChainError> {
        let (appended, entry) = self.entry(record)?;
        self.advance(appended)?;
        Ok(entry)
    }

    fn entry(&self, record: &Record) -> Result<(Appended, Entry), ChainError> {
        let text =
            serde_json::to_string(record).map_err(|error| ChainError::Record(error.to_string()))?;
        let appended = self.next(text.as_bytes())?;
        let link = appended.link.to_string();
        Ok((appended, Entry { seq: appended.seq, record: text, link }))
    }

    /// Sequence of the next entry and the link before it.
    fn following(&self) -> Result<(u64, Link), ChainError> {
        match self.last {
            None => Ok((0, Link::start(&self.chain))),
            Some((seq, link)) => Ok((seq.checked_add(1).ok_or(ChainError::Exhausted)?, link)),
        }
    }
}

impl Appended {
    /// The entry's sequence number.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The link before the entry.
    pub const fn previous(&self) -> Link {
        self.previous
    }

    /// The entry's link.
    pub const fn link(&self) -> Link {
        self.link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ChainId {
        text.parse().unwrap()
    }

    #[test]
    fn links_are_what_the_document_says() {
        let start = Link::start(&id("pod-1"));
        let by_hand: [u8; 32] = Sha256::digest(b"exeat.dev/audit/genesis/v1\npod-1").into();
        assert_eq!(start, Link::from(by_hand));

        let mut text = b"exeat.dev/audit/chain/v1\n".to_vec();
        text.extend(by_hand);
        text.extend([0, 0, 0, 0, 0, 0, 0, 7]);
        text.extend([0, 0, 0, 0, 0, 0, 0, 2]);
        text.extend(b"{}");
        let by_hand: [u8; 32] = Sha256::digest(&text).into();
        assert_eq!(start.next(7, b"{}"), Link::from(by_hand));
    }

    #[test]
    fn chain_ids_are_plain() {
        assert!("0b9f3f0e-4f4e-4a56-9d43-1d9d3b9a7f10".parse::<ChainId>().is_ok());
        for text in ["", "a b", "a\nb", "a/b", "é", &"x".repeat(65)] {
            assert_eq!(text.parse::<ChainId>(), Err(ChainError::Id), "{text:?}");
        }
    }

    #[test]
    fn a_link_has_one_text() {
        let link = Link::start(&id("pod-1"));
        assert_eq!(link.to_string().parse(), Ok(link));
        assert_eq!(link.to_string().to_uppercase().parse::<Link>(), Err(ChainError::Link));
        assert_eq!("00".parse::<Link>(), Err(ChainError::Link));
    }

    #[test]
    fn a_writer_moves_only_over_what_follows() {
        let mut writer = ChainWriter::start(id("pod-1"));
        let time = "2026-01-02T03:04:05.678Z";
        let first = writer.append(&Record::heartbeat(time)).unwrap();
        assert_eq!((first.seq, writer.last().map(|(seq, _)| seq)), (0, Some(0)));
        assert_eq!(writer.commit(&first), Err(ChainError::NotNext { got: 0, expected: 1 }));

        let mut second = writer.prepare(&Record::heartbeat(time)).unwrap();
        second.record.push(' ');
        assert_eq!(writer.commit(&second), Err(ChainError::Link));
        assert_eq!(writer.last().map(|(seq, _)| seq), Some(0));
        second.record.pop();
        writer.commit(&second).unwrap();

        let (seq, link) = writer.last().unwrap();
        let mut resumed = ChainWriter::resume(id("pod-1"), seq, link);
        assert_eq!(
            resumed.append(&Record::heartbeat(time)).unwrap(),
            writer.append(&Record::heartbeat(time)).unwrap()
        );
    }

    #[test]
    fn a_place_is_taken_once_and_in_its_own_chain() {
        let mut writer = ChainWriter::start(id("pod-1"));
        let place = writer.next(b"{}").unwrap();
        assert_eq!(writer.last(), None, "nothing moves before advance");
        assert_eq!(place.link(), Link::start(&id("pod-1")).next(0, b"{}"));
        writer.advance(place).unwrap();
        assert_eq!(writer.last(), Some((0, place.link())));
        assert_eq!(writer.advance(place), Err(ChainError::NotNext { got: 0, expected: 1 }));

        let mut other = ChainWriter::start(id("pod-2"));
        assert_eq!(other.advance(place), Err(ChainError::Link));
        assert_eq!(other.last(), None);
    }

    #[test]
    fn sequence_numbers_end() {
        let link = Link::start(&id("pod-1"));
        let writer = ChainWriter::resume(id("pod-1"), u64::MAX, link);
        assert_eq!(writer.next(b"{}"), Err(ChainError::Exhausted));
    }

    #[test]
    fn a_record_that_is_too_long_is_refused() {
        let mut record = Record::heartbeat("2026-01-02T03:04:05.678Z");
        record.reason = Some("x".repeat(MAX_RECORD_BYTES));
        let writer = ChainWriter::start(id("pod-1"));
        assert!(matches!(writer.prepare(&record), Err(ChainError::RecordTooLong(_))));
    }
}
