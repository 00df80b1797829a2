//! Bytes that some servers take for other bytes: overlong UTF-8, `%uXXXX`, and the characters that
//! compatibility normalisation (NFKC, UAX #15) turns into ASCII, such as the full-width slash.

use icu_normalizer::ComposingNormalizerBorrowed;

/// The bytes as a lenient decoder reads them.
pub(super) fn folded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let plain = lenient(bytes);
    for chunk in plain.utf8_chunks() {
        let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(chunk.valid());
        out.extend(normal.bytes());
        out.extend(chunk.invalid());
    }
    out
}

/// Decodes `%uXXXX` and overlong forms of ASCII.
fn lenient(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if let Some(unit) = unicode_escape(&bytes[at..]) {
            let character = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend(character.encode_utf8(&mut [0; 4]).bytes());
            at += 6;
        } else if let Some((byte, length)) = overlong(&bytes[at..]) {
            out.push(byte);
            at += length;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

fn unicode_escape(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"%u").or_else(|| bytes.strip_prefix(b"%U"))?.get(..4)?;
    let text = std::str::from_utf8(digits).ok()?;
    if text.starts_with('+') { None } else { u32::from_str_radix(text, 16).ok() }
}

/// An ASCII character in more bytes than UTF-8 allows, and how many those are.
fn overlong(bytes: &[u8]) -> Option<(u8, usize)> {
    let zeros = match *bytes.first()? {
        0xc0 | 0xc1 => 0,
        0xe0 => 1,
        0xf0 => 2,
        0xf8 => 3,
        0xfc => 4,
        _ => return None,
    };
    let follows = bytes.get(1..zeros + 2)?;
    let continues = follows.iter().all(|b| b & 0xc0 == 0x80);
    let (last, before) = follows.split_last()?;
    let high = before.last().map_or(bytes[0] & 1, |b| b & 0x3f);
    let empty = before.split_last().is_none_or(|(_, zeros)| zeros.iter().all(|b| *b == 0x80));
    (continues && empty && high <= 1).then_some((high << 6 | last & 0x3f, zeros + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenient_decoders_are_followed() {
        for (bytes, want) in [
            (&b"\xc0\xaf"[..], "/"),
            (b"\xc0\xae", "."),
            (b"\xc1\x9c", "\\"),
            (b"\xe0\x80\xaf", "/"),
            (b"\xe0\x81\x9c", "\\"),
            (b"\xf0\x80\x80\xaf", "/"),
            (b"\xf8\x80\x80\x80\xae", "."),
            (b"%u002f%u002E", "/."),
            ("\u{ff0f}\u{ff0e}\u{ff3c}\u{ff05}\u{ff1b}".as_bytes(), "/.\\%;"),
            ("\u{2024}\u{2025}".as_bytes(), "..."),
            ("é".as_bytes(), "é"),
            (b"%u00", "%u00"),
        ] {
            assert_eq!(String::from_utf8_lossy(&folded(bytes)), want, "{bytes:x?}");
        }
        assert_eq!(folded(b"\xe9\xff"), b"\xe9\xff");
        assert_eq!(folded(b"\xc3\xa9\xe0\xa4\x85"), "\u{e9}\u{905}".as_bytes());
    }
}
