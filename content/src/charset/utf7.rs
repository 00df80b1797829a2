//! UTF-7, RFC 2152: `+` begins base64 of UTF-16, which ends at the first byte outside of the alphabet; a
//! `-` there is part of it. `+-` is a plus.

use crate::coding::base64::{NONE, VALUES};
use crate::error::DecodeError;

#[derive(Default)]
pub(crate) struct Utf7 {
    shifted: bool,
    /// Whether anything stands behind the `+`.
    filled: bool,
    bits: u32,
    count: u8,
    high: Option<u32>,
}

impl Utf7 {
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        out: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        for piece in bytes.chunks(1024) {
            let mut text = Vec::with_capacity(piece.len());
            for &byte in piece {
                self.step(byte, &mut text);
            }
            out(&text)?;
        }
        Ok(())
    }

    fn step(&mut self, byte: u8, text: &mut Vec<u8>) {
        if !self.shifted {
            if byte == b'+' {
                *self = Self { shifted: true, ..Self::default() };
            } else {
                text.push(byte);
            }
            return;
        }
        let value = match byte {
            b'-' | b'_' => NONE,
            other => VALUES[usize::from(other)],
        };
        if value == NONE {
            if byte == b'-' && !self.filled {
                text.push(b'+');
            } else if byte != b'-' {
                text.push(byte);
            }
            *self = Self::default();
            return;
        }
        self.filled = true;
        self.bits = self.bits << 6 | u32::from(value);
        self.count += 6;
        if let Some(left) = self.count.checked_sub(16) {
            self.count = left;
            let unit = self.bits >> left & 0xffff;
            self.bits &= (1 << left) - 1;
            push_unit(&mut self.high, unit, text);
        }
    }
}

/// Takes one unit of UTF-16; a pair is joined, what is no character is U+FFFD.
pub(crate) fn push_unit(high: &mut Option<u32>, unit: u32, text: &mut Vec<u8>) {
    let point = match (high.take(), unit) {
        (_, 0xd800..=0xdbff) => {
            *high = Some(unit);
            return;
        }
        (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (unit - 0xdc00),
        _ => unit,
    };
    let char = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}
