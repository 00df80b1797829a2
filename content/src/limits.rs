//! What one decoder may spend.

use crate::error::Why;

/// Bounds of one [`Decoder`](crate::Decoder).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Layers on top of one another, with the body as the first.
    pub depth: u8,
    /// Bytes of decoded text, of all streams but the body as sent, that are granted at once.
    pub output_base: u64,
    /// Bytes of decoded text that are granted for each byte of the body. Granted in steps of
    /// [`STEP`] bytes of the body.
    pub output_per_input: u64,
    /// Bytes of decoded text, whatever the length of the body.
    pub output_total: u64,
    /// Bytes of memory for the windows of decompressors, of all that are open at the same time. What
    /// else a decoder holds is bounded by its construction: see the crate's documentation.
    pub memory: usize,
    /// Streams that are open at the same time. Each holds at most [`STREAM`] bytes.
    pub streams: usize,
}

/// Bytes that one stream and what reads it hold at most, windows of decompressors apart: the path of a
/// JSON text of the deepest nesting, its buffer, and its states.
pub const STREAM: usize = 20 << 10;

/// What the begin of a stream costs, in bytes of decoded text.
const OPEN: u64 = 32;

/// The body is looked at in steps of this many bytes, wherever it is cut.
pub const STEP: usize = 16 << 10;

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 8,
            output_base: 32 << 20,
            output_per_input: 200,
            output_total: 16 << 30,
            memory: 32 << 20,
            streams: 1024,
        }
    }
}

/// What is left of the limits.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    granted: u64,
    spent: u64,
    memory: usize,
    streams: usize,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, granted: limits.output_base, spent: 0, memory: 0, streams: 0 }
    }

    /// Grants what the step of the body is worth that ends at `end`.
    pub(crate) fn grant(&mut self, end: u64) {
        let steps = end.div_ceil(STEP as u64).saturating_mul(STEP as u64);
        let worth = steps.saturating_mul(self.limits.output_per_input);
        self.granted = self.limits.output_base.saturating_add(worth).min(self.limits.output_total);
    }

    /// Pays for decoded text. Fails too where too many streams were opened before.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Why> {
        self.spent = self.spent.saturating_add(bytes as u64);
        if self.streams > self.limits.streams {
            return Err(Why::TooMuchMemory);
        }
        if self.spent > self.granted { Err(Why::TooMuchOutput) } else { Ok(()) }
    }

    /// A stream begins. Where there are too many, the next text fails.
    pub(crate) fn open(&mut self) {
        self.streams += 1;
        self.spent = self.spent.saturating_add(OPEN);
    }

    pub(crate) fn close(&mut self) {
        self.streams = self.streams.saturating_sub(1);
    }

    /// Takes memory; it is given back by [`Self::release`].
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), Why> {
        let memory = self.memory.saturating_add(bytes);
        if memory > self.limits.memory {
            return Err(Why::TooMuchMemory);
        }
        self.memory = memory;
        Ok(())
    }

    pub(crate) fn release(&mut self, bytes: usize) {
        self.memory = self.memory.saturating_sub(bytes);
    }

    pub(crate) fn too_deep(&self, depth: u8) -> bool {
        depth >= self.limits.depth
    }
}
