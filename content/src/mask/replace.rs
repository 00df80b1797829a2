//! What stands in place of a value.

use exeat_policy::mask::{Mask, Numbers, With};
use std::fmt;
use std::sync::Arc;

/// A keyed hash of a value, by which equal values are joined. The key belongs to whoever makes it.
pub type Digest = Arc<dyn Fn(&[u8]) -> [u8; 6] + Send + Sync>;

/// What is looked for in a body, and what stands in its place.
#[derive(Clone)]
pub struct Masks {
    list: Vec<Arc<Mask>>,
    digest: Digest,
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masks").field("list", &self.list).finish_non_exhaustive()
    }
}

impl Masks {
    /// `digest` names values under [`With::Hash`].
    #[must_use]
    pub fn new(list: Vec<Arc<Mask>>, digest: Digest) -> Self {
        Self { list, digest }
    }

    pub(super) fn list(&self) -> &[Arc<Mask>] {
        &self.list
    }

    pub(super) fn numbers(&self, mask: usize) -> Numbers {
        self.list.get(mask).map(|mask| mask.numbers).unwrap_or_default()
    }

    pub(super) fn name(&self, mask: usize, detector: usize) -> &str {
        self.list.get(mask).map_or("", |mask| mask.set.name(detector))
    }

    /// Whether the text is nothing but what stands in place of a value.
    pub(super) fn is_ours(&self, text: &[u8]) -> bool {
        let inside = text.strip_prefix(b"[exeat:").and_then(|text| text.strip_suffix(b"]"));
        let Some(inside) = inside else { return false };
        let mut names = self.list.iter().flat_map(|mask| mask.set.names());
        names.any(|name| match inside.strip_prefix(name.as_bytes()) {
            Some([]) => true,
            Some([b':', digest @ ..]) => {
                digest.len() == 12 && digest.iter().all(u8::is_ascii_hexdigit)
            }
            _ => false,
        })
    }

    /// Made of characters alone that need no escape in a JSON string, at any depth.
    pub(super) fn replacement(&self, mask: usize, detector: usize, value: &[u8]) -> Vec<u8> {
        let name = self.name(mask, detector);
        let with = self.list.get(mask).map(|mask| mask.with).unwrap_or_default();
        match with {
            With::Placeholder => format!("[exeat:{name}]").into_bytes(),
            With::Hash => {
                let digest = (self.digest)(value).map(|byte| format!("{byte:02x}")).concat();
                format!("[exeat:{name}:{digest}]").into_bytes()
            }
            With::Partial => partial(value),
        }
    }
}

/// The last four characters, but never more than half; of these, letters and digits alone.
fn partial(value: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    let length = text.chars().count();
    let kept = (length / 2).min(4);
    let shown = text.chars().enumerate().map(|(at, char)| {
        if at >= length - kept && char.is_ascii_alphanumeric() { char } else { '*' }
    });
    shown.collect::<String>().into_bytes()
}

/// The same number without its digits: valid, and as long. `first`: whether the digit before it, if
/// any, is none of the number's.
pub(super) fn digits(text: &[u8], before: &[u8], out: &mut Vec<u8>) {
    let mut first = before.iter().all(|byte| *byte == b'-');
    for byte in text {
        if byte.is_ascii_digit() {
            out.push(if first { b'1' } else { b'0' });
            first = false;
        } else {
            out.push(*byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_half_is_kept() {
        assert_eq!(partial(b"4111111111111111"), b"************1111");
        assert_eq!(partial(b"abcde"), b"***de");
        assert_eq!(partial(b"a"), b"*");
        assert_eq!(partial(b"12\"4"), b"***4");
        assert_eq!(partial("ééab".as_bytes()), b"**ab");
    }

    #[test]
    fn a_number_stays_one() {
        let fill = |text: &[u8], before: &[u8]| {
            let mut out = Vec::new();
            digits(text, before, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(fill(b"4111", b""), "1000");
        assert_eq!(fill(b"-411.5e7", b""), "-100.0e0");
        assert_eq!(fill(b"411", b"-"), "100");
        assert_eq!(fill(b"411", b"3"), "000");
    }
}
