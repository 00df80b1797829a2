//! The bytes of a path, and how each of them is written.

use super::PathError;

/// One byte of a path, decoded once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) byte: u8,
    /// Whether it was written as `%XX`.
    pub(super) escaped: bool,
}

/// The tokens of a path. A percent sign without two hexadecimal digits stands for itself.
pub(super) fn tokens(path: &[u8]) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *path.get(at)?;
        let escape = (byte == b'%').then(|| escape_at(path, at)).flatten();
        at += if escape.is_some() { 3 } else { 1 };
        Some(Token { byte: escape.unwrap_or(byte), escaped: escape.is_some() })
    })
}

/// The path in the form of a reading, with nothing resolved.
pub(super) fn canonical(path: &[u8]) -> Result<String, PathError> {
    let mut text = String::with_capacity(path.len());
    for token in tokens(path) {
        token.write(&mut text)?;
    }
    Ok(text)
}

impl Token {
    /// Writes it as data, or as the separator that it is when it is a slash that was not escaped.
    pub(super) fn write(self, text: &mut String) -> Result<(), PathError> {
        let plain = if self.escaped { is_unreserved(self.byte) } else { is_plain(self.byte) };
        if self.byte.is_ascii_control() {
            return Err(PathError::Control);
        }
        if plain {
            text.push(char::from(self.byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            text.push('%');
            text.push(char::from(HEX[usize::from(self.byte >> 4)]));
            text.push(char::from(HEX[usize::from(self.byte & 15)]));
        }
        Ok(())
    }
}

/// Whether `bytes` hold an escape.
pub(super) fn has_escape(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'%', bytes).any(|at| escape_at(bytes, at).is_some())
}

pub(super) fn escape_at(path: &[u8], at: usize) -> Option<u8> {
    let pair = path.get(at + 1..at + 3)?;
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

/// RFC 3986 `unreserved`.
const fn is_unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 `pchar` and slash.
const fn is_plain(b: u8) -> bool {
    is_unreserved(b)
        || matches!(b, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';')
        || matches!(b, b'=' | b':' | b'@' | b'/')
}
