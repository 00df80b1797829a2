//! Puts codings back on, RFC 9110 §8.4, in pieces that can be read at once.

use crate::coding::Coding;
use crate::error::{DecodeError, Why};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write;
use zstd::stream::write::Encoder as ZstdEncoder;

/// The window and the tables of the largest of them.
pub(super) const MEMORY: usize = 2 << 20;
/// Of zstd: the second of 22, whose tables are small.
const LEVEL: i32 = 2;

/// One coding. Memory writers never fail, and if one did the message is cut off.
pub(super) enum Encoder {
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Deflate(Box<ZlibEncoder<Vec<u8>>>),
    Zstd(Box<ZstdEncoder<'static, Vec<u8>>>),
}

impl Encoder {
    /// None for a coding that is taken off and left off.
    pub(super) fn new(coding: Coding) -> Result<Option<Self>, DecodeError> {
        let level = Compression::fast();
        Ok(Some(match coding {
            Coding::Gzip => Self::Gzip(Box::new(GzEncoder::new(Vec::new(), level))),
            Coding::Deflate => Self::Deflate(Box::new(ZlibEncoder::new(Vec::new(), level))),
            Coding::Zstd => {
                let encoder = ZstdEncoder::new(Vec::new(), LEVEL);
                Self::Zstd(Box::new(encoder.map_err(|_| fault(coding))?))
            }
            Coding::Brotli => return Ok(None),
            Coding::AwsChunked | Coding::Base64 | Coding::Quoted => {
                return Err(DecodeError::new(coding.name(), Why::Unmaskable));
            }
        }))
    }

    fn name(&self) -> Coding {
        match self {
            Self::Gzip(_) => Coding::Gzip,
            Self::Deflate(_) => Coding::Deflate,
            Self::Zstd(_) => Coding::Zstd,
        }
    }

    /// Encodes so that a reader has all of it.
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        if text.is_empty() {
            return Ok(());
        }
        let done = match self {
            Self::Gzip(it) => run(it, text).map(|()| out.append(it.get_mut())),
            Self::Deflate(it) => run(it, text).map(|()| out.append(it.get_mut())),
            Self::Zstd(it) => run(it, text).map(|()| out.append(it.get_mut())),
        };
        done.map_err(|_| fault(self.name()))
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let coding = self.name();
        let done = match self {
            Self::Gzip(it) => it.finish(),
            Self::Deflate(it) => it.finish(),
            Self::Zstd(it) => it.finish(),
        };
        out.append(&mut done.map_err(|_| fault(coding))?);
        Ok(())
    }
}

fn run(encoder: &mut impl Write, text: &[u8]) -> std::io::Result<()> {
    encoder.write_all(text)?;
    encoder.flush()
}

fn fault(coding: Coding) -> DecodeError {
    DecodeError::new(coding.name(), Why::Damaged)
}
