//! A chain's Ed25519 key pair (RFC 8032). The private half signs the chain's heads; the public half
//! stands in the chain's Genesis.

use ed25519_dalek::{Signature, Signer};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A chain's private key. Wiped when dropped; prints nothing of itself.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A chain's public key, as its Genesis states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

/// Why a key, or a signature by it, does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    #[error("the public key is not 64 lower-case hex digits of an Ed25519 key")]
    PublicKey,
    #[error("the signature is not by this key over this text")]
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

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(text).to_bytes()
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
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(KeyError::PublicKey);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError::PublicKey)?;
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::PublicKey)?;
        if key.is_weak() {
            return Err(KeyError::PublicKey);
        }
        Ok(Self(key))
    }

    /// For a Genesis.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    pub(crate) fn verify(
        &self,
        text: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), KeyError> {
        self.0
            .verify_strict(text, &Signature::from_bytes(signature))
            .map_err(|_| KeyError::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_storage_and_keeps_quiet() {
        let key = SigningKey::from_seed(&[7; 32]);
        assert_eq!(SigningKey::from_seed(&key.to_seed()).public(), key.public());
        assert_eq!(PublicKey::from_hex(&key.public().to_hex()), Ok(key.public()));
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }

    #[test]
    fn weak_keys_are_refused() {
        // The neutral element: under it, one signature would fit any text.
        let mut neutral = "01".to_owned();
        neutral.push_str(&"00".repeat(31));
        assert_eq!(PublicKey::from_hex(&neutral), Err(KeyError::PublicKey));
    }

    #[test]
    fn a_key_has_one_text() {
        let text = SigningKey::from_seed(&[7; 32]).public().to_hex();
        assert_eq!(PublicKey::from_hex(&text.to_uppercase()), Err(KeyError::PublicKey));
    }
}
