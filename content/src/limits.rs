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
}

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
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, granted: limits.output_base, spent: 0, memory: 0 }
    }

    /// Grants what the step of the body is worth that ends at `end`.
    pub(crate) fn grant(&mut self, end: u64) {
        let steps = end.div_ceil(STEP as u64).saturating_mul(STEP as u64);
        let worth = steps.saturating_mul(self.limits.output_per_input);
        self.granted = self.limits.output_base.saturating_add(worth).min(self.limits.output_total);
    }

    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Why> {
        self.spent = self.spent.saturating_add(bytes as u64);
        if self.spent > self.granted { Err(Why::TooMuchOutput) } else { Ok(()) }
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
