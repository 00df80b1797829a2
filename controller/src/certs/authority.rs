//! The certificate authority of an installation, as a value: how it is made, how it rotates and
//! what it issues. No clock and no cluster here; time is passed in.
//!
//! Rotation has two steps, so that nobody meets a certificate whose issuer it does not know yet:
//! first the next authority joins the bundle, and only after [`OVERLAP`] it signs. The old one stays
//! in the bundle until it expires.

use base64::Engine;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long an authority is valid.
pub(super) const AUTHORITY_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// An authority with less than this left gets a successor.
pub(super) const ROTATE_BEFORE: Duration = Duration::from_secs(60 * 24 * 3600);
/// How long a successor is in the bundle before it signs.
pub(super) const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// How long a leaf is valid; it is issued again after half of that.
pub(super) const LEAF_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Clocks may differ by this much.
const SKEW: u64 = 300;

/// What went wrong with a certificate or a key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("key: {0}")]
    Key(#[from] rustls::Error),
    #[error("PEM: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    #[error("state of the authority: {0}")]
    State(#[from] serde_json::Error),
    #[error("{0} is missing")]
    Missing(&'static str),
}

/// One certificate authority with its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authority {
    certificate: String,
    key: String,
    /// Unix seconds.
    created: u64,
    expires: u64,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The authority that signs, the one that will, and those that are still trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorities {
    signer: Authority,
    #[serde(default)]
    next: Option<Authority>,
    #[serde(default)]
    retired: Vec<Retired>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Retired {
    certificate: String,
    expires: u64,
}

impl Authority {
    /// A new authority, valid from `now` (Unix seconds).
    ///
    /// # Errors
    /// When the system yields no key.
    pub(super) fn create(now: u64) -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        let expires = now + AUTHORITY_LIFETIME.as_secs();
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        // The name tells authorities apart, so that a verifier picks the right one of a bundle.
        params.distinguished_name.push(DnType::CommonName, format!("Exeat control CA {now}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        validity(&mut params, now, expires);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.serialize_pem(), created: now, expires })
    }
}

impl Authorities {
    /// A first authority.
    ///
    /// # Errors
    /// When the system yields no key.
    pub fn create(now: u64) -> Result<Self, CertificateError> {
        Ok(Self { signer: Authority::create(now)?, next: None, retired: Vec::new() })
    }

    /// Reads what [`Self::state`] wrote.
    ///
    /// # Errors
    /// When it is something else, or its key does not load.
    pub fn read(state: &[u8]) -> Result<Self, CertificateError> {
        let read: Self = serde_json::from_slice(state)?;
        KeyPair::from_pem(&read.signer.key)?;
        Ok(read)
    }

    /// Everything, keys included, for the Secret.
    ///
    /// # Errors
    /// Never in practice.
    pub fn state(&self) -> Result<Vec<u8>, CertificateError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// PEM of every certificate to trust: signer first.
    pub fn bundle(&self) -> String {
        let certificates = std::iter::once(&self.signer.certificate)
            .chain(self.next.iter().map(|next| &next.certificate))
            .chain(self.retired.iter().map(|retired| &retired.certificate));
        certificates.map(|pem| format!("{}\n", pem.trim_end())).collect()
    }

    /// PEM of the signer's key.
    pub fn signer_key(&self) -> &str {
        &self.signer.key
    }

    /// When the signer expires, in Unix seconds.
    pub fn expires(&self) -> u64 {
        self.signer.expires
    }

    /// The next step of rotation, if it is due.
    ///
    /// # Errors
    /// When the system yields no key.
    pub fn advance(&self, now: u64) -> Result<Option<Self>, CertificateError> {
        let mut after = self.clone();
        after.retired.retain(|retired| retired.expires > now);
        match &self.next {
            Some(next) if now >= next.created + OVERLAP.as_secs() || now >= self.signer.expires => {
                let old = std::mem::replace(&mut after.signer, next.clone());
                after.next = None;
                if old.expires > now {
                    after
                        .retired
                        .push(Retired { certificate: old.certificate, expires: old.expires });
                }
            }
            None if now + ROTATE_BEFORE.as_secs() >= self.signer.expires => {
                after.next = Some(Authority::create(now)?);
            }
            _ => {}
        }
        Ok((after != *self).then_some(after))
    }

    /// A leaf for `names`, with its key, made in memory.
    ///
    /// # Errors
    /// When the signer's key does not load or a name is no DNS name.
    pub fn issue(&self, names: &[String], now: u64) -> Result<CertifiedKey, CertificateError> {
        let key = KeyPair::from_pem(&self.signer.key)?;
        let issuer = Issuer::from_ca_cert_pem(&self.signer.certificate, key)?;
        let leaf_key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "exeat-controller");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        validity(&mut params, now, (now + LEAF_LIFETIME.as_secs()).min(self.signer.expires));
        let leaf = params.signed_by(&leaf_key, &issuer)?;
        certified(leaf.pem().as_bytes(), leaf_key.serialize_pem().as_bytes())
    }
}

/// A chain and its key, from PEM.
///
/// # Errors
/// When either cannot be read, or the key is of no supported kind.
pub fn certified(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, CertificateError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>()?;
    if chain.is_empty() {
        return Err(CertificateError::Missing("a certificate"));
    }
    let key = any_supported_type(&PrivateKeyDer::from_pem_slice(key)?)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(error) => Err(error.into()),
    }
}

/// Base64 of PEM, as `caBundle` wants it.
pub(super) fn ca_bundle(pem: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(pem)
}

fn validity(params: &mut CertificateParams, from: u64, to: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(from.saturating_sub(SKEW));
    params.not_after = epoch + Duration::from_secs(to);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn certificates(pem: &str) -> usize {
        CertificateDer::pem_slice_iter(pem.as_bytes()).filter(Result::is_ok).count()
    }

    #[test]
    fn rotation_announces_before_it_signs_and_keeps_the_old_until_it_expires() {
        let first = Authorities::create(NOW).unwrap();
        assert!(first.advance(NOW + 1).unwrap().is_none());

        let due = first.expires() - ROTATE_BEFORE.as_secs();
        let announced = first.advance(due).unwrap().unwrap();
        assert_eq!(announced.signer_key(), first.signer_key());
        assert_eq!(certificates(&announced.bundle()), 2);
        assert!(announced.advance(due + 60).unwrap().is_none());

        let promoted = announced.advance(due + OVERLAP.as_secs()).unwrap().unwrap();
        assert_ne!(promoted.signer_key(), first.signer_key());
        assert_eq!(certificates(&promoted.bundle()), 2);

        let later = promoted.advance(first.expires() + 1).unwrap().unwrap();
        assert_eq!(certificates(&later.bundle()), 1);
    }

    #[test]
    fn leaves_carry_the_names_and_their_key() {
        let authorities = Authorities::create(NOW).unwrap();
        let leaf = authorities.issue(&["exeat-publish.exeat-system.svc".into()], NOW).unwrap();
        assert_eq!(leaf.cert.len(), 1);
        let name = b"exeat-publish.exeat-system.svc";
        assert!(leaf.cert[0].windows(name.len()).any(|window| window == name));
    }

    #[test]
    fn what_is_stored_can_be_read_again_and_nothing_else() {
        let authorities = Authorities::create(NOW).unwrap();
        let read = Authorities::read(&authorities.state().unwrap()).unwrap();
        assert_eq!(read, authorities);
        assert!(Authorities::read(b"{}").is_err());
        assert!(!format!("{authorities:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let one = Authority::create(NOW).unwrap();
        let other = Authority::create(NOW).unwrap();
        assert!(certified(one.certificate.as_bytes(), one.key.as_bytes()).is_ok());
        assert!(certified(one.certificate.as_bytes(), other.key.as_bytes()).is_err());
    }
}
