//! UTF-32: four bytes a character. What is no character is U+FFFD.

use crate::error::DecodeError;

pub(crate) struct Utf32 {
    big: bool,
    held: [u8; 4],
    len: usize,
    begun: bool,
}

impl Utf32 {
    pub(crate) fn new(big: bool) -> Self {
        Self { big, held: [0; 4], len: 0, begun: false }
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        out: &mut dyn FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let mut text = String::new();
        for &byte in bytes {
            if let Some(place) = self.held.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
            if self.len == self.held.len() {
                self.len = 0;
                self.unit(&mut text);
            }
            if text.len() >= 1024 {
                out(text.as_bytes())?;
                text.clear();
            }
        }
        out(text.as_bytes())
    }

    fn unit(&mut self, text: &mut String) {
        let value =
            if self.big { u32::from_be_bytes(self.held) } else { u32::from_le_bytes(self.held) };
        let first = !std::mem::replace(&mut self.begun, true);
        match value {
            0xfeff if first => {}
            // The mark of the other order.
            0xfffe_0000 if first => self.big = !self.big,
            other => text.push(char::from_u32(other).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }
}
