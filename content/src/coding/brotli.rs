//! `br`, RFC 7932. A large window, which is no part of the format, is refused.

use super::{Out, PIECE, Stop};
use crate::error::Why;
use crate::limits::Budget;
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

/// The tables and the piece of one decoder, beside its window.
const TABLES: usize = 4 << 20;

#[derive(Default)]
pub(crate) struct Brotli {
    inner: Option<Box<Inner>>,
    ended: bool,
}

struct Inner {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    piece: Box<[u8; PIECE]>,
    memory: usize,
}

impl Brotli {
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        let Some(&first) = input.first() else { return Ok(()) };
        if self.ended {
            return Err(Why::Trailing.into());
        }
        let inner = match &mut self.inner {
            Some(inner) => inner,
            none => none.insert(Box::new(Inner::new(first, budget)?)),
        };
        self.ended = inner.push(input, budget, out)?;
        Ok(())
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.ended || self.inner.is_none()
    }

    pub(crate) fn memory(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.memory)
    }
}

impl Inner {
    fn new(first: u8, budget: &mut Budget) -> Result<Self, Why> {
        let memory = (1 << window_bits(first)) + TABLES;
        budget.reserve(memory)?;
        let alloc = StandardAlloc::default;
        let state = BrotliState::new_strict(alloc(), alloc(), alloc());
        Ok(Self { state, piece: Box::new([0; PIECE]), memory })
    }

    fn push(&mut self, input: &[u8], budget: &mut Budget, out: &mut Out<'_>) -> Result<bool, Stop> {
        let (mut left, mut at, mut total) = (input.len(), 0, 0);
        loop {
            let (mut room, mut wrote) = (PIECE, 0);
            let result = BrotliDecompressStream(
                &mut left,
                &mut at,
                input,
                &mut room,
                &mut wrote,
                self.piece.as_mut_slice(),
                &mut total,
                &mut self.state,
            );
            if let Some(text) = self.piece.get(..wrote).filter(|text| !text.is_empty()) {
                out(text, budget)?;
            }
            match result {
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::NeedsMoreInput => return Ok(false),
                BrotliResult::ResultSuccess if left > 0 => return Err(Why::Trailing.into()),
                BrotliResult::ResultSuccess => return Ok(true),
                BrotliResult::ResultFailure => return Err(Why::Damaged.into()),
            }
        }
    }
}

/// The size of the window by the first byte of a stream, RFC 7932 §9.1.
fn window_bits(first: u8) -> u32 {
    if first & 1 == 0 {
        return 16;
    }
    match (first >> 1 & 7, first >> 4 & 7) {
        (0, 0) => 17,
        // A large window, which the decoder then refuses.
        (0, 1) => 24,
        (0, n) => 8 + u32::from(n),
        (n, _) => 17 + u32::from(n),
    }
}
