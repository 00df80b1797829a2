//! Base64 of both alphabets, as it comes. What is outside of them is passed over, as RFC 2045 §6.8 asks;
//! padding begins anew, so that several texts may stand in a row.

use super::{Out, Stop};
use crate::limits::Budget;

#[derive(Debug, Default)]
pub(crate) struct Base64 {
    bits: Bits,
}

/// Six bits a time in, whole bytes out.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Bits {
    held: u32,
    count: u8,
}

impl Bits {
    /// Takes a character of an alphabet by its value.
    pub(crate) fn push(&mut self, value: u8) -> Option<u8> {
        self.held = self.held << 6 | u32::from(value);
        self.count += 6;
        let shift = self.count.checked_sub(8)?;
        self.count = shift;
        let [.., byte] = (self.held >> shift).to_be_bytes();
        Some(byte)
    }
}

/// The value of a character in base64 or base64url; [`NONE`] for any other byte.
pub(crate) const VALUES: [u8; 256] = values();

pub(crate) const NONE: u8 = 0xff;

const fn values() -> [u8; 256] {
    let mut table = [NONE; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        table[letters[at] as usize] = at as u8;
        at += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
}

impl Base64 {
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        let mut buffer = [0; 768];
        for piece in input.chunks(1024) {
            let mut len = 0;
            for &byte in piece {
                if byte == b'=' {
                    self.bits = Bits::default();
                }
                let value = VALUES[usize::from(byte)];
                if value == NONE {
                    continue;
                }
                if let (Some(byte), Some(place)) = (self.bits.push(value), buffer.get_mut(len)) {
                    *place = byte;
                    len += 1;
                }
            }
            out(buffer.get(..len).unwrap_or_default(), budget)?;
        }
        Ok(())
    }
}
