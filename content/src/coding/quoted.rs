//! Quoted-printable, RFC 2045 §6.7. What is no escape passes as it is.

use super::{Out, Stop};
use crate::limits::Budget;

#[derive(Debug, Default)]
pub(crate) struct Quoted {
    /// What was read of an escape, its `=` first.
    held: [u8; 2],
    len: usize,
}

impl Quoted {
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        while let Some((&byte, rest)) = input.split_first() {
            if self.len == 0 {
                let plain = memchr::memchr(b'=', input).unwrap_or(input.len());
                let (text, behind) = input.split_at(plain);
                if !text.is_empty() {
                    out(text, budget)?;
                }
                if let Some((_, behind)) = behind.split_first() {
                    self.hold(b'=');
                    input = behind;
                } else {
                    input = behind;
                }
                continue;
            }
            match (self.len, self.held[1], byte) {
                (1, _, b'\n') | (2, b'\r', b'\n') => self.len = 0,
                (1, _, b'\r') => self.hold(byte),
                (1, _, digit) if digit.is_ascii_hexdigit() => self.hold(byte),
                (2, high, low) if high != b'\r' && low.is_ascii_hexdigit() => {
                    self.len = 0;
                    out(&[digit(high) << 4 | digit(low)], budget)?;
                }
                _ => {
                    // No escape: the byte is read again as if it were the first.
                    self.flush(budget, out)?;
                    continue;
                }
            }
            input = rest;
        }
        Ok(())
    }

    fn hold(&mut self, byte: u8) {
        if let Some(place) = self.held.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    fn flush(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        let held = self.held;
        let len = std::mem::take(&mut self.len);
        Ok(out(held.get(..len).unwrap_or_default(), budget)?)
    }

    pub(crate) fn finish(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        self.flush(budget, out)
    }
}

/// The value of a hex digit; zero for any other byte.
pub(crate) fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0,
    }
}
