//! `zstd`, RFC 8878: frames in a row. Windows above 8 MiB are refused, as RFC 9659 asks.

use super::{Out, PIECE, Stop};
use crate::error::Why;
use crate::limits::Budget;
use ::zstd::stream::raw::{DParameter, Decoder, Operation};

const WINDOW_LOG: u32 = 23;

/// The largest window, two blocks, the tables and the piece.
const MEMORY: usize = (8 << 20) + (512 << 10);

const BLOCK_HEADER: usize = 3;

#[derive(Default)]
pub(crate) struct Zstd {
    inner: Option<Inner>,
    /// Whether the last frame has ended.
    ended: bool,
}

struct Inner {
    decoder: Decoder<'static>,
    piece: Box<[u8; PIECE]>,
    /// The begin of a block. The library would put out parts of some blocks, and which parts depends on
    /// the cut.
    held: Vec<u8>,
    /// Bytes of input up to the end of the block or of its header: one at a time, so that what stands
    /// before a damaged block is put out however the input was cut.
    wants: usize,
}

impl Zstd {
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        while !input.is_empty() {
            let inner = match &mut self.inner {
                Some(inner) => inner,
                none => none.insert(Inner::new(budget)?),
            };
            let (taken, ended) = inner.step(input, budget, out)?;
            self.ended = ended;
            input = input.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.ended || self.inner.is_none()
    }

    pub(crate) fn memory(&self) -> usize {
        if self.inner.is_some() { MEMORY } else { 0 }
    }
}

impl Inner {
    fn new(budget: &mut Budget) -> Result<Self, Why> {
        budget.reserve(MEMORY)?;
        let mut decoder = Decoder::new().map_err(|_| Why::TooMuchMemory)?;
        decoder
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
            .map_err(|_| Why::TooMuchMemory)?;
        Ok(Self { decoder, piece: Box::new([0; PIECE]), held: Vec::new(), wants: 1 })
    }

    /// Takes what is missing of one block, and decodes it; how much was taken, and whether a frame has
    /// ended there.
    fn step(
        &mut self,
        input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(usize, bool), Stop> {
        let missing = self.wants.saturating_sub(self.held.len());
        let now = input.get(..missing).unwrap_or(input);
        if now.len() < missing {
            self.held.extend_from_slice(now);
            return Ok((now.len(), false));
        }
        if self.held.is_empty() {
            return Ok((now.len(), self.block(now, budget, out)?));
        }
        self.held.extend_from_slice(now);
        let mut held = std::mem::take(&mut self.held);
        let ended = self.block(&held, budget, out)?;
        held.clear();
        self.held = held;
        Ok((now.len(), ended))
    }

    fn block(
        &mut self,
        block: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<bool, Stop> {
        let mut taken = 0;
        loop {
            let rest = block.get(taken..).unwrap_or_default();
            let status = self
                .decoder
                .run_on_buffers(rest, self.piece.as_mut_slice())
                .map_err(|_| Why::Damaged)?;
            taken += status.bytes_read;
            let text = self.piece.get(..status.bytes_written).unwrap_or_default();
            if !text.is_empty() {
                out(text, budget)?;
            }
            // The hint covers the header of the next block.
            self.wants = match status.remaining {
                block @ 4.. => block - BLOCK_HEADER,
                header => header.max(1),
            };
            if taken == block.len() && status.bytes_written < PIECE {
                return Ok(status.remaining == 0);
            }
            if status.bytes_read == 0 && status.bytes_written == 0 {
                return Err(Why::Damaged.into());
            }
        }
    }
}
