//! The stream that [`crate::paths::CREDENTIALS`] answers with: a line of JSON, which is one [`Set`],
//! at once and after every change, and empty lines between them, as in [`crate::snapshots`].
//!
//! Values travel here and nowhere else: not in snapshots, which are kept on disk and have digests.
//! What holds one wipes its memory in the end and prints no value.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroizing;

/// The longest line, in bytes.
pub const MAX_LINE: usize = 8 << 20;
/// How long a value may be, in bytes. A shorter one could not be told from ordinary text in an
/// answer; a longer one fits no header.
pub const VALUE_LENGTH: std::ops::RangeInclusive<usize> = 8..=8192;

/// Every credential that the policies of one pod name.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Set {
    pub pod_uid: String,
    pub credentials: Vec<Delivered>,
}

/// One key of a Secret in the pod's namespace.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    pub secret: String,
    pub key: String,
    #[serde(flatten)]
    pub state: State,
}

/// What is known of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Value(Value),
    Unavailable(Reason),
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// No Role lets the controller read the Secret.
    Forbidden,
    /// There is no such Secret.
    NoSecret,
    /// The Secret has no such key.
    NoKey,
    /// The value is no printable ASCII, or too short or too long.
    Unusable,
    /// The controller has not read it yet.
    Unknown,
}

impl Reason {
    /// For people, to complete "the credential is not available: ".
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "no Role lets Exeat read the Secret",
            Self::NoSecret => "the Secret does not exist",
            Self::NoKey => "the Secret has no such key",
            Self::Unusable => "the value is not 8 to 8192 characters of printable ASCII",
            Self::Unknown => "the Secret was not read yet",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of a credential: printable ASCII. Never printed, and wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Zeroizing<String>);

impl Value {
    /// From the bytes of a Secret. One line end behind them is taken off, which editors and `echo`
    /// leave there.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let plain = line.iter().all(|byte| (b' '..=b'~').contains(byte));
        let edges = line.first() != Some(&b' ') && line.last() != Some(&b' ');
        if !plain || !edges || !VALUE_LENGTH.contains(&line.len()) {
            return None;
        }
        Some(Self(Zeroizing::new(str::from_utf8(line).ok()?.to_owned())))
    }

    /// The value itself, for the place where it goes out and for finding it in what comes back.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Self::of(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("a value is unusable"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_read_as_it_was_written_and_prints_no_value() {
        let delivered =
            |key: &str, state| Delivered { secret: "model".to_owned(), key: key.to_owned(), state };
        let set = Set {
            pod_uid: "u".to_owned(),
            credentials: vec![
                delivered("a", State::Value(Value::of(b"sk-\"secret\\").unwrap())),
                delivered("b", State::Unavailable(Reason::Forbidden)),
            ],
        };
        let line = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<Set>(&line).unwrap(), set);
        assert!(!format!("{set:?}").contains("secret\\"), "{set:?}");
        let error = serde_json::from_str::<Value>("\"sec\\u0000retsecret\"").unwrap_err();
        assert!(!error.to_string().contains("retsecret"), "{error}");
    }

    #[test]
    fn a_value_is_one_line_that_fits_a_header() {
        assert_eq!(Value::of(b"12345678\n").unwrap().expose(), "12345678");
        assert_eq!(Value::of(b"12345678\r\n").unwrap().expose(), "12345678");
        for bad in ["1234567", "12345678\n\n", "1234\r\n5678", " 12345678", "1234567\u{e9}", ""] {
            assert!(Value::of(bad.as_bytes()).is_none(), "{bad:?}");
        }
        assert!(Value::of(&[b'a'; 8192]).is_some() && Value::of(&[b'a'; 8193]).is_none());
    }
}
