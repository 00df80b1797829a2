//! Detectors: secrets and personal data in a stream of bytes.
//!
//! ```
//! use exeat_policy::detect::{Finder, Set};
//! let set = Set::compile(&["credit-card", "iban"], &[]).unwrap();
//! let mut finder = Finder::new(&set);
//! let mut found = Vec::new();
//! finder.push(b"card: 4111 1111 1111", &mut |finding| found.push(finding));
//! assert_eq!(finder.open(), 14);
//! finder.push(b" 1111.", &mut |finding| found.push(finding));
//! finder.finish(&mut |finding| found.push(finding));
//! assert_eq!((found[0].start, found[0].end), (6, 25));
//! assert_eq!(set.name(found[0].detector), "credit-card");
//! ```
//!
//! A [`Set`] is compiled once for a rule, and a [`Finder`] of it is made for each body, message or
//! field. What a finder finds depends on the bytes alone: any chunking gives the same findings in the
//! same order. A finding is reported when nothing that follows can change it, so that whoever masks lets
//! through all but the last [`Finder::open`] bytes.
//!
//! It sees bytes as they are: what is encoded is for the caller to decode first. Letters of escapes
//! (`\n`, `%3D`, `\u0022`) are told from those of tokens.
//!
//! Overlaps: the leftmost match, then the longest, then the first in the catalogue; `generic-secret`
//! gives way to all others.
//!
//! Bounds: a finder keeps at most 16 KiB of what was pushed before, and a little for each open match. A
//! match is at most [`LONGEST`] bytes long; a private key that is longer is found up to there.

mod assignment;
mod catalogue;
mod check;
mod checksum;
mod custom;
mod detector;
mod finder;
mod phrase;
mod queue;
mod set;
mod shape;
mod starts;
mod triggers;

pub use catalogue::{CATALOGUE_VERSION, all, by_name, nearest};
pub use custom::{
    CustomDetector, ExactData, ExactError, MAX_DIGESTS, MAX_KEYWORD, MAX_KEYWORDS, MAX_WORD,
    normalised,
};
pub use detector::{Begin, Check, Detector, Edge, Group, NEAR, example};
pub use finder::{Finder, Finding};
pub use set::{DetectError, Set};
pub use shape::LONGEST;

#[cfg(test)]
mod tests;
