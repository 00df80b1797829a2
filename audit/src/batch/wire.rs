//! zstd (RFC 8878) around a batch.
//!
//! A body is exactly one frame that states its content size. The reader allocates that size and no
//! more, and refuses a size beyond its limit before anything is decompressed: a short body that
//! would grow without end costs nothing.

use super::{BatchError, Limits};
use zstd::zstd_safe;

/// zstd's fastest level but the negative ones: the sender runs beside the agent.
const LEVEL: i32 = 1;

/// Compresses a batch for the wire.
///
/// # Errors
/// When zstd has no memory.
pub fn compress(batch: &[u8]) -> Result<Vec<u8>, BatchError> {
    zstd::bulk::compress(batch, LEVEL).map_err(zstd_error)
}

/// The batch of a body.
///
/// # Errors
/// When the body is not exactly one zstd frame, does not state its content size, or has more content
/// than `limits.bytes`.
pub fn decompress(body: &[u8], limits: Limits) -> Result<Vec<u8>, BatchError> {
    let frame = zstd_safe::find_frame_compressed_size(body)
        .map_err(|code| BatchError::Zstd(zstd_safe::get_error_name(code).to_owned()))?;
    if frame != body.len() {
        return Err(BatchError::Trailing);
    }
    let size = zstd_safe::get_frame_content_size(body).ok().flatten();
    let size = size.ok_or_else(|| BatchError::Zstd("the content size is not stated".to_owned()))?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > limits.bytes {
        return Err(BatchError::TooLong(limits.bytes));
    }
    zstd::bulk::decompress(body, size).map_err(zstd_error)
}

fn zstd_error(error: std::io::Error) -> BatchError {
    BatchError::Zstd(error.to_string())
}
