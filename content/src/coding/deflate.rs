//! `deflate`: zlib (RFC 1950), and the raw deflate (RFC 1951) that some servers send instead.

use super::{Out, PIECE, Stop};
use crate::error::Why;
use crate::limits::Budget;
use flate2::{Decompress, FlushDecompress, Status};

/// The window, the tables and the piece of one inflater.
pub(crate) const MEMORY: usize = 80 << 10;

/// Inflates one stream, and stops at its end.
pub(crate) struct Inflate {
    inner: Decompress,
    piece: Box<[u8; PIECE]>,
}

impl Inflate {
    pub(crate) fn new(zlib: bool, budget: &mut Budget) -> Result<Self, Why> {
        budget.reserve(MEMORY)?;
        Ok(Self { inner: Decompress::new(zlib), piece: Box::new([0; PIECE]) })
    }

    pub(crate) fn reset(&mut self) {
        self.inner.reset(false);
    }

    /// Inflates `input`; how much of it was taken, and whether the stream has ended there.
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        budget: &mut Budget,
        mut out: impl FnMut(&[u8], &mut Budget) -> Result<(), Stop>,
    ) -> Result<(usize, bool), Stop> {
        let mut taken = 0;
        loop {
            let (before_in, before_out) = (self.inner.total_in(), self.inner.total_out());
            let rest = input.get(taken..).unwrap_or_default();
            let status =
                self.inner.decompress(rest, self.piece.as_mut_slice(), FlushDecompress::None);
            let read = usize::try_from(self.inner.total_in() - before_in).unwrap_or(0);
            let wrote = usize::try_from(self.inner.total_out() - before_out).unwrap_or(0);
            taken += read;
            // What came before the damage is text too.
            if let Some(text) = self.piece.get(..wrote).filter(|text| !text.is_empty()) {
                out(text, budget)?;
            }
            match status.map_err(|_| Why::Damaged)? {
                Status::StreamEnd => return Ok((taken, true)),
                _ if wrote == PIECE => {}
                _ if taken < input.len() && (read > 0 || wrote > 0) => {}
                _ if taken < input.len() => return Err(Why::Damaged.into()),
                _ => return Ok((taken, false)),
            }
        }
    }
}

#[derive(Default)]
pub(crate) struct Deflate {
    first: Option<u8>,
    inflate: Option<Inflate>,
    ended: bool,
}

impl Deflate {
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        if self.inflate.is_none() {
            let (Some(first), second) = (
                self.first.or(input.first().copied()),
                match self.first {
                    Some(_) => input.first(),
                    None => input.get(1),
                },
            ) else {
                return Ok(());
            };
            let Some(second) = second.copied() else {
                self.first = Some(first);
                return Ok(());
            };
            // RFC 1950 §2.2: method 8, and a multiple of 31.
            let header = u16::from_be_bytes([first, second]);
            let zlib = first & 0x0f == 8 && header.is_multiple_of(31);
            self.inflate = Some(Inflate::new(zlib, budget)?);
            let held = self.first.take();
            if let Some(held) = held {
                self.run(&[held], budget, out)?;
            }
        }
        if !input.is_empty() {
            self.run(std::mem::take(&mut input), budget, out)?;
        }
        Ok(())
    }

    fn run(&mut self, input: &[u8], budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        if self.ended {
            return Err(Why::Trailing.into());
        }
        let Some(inflate) = &mut self.inflate else { return Ok(()) };
        let (taken, ended) = inflate.push(input, budget, |text, budget| Ok(out(text, budget)?))?;
        self.ended = ended;
        if taken < input.len() { Err(Why::Trailing.into()) } else { Ok(()) }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.ended || (self.inflate.is_none() && self.first.is_none())
    }

    pub(crate) fn holds_memory(&self) -> bool {
        self.inflate.is_some()
    }
}
