//! Names and hosts in the one form that is both decided and put on the wire. Paths are in
//! [`reading`](crate::reading).
//!
//! Everything here is idempotent: normalising twice gives what normalising once gave. A name with
//! more than one reading is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

/// Longest name in its presentation form, RFC 1035 §2.3.4.
pub const MAX_NAME: usize = 253;

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

#[cfg(test)]
mod tests;
