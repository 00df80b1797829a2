//! Frames: records one after the other in bytes, in a proxy's spool and in a batch alike, so that
//! what is shipped is copied and not encoded again.
//!
//! ```text
//! frame = length of the record (u32, big endian) || record
//! ```
//!
//! A record is JSON and never empty: a length of 0 is no frame. Where a file was filled with zeros
//! ahead of being written, the frames end at the first of them.

use crate::chain::{ChainError, MAX_RECORD_BYTES};
use crate::record::RecordRef;
use std::ops::Range;

/// Bytes of the length before each record.
pub const LENGTH_BYTES: usize = 4;

/// Why bytes do not begin with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    #[error("the length of a record is 0")]
    Empty,
    #[error("a record is at most {MAX_RECORD_BYTES} bytes, this one says {0}")]
    TooLong(usize),
    #[error("the bytes end within a record")]
    Torn,
}

/// Appends the frame of a record to `out`, and returns where its record stands there. A record that
/// is too long is written shortened (see [`RecordRef::write`]).
///
/// # Errors
/// When the record cannot be written; `out` is as it was then.
pub fn push(record: &RecordRef<'_>, out: &mut Vec<u8>) -> Result<Range<usize>, ChainError> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    if let Err(error) = record.write(out) {
        out.truncate(start);
        return Err(error);
    }
    let place = start + LENGTH_BYTES..out.len();
    // `write` keeps to MAX_RECORD_BYTES, which is far below 2^32.
    let length = u32::try_from(place.len()).unwrap_or(u32::MAX);
    out[start..place.start].copy_from_slice(&length.to_be_bytes());
    Ok(place)
}

/// Appends the frame of a record that is there as bytes.
///
/// # Errors
/// When the record is empty or too long; `out` is as it was then.
pub fn push_bytes(record: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let length = u32::try_from(record.len()).map_err(|_| FrameError::TooLong(record.len()))?;
    checked(record.len())?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(record);
    Ok(())
}

/// The record of the frame at the start of `bytes`, and what follows the frame.
///
/// # Errors
/// When the bytes do not begin with a whole frame.
pub fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(FrameError::Torn)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    checked(length)?;
    rest.split_at_checked(length).ok_or(FrameError::Torn)
}

const fn checked(length: usize) -> Result<(), FrameError> {
    match length {
        0 => Err(FrameError::Empty),
        1..=MAX_RECORD_BYTES => Ok(()),
        _ => Err(FrameError::TooLong(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    #[test]
    fn frames_are_what_the_document_says() {
        let mut out = Vec::new();
        push_bytes(b"{}", &mut out).unwrap();
        assert_eq!(out, b"\0\0\0\x02{}");
        let place = push(&RecordRef::new(Kind::Close, TIME), &mut out).unwrap();
        assert_eq!(place.start, 10);

        let (first, rest) = split(&out).unwrap();
        assert_eq!(first, b"{}");
        let (second, rest) = split(rest).unwrap();
        assert_eq!(second, &out[place]);
        assert_eq!(second, br#"{"v":2,"time":"2026-01-02T03:04:05.678Z","kind":"Close"}"#);
        assert_eq!(split(rest), Err(FrameError::Torn));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(split(&[0; 8]), Err(FrameError::Empty));
        assert_eq!(split(b"\0\0\0"), Err(FrameError::Torn));
        assert_eq!(split(b"\0\0\0\x03{}"), Err(FrameError::Torn));
        assert_eq!(split(b"\0\x01\0\x01{}"), Err(FrameError::TooLong(65_537)));
        let mut out = Vec::new();
        assert_eq!(push_bytes(b"", &mut out), Err(FrameError::Empty));
        let long = vec![b'x'; MAX_RECORD_BYTES + 1];
        assert_eq!(push_bytes(&long, &mut out), Err(FrameError::TooLong(65_537)));
        let record = RecordRef {
            action: std::str::from_utf8(&long).ok(),
            ..RecordRef::new(Kind::Intent, TIME)
        };
        assert!(push(&record, &mut out).is_err());
        assert!(out.is_empty());
    }
}
