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

use crate::batch::SignedHead;
use crate::chain::{ChainId, Link};
use crate::time;
use ed25519_dalek::{Signature, Signer};
use std::fmt;
use zeroize::Zeroizing;

/// First line of the signed text.
pub const HEAD_DOMAIN: &str = "exeat.dev/audit/head/v1";

/// A chain's private key. Wiped when dropped; prints nothing of itself.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A chain's public key, as its Genesis states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

/// Why a head does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    #[error("the public key is not 64 lower-case hex digits of an Ed25519 key")]
    PublicKey,
    #[error("the head's chain id, link or time is malformed")]
    Malformed,
    #[error("the signature is not by the chain's key over this head")]
    Signature,
}

impl SigningKey {
    /// The key of a seed that was drawn at random by the caller.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, for storage where only the proxy can read it.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl PublicKey {
    /// From the hex of a Genesis.
    ///
    /// # Errors
    /// When it is not the hex of a point of the curve, or is of small order.
    pub fn from_hex(text: &str) -> Result<Self, HeadError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(HeadError::PublicKey);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| HeadError::PublicKey)?;
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| HeadError::PublicKey)?;
        if key.is_weak() {
            return Err(HeadError::PublicKey);
        }
        Ok(Self(key))
    }

    /// For a Genesis.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_bytes())
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
        head.signature = hex::encode(key.0.sign(head.signed_text().as_bytes()).to_bytes());
        head
    }

    /// The text that the signature covers.
    pub fn signed_text(&self) -> String {
        format!("{HEAD_DOMAIN}\n{}\n{}\n{}\n{}\n\n", self.chain, self.seq, self.link, self.time)
    }

    /// Checks the form of every field and the signature; returns the link that it covers.
    ///
    /// # Errors
    /// When a field is malformed or the signature is not by `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<Link, HeadError> {
        self.chain.parse::<ChainId>().map_err(|_| HeadError::Malformed)?;
        let link = self.link.parse::<Link>().map_err(|_| HeadError::Malformed)?;
        time::parse(&self.time).ok_or(HeadError::Malformed)?;
        let mut bytes = [0; 64];
        hex::decode_to_slice(&self.signature, &mut bytes).map_err(|_| HeadError::Malformed)?;
        key.0
            .verify_strict(self.signed_text().as_bytes(), &Signature::from_bytes(&bytes))
            .map_err(|_| HeadError::Signature)?;
        Ok(link)
    }
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

    #[test]
    fn a_key_survives_storage_and_keeps_quiet() {
        let (_, key) = head();
        assert_eq!(SigningKey::from_seed(&key.to_seed()).public(), key.public());
        assert_eq!(PublicKey::from_hex(&key.public().to_hex()), Ok(key.public()));
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }

    #[test]
    fn weak_keys_are_refused() {
        // The neutral element: under it, one signature would fit any text.
        let mut neutral = "01".to_owned();
        neutral.push_str(&"00".repeat(31));
        assert_eq!(PublicKey::from_hex(&neutral), Err(HeadError::PublicKey));
    }
}
