//! Content codings, RFC 9110 §8.4: taken off as the bytes come.
//!
//! A codec puts out everything that its input so far stands for before it returns, so that what is
//! read does not depend on how the input was cut. Corrupt input is an error where it is met.

mod aws_chunked;
pub(crate) mod base64;
mod brotli;
mod deflate;
mod gzip;
pub(crate) mod quoted;
mod zstd;

pub(crate) use deflate::Inflate;

use crate::error::{DecodeError, Why};
use crate::limits::Budget;
use crate::media::shown;

/// A coding by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
    AwsChunked,
    /// Of a part, or of grpc-web-text. Bytes outside of the alphabet are passed over, RFC 2045 §6.8.
    Base64,
    Quoted,
}

impl Coding {
    /// The coding of this name; none for `identity` and `chunked`, which need no decoding.
    pub(crate) fn named(name: &str) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Self::Gzip,
            "deflate" => Self::Deflate,
            "br" => Self::Brotli,
            "zstd" => Self::Zstd,
            "aws-chunked" => Self::AwsChunked,
            "identity" | "chunked" | "" => return Ok(None),
            other => return Err(DecodeError::new(shown(other), Why::Unknown)),
        }))
    }

    /// The name in places and errors.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::AwsChunked => "aws-chunked",
            Self::Base64 => "base64",
            Self::Quoted => "quoted-printable",
        }
    }
}

/// Where a codec puts its output.
pub(crate) type Out<'a> = dyn FnMut(&[u8], &mut Budget) -> Result<(), DecodeError> + 'a;

/// Why a codec stopped: its own input, or what reads its output.
#[derive(Debug)]
pub(crate) enum Stop {
    Own(Why),
    Inner(DecodeError),
}

impl Stop {
    /// The error, where the coding is this layer.
    pub(crate) fn or(self, layer: &'static str) -> DecodeError {
        match self {
            Self::Own(why) => DecodeError::new(layer, why),
            Self::Inner(error) => error,
        }
    }
}

impl From<Why> for Stop {
    fn from(why: Why) -> Self {
        Self::Own(why)
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Inner(error)
    }
}

/// Bytes that a codec puts out at once.
const PIECE: usize = 8 << 10;

/// Takes one coding off.
pub(crate) enum Codec {
    Gzip(Box<gzip::Gzip>),
    Deflate(Box<deflate::Deflate>),
    Brotli(Box<brotli::Brotli>),
    Zstd(Box<zstd::Zstd>),
    AwsChunked(aws_chunked::AwsChunked),
    Base64(base64::Base64),
    Quoted(quoted::Quoted),
}

impl Codec {
    pub(crate) fn new(coding: Coding) -> Self {
        match coding {
            Coding::Gzip => Self::Gzip(Box::default()),
            Coding::Deflate => Self::Deflate(Box::default()),
            Coding::Brotli => Self::Brotli(Box::default()),
            Coding::Zstd => Self::Zstd(Box::default()),
            Coding::AwsChunked => Self::AwsChunked(aws_chunked::AwsChunked::default()),
            Coding::Base64 => Self::Base64(base64::Base64::default()),
            Coding::Quoted => Self::Quoted(quoted::Quoted::default()),
        }
    }

    /// The name of its coding.
    pub(crate) fn name(&self) -> &'static str {
        let coding = match self {
            Self::Gzip(_) => Coding::Gzip,
            Self::Deflate(_) => Coding::Deflate,
            Self::Brotli(_) => Coding::Brotli,
            Self::Zstd(_) => Coding::Zstd,
            Self::AwsChunked(_) => Coding::AwsChunked,
            Self::Base64(_) => Coding::Base64,
            Self::Quoted(_) => Coding::Quoted,
        };
        coding.name()
    }

    pub(crate) fn push(
        &mut self,
        input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        match self {
            Self::Gzip(codec) => codec.push(input, budget, out),
            Self::Deflate(codec) => codec.push(input, budget, out),
            Self::Brotli(codec) => codec.push(input, budget, out),
            Self::Zstd(codec) => codec.push(input, budget, out),
            Self::AwsChunked(codec) => codec.push(input, budget, out),
            Self::Base64(codec) => codec.push(input, budget, out),
            Self::Quoted(codec) => codec.push(input, budget, out),
        }
    }

    /// The input has ended. Fails where more had to come; an input without a byte is whole.
    pub(crate) fn finish(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        let whole = match self {
            Self::Gzip(codec) => codec.is_whole(),
            Self::Deflate(codec) => codec.is_whole(),
            Self::Brotli(codec) => codec.is_whole(),
            Self::Zstd(codec) => codec.is_whole(),
            Self::AwsChunked(codec) => codec.is_whole(),
            Self::Base64(_) => true,
            Self::Quoted(codec) => return codec.finish(budget, out),
        };
        if whole { Ok(()) } else { Err(Why::Truncated.into()) }
    }

    /// Gives its memory back to the budget.
    pub(crate) fn release(&mut self, budget: &mut Budget) {
        match self {
            Self::Gzip(codec) if codec.holds_memory() => budget.release(deflate::MEMORY),
            Self::Deflate(codec) if codec.holds_memory() => budget.release(deflate::MEMORY),
            Self::Gzip(_) | Self::Deflate(_) => {}
            Self::Brotli(codec) => budget.release(codec.memory()),
            Self::Zstd(codec) => budget.release(codec.memory()),
            Self::AwsChunked(_) | Self::Base64(_) | Self::Quoted(_) => {}
        }
    }
}
