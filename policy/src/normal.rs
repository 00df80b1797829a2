//! Names, hosts and paths in the one form that is both decided and put on the wire.
//!
//! Everything here is idempotent: normalising twice gives what normalising once gave. What has
//! more than one reading is refused rather than guessed, since two readers that differ (this
//! proxy and a server) are what a bypass is made of.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// Longest name in its presentation form, RFC 1035 §2.3.4.
pub const MAX_NAME: usize = 253;
/// Longest path that is decided; longer ones are refused.
pub const MAX_PATH: usize = 8 * 1024;

/// A DNS name: lower case, A-labels (UTS 46, non-transitional), no trailing dot, never an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<str>);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("the name is longer than 253 characters")]
    TooLong,
    #[error("the label {0:?} is empty, longer than 63 characters, or begins or ends with a hyphen")]
    Label(String),
    #[error("the name has a character that host names cannot have")]
    Character,
    #[error("the name is not valid under IDNA (UTS 46)")]
    Idna,
    #[error("the last label is a number, so some clients read the name as an IP address")]
    EndsInNumber,
}

impl Name {
    /// Parses and normalises. One trailing dot is removed. Underscores are accepted, since real
    /// names have them.
    ///
    /// # Errors
    /// Names that end in a number (`127.1`, `0x7f.1`, `2130706433`) are refused: WHATWG URL
    /// parsers, and so many clients, read them as IPv4 addresses.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 4 * MAX_NAME {
            return Err(NameError::TooLong);
        }
        let ascii = if text.is_ascii() && !has_a_label(text) {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).map_err(|_| NameError::Idna)?
        };
        check_name(&ascii)?;
        Ok(Self(ascii.into_boxed_str()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn has_a_label(text: &str) -> bool {
    text.split('.')
        .any(|label| label.len() >= 4 && label.as_bytes()[..4].eq_ignore_ascii_case(b"xn--"))
}

fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    for label in name.split('.') {
        if label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-') {
            return Err(NameError::Label(label.to_owned()));
        }
        if !label
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        {
            return Err(NameError::Character);
        }
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    let hex =
        last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NameError::EndsInNumber);
    }
    Ok(())
}

/// Where a connection goes: by name, or by address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Name(Name),
    Ip(IpAddr),
}

impl Host {
    /// Parses the host part of an authority (RFC 3986 §3.2.2): a name, a dotted quad of four
    /// decimal numbers without leading zeros, or an IPv6 address in brackets without a zone.
    ///
    /// # Errors
    /// Everything else, `0177.0.0.1`, `0x7f000001` and `[fe80::1%25eth0]` among it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return inner
                .parse::<Ipv6Addr>()
                .map(|ip| Self::Ip(ip.into()))
                .map_err(|_| NameError::Character);
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(ip.into()));
        }
        Name::parse(text).map(Self::Name)
    }
}

impl fmt::Display for Host {
    /// As in an authority: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// Why a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    #[error("the path is too long")]
    TooLong,
    #[error("the path has a character that URLs cannot have unencoded")]
    Character,
    #[error("the path has a percent sign that is not followed by two hexadecimal digits")]
    Escape,
    #[error("the path encodes a slash, a backslash, a percent sign or a control character")]
    Forbidden,
    #[error("the path has a semicolon, which some servers cut off and others keep")]
    Semicolon,
    #[error("the path is not UTF-8 after decoding")]
    Utf8,
}

/// A path as decided and sent: RFC 3986 §6.2.2 normalisation, and no more than one reading.
///
/// Unreserved characters are decoded, other escapes are upper-cased, dot segments are resolved,
/// empty segments are dropped (a final slash stays).
///
/// # Errors
/// `%2F`, `%5C`, `%00` and other control bytes, `\`, `;` and `%3B`, `%25` before two hex digits,
/// and escapes that are not UTF-8.
pub fn normalise_path(path: &str) -> Result<String, PathError> {
    if path.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    let (wire, decoded) = decode(path.as_bytes())?;
    std::str::from_utf8(&decoded).map_err(|_| PathError::Utf8)?;
    Ok(remove_dots(&wire))
}

/// The bytes that a path in wire form stands for; borrowed where it has no escapes.
pub(crate) fn fully_decoded(wire: &str) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(wire).into()
}

/// The wire form of a piece of a path pattern. Dot segments and empty ones are the caller's.
pub(crate) fn normalise_literal(piece: &str) -> Result<String, PathError> {
    let (wire, decoded) = decode(piece.as_bytes())?;
    std::str::from_utf8(&decoded).map_err(|_| PathError::Utf8)?;
    Ok(wire)
}

/// The wire form, and the bytes that it stands for.
fn decode(path: &[u8]) -> Result<(String, Vec<u8>), PathError> {
    let mut wire = String::with_capacity(path.len());
    let mut decoded = Vec::with_capacity(path.len());
    let mut i = 0;
    while i < path.len() {
        let b = path[i];
        if b != b'%' {
            if !is_pchar(b) {
                return Err(if b == b';' { PathError::Semicolon } else { PathError::Character });
            }
            wire.push(char::from(b));
            decoded.push(b);
            i += 1;
            continue;
        }
        let byte = escape_at(path, i).ok_or(PathError::Escape)?;
        match byte {
            b'/' | b'\\' | 0..=0x1f | 0x7f => return Err(PathError::Forbidden),
            b';' => return Err(PathError::Semicolon),
            _ => {}
        }
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            wire.push(char::from(byte));
        } else {
            wire.push_str(&format!("%{byte:02X}"));
        }
        decoded.push(byte);
        i += 3;
    }
    // `%25%41%41` is a double escape as much as `%2541` is.
    let double = (0..decoded.len()).any(|at| decoded[at] == b'%' && hex_pair(&decoded, at + 1));
    if double { Err(PathError::Forbidden) } else { Ok((wire, decoded)) }
}

/// RFC 3986 `pchar` and slash, without the semicolon.
fn is_pchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/".contains(&b)
}

fn hex_pair(bytes: &[u8], at: usize) -> bool {
    bytes.get(at..at + 2).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
}

fn escape_at(path: &[u8], at: usize) -> Option<u8> {
    let pair = path.get(at + 1..at + 3)?;
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if open || kept.is_empty() {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests;
