//! Signed heads: the end of a chain at a moment, under the chain's Ed25519 key.
//!
//! The signed text is six lines, each ended by one line feed, and nothing else:
//!
//! ```text
//! exeat.dev/audit/head/v1
//! <chain id>
//! <seq, decimal, no leading zeros>
//! <link, 64 lower-case hex digits>
//! <time, as in a record>
//!
//! ```
//!
//! (the sixth line is empty). None of the fields can hold a line feed, so one text has one meaning.

use crate::chain::{ChainId, ChainWriter, Link};
use crate::key::{KeyError, PublicKey, SIGNATURE_BYTES, SigningKey};
use crate::time::{self, Stamp};
use serde::{Deserialize, Serialize};

/// First line of the signed text.
pub const HEAD_DOMAIN: &str = "exeat.dev/audit/head/v1";

/// The end of a chain at a moment, signed by the chain's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedHead {
    pub chain: String,
    /// Sequence of the last entry covered.
    pub seq: u64,
    /// Hex of that entry's link.
    pub link: String,
    /// RFC 3339, UTC, milliseconds.
    pub time: String,
    /// Hex of the 64-byte Ed25519 signature.
    pub signature: String,
}

/// The part of a head that does not follow from the entries: the time and the signature. Whoever
/// has the entries and the seal has the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    pub time: Stamp,
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why a head does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    #[error("the head's chain id, link or time is malformed")]
    Malformed,
    #[error("the signature is not by the chain's key over this head")]
    Signature,
}

impl From<KeyError> for HeadError {
    fn from(_: KeyError) -> Self {
        Self::Signature
    }
}

impl Seal {
    /// Signs the end of a chain: the entry `seq`, whose link is `link`.
    pub fn sign(chain: &ChainId, seq: u64, link: Link, time: Stamp, key: &SigningKey) -> Self {
        let text = signed_text(chain.as_str(), seq, &link.to_string(), time.as_str());
        Self { time, signature: key.sign(text.as_bytes()) }
    }

    /// The head that this seals.
    pub fn head(&self, chain: &ChainId, seq: u64, link: Link) -> SignedHead {
        SignedHead {
            chain: chain.to_string(),
            seq,
            link: link.to_string(),
            time: self.time.to_string(),
            signature: hex::encode(self.signature),
        }
    }
}

impl SignedHead {
    /// Signs the end of a chain. `time` is in the form of [`crate::time`].
    pub fn sign(chain: &ChainId, seq: u64, link: Link, time: &str, key: &SigningKey) -> Self {
        let mut head = Self {
            chain: chain.to_string(),
            seq,
            link: link.to_string(),
            time: time.to_owned(),
            signature: String::new(),
        };
        head.signature = hex::encode(key.sign(head.signed_text().as_bytes()));
        head
    }

    /// The text that the signature covers.
    pub fn signed_text(&self) -> String {
        signed_text(&self.chain, self.seq, &self.link, &self.time)
    }

    /// Checks the form of every field and the signature; returns the link that it covers.
    ///
    /// # Errors
    /// When a field is malformed or the signature is not by `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<Link, HeadError> {
        self.chain.parse::<ChainId>().map_err(|_| HeadError::Malformed)?;
        let link = self.link.parse::<Link>().map_err(|_| HeadError::Malformed)?;
        time::parse(&self.time).ok_or(HeadError::Malformed)?;
        let mut signature = [0; SIGNATURE_BYTES];
        hex::decode_to_slice(&self.signature, &mut signature).map_err(|_| HeadError::Malformed)?;
        key.verify(self.signed_text().as_bytes(), &signature)?;
        Ok(link)
    }
}

impl ChainWriter {
    /// The chain's end at `time` (see [`crate::time`]), signed. None while there is no entry.
    pub fn head(&self, time: &str, key: &SigningKey) -> Option<SignedHead> {
        let (seq, link) = self.last()?;
        Some(SignedHead::sign(self.chain(), seq, link, time, key))
    }
}

fn signed_text(chain: &str, seq: u64, link: &str, time: &str) -> String {
    format!("{HEAD_DOMAIN}\n{chain}\n{seq}\n{link}\n{time}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn head() -> (SignedHead, SigningKey) {
        let key = SigningKey::from_seed(&[7; 32]);
        let chain: ChainId = "pod-1".parse().unwrap();
        (SignedHead::sign(&chain, 41, Link::start(&chain), TIME, &key), key)
    }

    #[test]
    fn the_signed_text_is_what_the_document_says() {
        let (head, _) = head();
        let expected = format!(
            "exeat.dev/audit/head/v1\npod-1\n41\n{}\n2026-01-02T03:04:05.678Z\n\n",
            head.link
        );
        assert_eq!(head.signed_text(), expected);
    }

    #[test]
    fn a_head_verifies_under_its_key_alone() {
        let (head, key) = head();
        assert_eq!(head.verify(&key.public()), Ok(Link::start(&"pod-1".parse().unwrap())));
        let other = SigningKey::from_seed(&[8; 32]);
        assert_eq!(head.verify(&other.public()), Err(HeadError::Signature));
    }

    #[test]
    fn a_seal_makes_the_same_head() {
        let (head, key) = head();
        let chain: ChainId = "pod-1".parse().unwrap();
        let time = Stamp::parse(TIME).unwrap();
        let seal = Seal::sign(&chain, 41, Link::start(&chain), time, &key);
        assert_eq!(seal.head(&chain, 41, Link::start(&chain)), head);
    }

    #[test]
    fn every_field_is_covered() {
        let (head, key) = head();
        let other = Link::start(&"pod-2".parse().unwrap()).to_string();
        let edits: [fn(&mut SignedHead, String); 4] = [
            |head, _| head.chain = "pod-2".to_owned(),
            |head, _| head.seq += 1,
            |head, other| head.link = other,
            |head, _| head.time = "2026-01-02T03:04:05.679Z".to_owned(),
        ];
        for edit in edits {
            let mut edited = head.clone();
            edit(&mut edited, other.clone());
            assert_eq!(edited.verify(&key.public()), Err(HeadError::Signature), "{edited:?}");
        }
    }

    #[test]
    fn malformed_fields_are_refused_before_the_signature() {
        let (head, key) = head();
        let edits: [fn(&mut SignedHead); 4] = [
            |head| head.chain = "pod\n1".to_owned(),
            |head| head.link.make_ascii_uppercase(),
            |head| head.time = "2026-01-02T03:04:05Z".to_owned(),
            |head| head.signature.truncate(126),
        ];
        for edit in edits {
            let mut edited = head.clone();
            edit(&mut edited);
            assert_eq!(edited.verify(&key.public()), Err(HeadError::Malformed), "{edited:?}");
        }
    }
}
