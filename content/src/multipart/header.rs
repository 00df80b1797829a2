//! The header of a part.

use crate::coding::quoted::digit;
use crate::error::{DecodeError, Why};
use crate::media::{Media, parameter};

/// Header fields of a part.
const MAX_FIELDS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) media: Media,
    pub(super) transfer: String,
    pub(super) name: Vec<u8>,
    pub(super) filename: Vec<u8>,
    /// `filename*`, RFC 8187, decoded but for its charset.
    pub(super) filename_star: Vec<u8>,
}

impl Header {
    /// Reads a block of fields; folded lines (RFC 5322 §2.2.3) are one.
    pub(super) fn parse(block: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(block);
        let unfolded = text.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
        let mut header = Self::default();
        let mut typed = Vec::new();
        for (count, line) in unfolded.lines().enumerate() {
            if count >= MAX_FIELDS {
                return Err(DecodeError::new("multipart", Why::HeaderTooLong));
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("content-disposition") {
                header.disposition(value);
            } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
                value.clone_into(&mut header.transfer);
            } else {
                typed.push((name, value.as_bytes()));
            }
        }
        header.media = Media::from_headers(typed);
        Ok(header)
    }

    fn disposition(&mut self, value: &str) {
        let of = |name| parameter(value, name).unwrap_or_default();
        self.name = of("name").into_bytes();
        self.filename = of("filename").into_bytes();
        let star = of("filename*");
        let text = star.splitn(3, '\'').last().unwrap_or("");
        self.filename_star = percent(text.as_bytes());
    }
}

fn percent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        match rest {
            [b'%', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(digit(*high) << 4 | digit(*low));
                rest = behind;
            }
            _ => {
                out.push(byte);
                rest = behind;
            }
        }
    }
    out
}
