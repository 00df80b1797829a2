//! The certificate authority of one pod.
//!
//! Its key is made at the proxy's first start, in a memory-backed volume that only the proxy
//! mounts, and outlives a restart of the proxy: an agent that read the certificate once keeps
//! trusting the right one. The certificate, and a bundle that holds it beside the usual roots, are
//! written to a volume that the agent's containers mount read-only. Files change by rename, so a
//! reader sees the old or the new one, never half of one.

use super::truststore;
use exeat_api::pod::{BUNDLE_FILE, CA_FILE, TRUST_STORE_FILE};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use thiserror::Error;

/// Longer than any pod lives: an authority that ended would cut its pod off. The key never leaves
/// the pod's memory.
const CA_YEARS: u32 = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a leaf is valid. [`super::Leaves`] replaces it at half of that.
pub(super) const LEAF_LIFE: Duration = Duration::from_secs(2 * 24 * 3600);
/// Clocks differ.
const BACKDATED: Duration = Duration::from_secs(3600);

const KEY_FILE: &str = "ca.key";

/// Why there is no authority.
#[derive(Debug, Error)]
pub enum AuthorityError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("the pod's certificate authority: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("{path}: not a PEM certificate: {source}")]
    Pem { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("the trust store for Java: {0}")]
    TrustStore(#[source] p12_keystore::error::Error),
}

/// The pod's certificate authority and the key of its leaves.
pub struct PodCa {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    /// One key for every leaf: it lives in this process alone, as the authority's does.
    leaf_key: KeyPair,
    /// Roots of the image, as PEM.
    native: String,
    trust_dir: PathBuf,
}

impl PodCa {
    /// Reads the authority from `keys_dir`, or makes it there, and writes `ca.crt`, `bundle.crt`
    /// and `truststore.p12` to `trust_dir`. `additional_roots` is PEM text that the bundle holds too.
    ///
    /// Fails when a directory cannot be written or what is there cannot be read. A half-written
    /// authority (the process died between its two files) is made anew.
    pub fn load_or_create(
        keys_dir: &Path,
        trust_dir: &Path,
        additional_roots: &str,
    ) -> Result<Self, AuthorityError> {
        let (key, certificate) = match Self::load(keys_dir)? {
            Some(found) => found,
            None => Self::create(keys_dir)?,
        };
        let key = KeyPair::from_pem(&key)?;
        let ca = Self {
            issuer: Issuer::from_ca_cert_pem(&certificate, key)?,
            certificate,
            leaf_key: KeyPair::generate()?,
            native: native_roots(),
            trust_dir: trust_dir.to_owned(),
        };
        write_whole(&trust_dir.join(CA_FILE), ca.certificate.as_bytes(), 0o644)?;
        ca.write_bundle(additional_roots)?;
        Ok(ca)
    }

    /// The authority's certificate, as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Writes `bundle.crt`, and `truststore.p12` of the same certificates: the image's roots,
    /// `additional_roots`, and this authority. For every time that the snapshot's roots change.
    pub fn write_bundle(&self, additional_roots: &str) -> Result<(), AuthorityError> {
        let bundle =
            format!("{}{}\n{}", self.native, additional_roots.trim_end(), self.certificate);
        let store = truststore::from_pem(&bundle).map_err(AuthorityError::TrustStore)?;
        write_whole(&self.trust_dir.join(TRUST_STORE_FILE), &store, 0o644)?;
        write_whole(&self.trust_dir.join(BUNDLE_FILE), bundle.as_bytes(), 0o644)
    }

    /// A certificate for one name or address, and its key.
    pub(super) fn mint(
        &self,
        name: &str,
    ) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into()?),
        }];
        // The subject stays empty but for a fixed text: common names are limited to 64 bytes.
        params.distinguished_name = distinguished_name("Exeat leaf");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial());
        let now = SystemTime::now();
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now + LEAF_LIFE).into();
        let certificate = params.signed_by(&self.leaf_key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(self.leaf_key.serialize_der());
        Ok((certificate.der().clone(), key.into()))
    }

    fn load(keys_dir: &Path) -> Result<Option<(String, String)>, AuthorityError> {
        let key = read_if_there(&keys_dir.join(KEY_FILE))?;
        let path = keys_dir.join(CA_FILE);
        let certificate = read_if_there(&path)?;
        let (Some(key), Some(certificate)) = (key, certificate) else { return Ok(None) };
        CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|source| AuthorityError::Pem { path, source })?;
        Ok(Some((key, certificate)))
    }

    fn create(keys_dir: &Path) -> Result<(String, String), AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name("Exeat pod authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial());
        let now = SystemTime::now();
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now + DAY * 365 * CA_YEARS).into();
        let certificate = params.self_signed(&key)?.pem();
        let key = key.serialize_pem();
        write_whole(&keys_dir.join(KEY_FILE), key.as_bytes(), 0o600)?;
        write_whole(&keys_dir.join(CA_FILE), certificate.as_bytes(), 0o644)?;
        Ok((key, certificate))
    }
}

impl std::fmt::Debug for PodCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodCa").field("trust_dir", &self.trust_dir).finish_non_exhaustive()
    }
}

fn distinguished_name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

/// Random, positive: clients refuse two certificates of one issuer with equal serials.
fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn native_roots() -> String {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "Root certificate not read");
    }
    found.certs.iter().map(|certificate| to_pem(certificate)).collect()
}

fn to_pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::with_capacity(text.len() + text.len() / 64 + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

fn read_if_there(path: &Path) -> Result<Option<String>, AuthorityError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AuthorityError::File { path: path.to_owned(), source }),
    }
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let write = || {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_authority_survives_a_restart() {
        let (keys, trust) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = PodCa::load_or_create(keys.path(), trust.path(), "").unwrap();
        let second = PodCa::load_or_create(keys.path(), trust.path(), "").unwrap();
        assert_eq!(first.certificate_pem(), second.certificate_pem());
        let mode = fs::metadata(keys.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // The key is nowhere that the agent can read.
        for file in fs::read_dir(trust.path()).unwrap() {
            let text = fs::read(file.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains("PRIVATE KEY"));
        }
    }

    #[test]
    fn a_half_written_authority_is_made_anew() {
        let (keys, trust) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = PodCa::load_or_create(keys.path(), trust.path(), "").unwrap();
        fs::remove_file(keys.path().join(CA_FILE)).unwrap();
        let second = PodCa::load_or_create(keys.path(), trust.path(), "").unwrap();
        assert_ne!(first.certificate_pem(), second.certificate_pem());
    }

    #[test]
    fn the_bundle_follows_the_roots() {
        let (keys, trust) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ca = PodCa::load_or_create(keys.path(), trust.path(), "").unwrap();
        let other = KeyPair::generate().unwrap();
        let root = CertificateParams::default().self_signed(&other).unwrap().pem();
        ca.write_bundle(&root).unwrap();
        let bundle = fs::read_to_string(trust.path().join(BUNDLE_FILE)).unwrap();
        assert!(bundle.contains(ca.certificate_pem()));
        assert!(bundle.contains(root.trim_end()));
        let count = CertificateDer::pem_slice_iter(bundle.as_bytes()).filter(Result::is_ok).count();
        assert_eq!(count, 2 + rustls_native_certs::load_native_certs().certs.len());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error() {
        let trust = tempfile::tempdir().unwrap();
        let missing = trust.path().join("missing");
        let error = PodCa::load_or_create(&missing, trust.path(), "").unwrap_err();
        assert!(matches!(error, AuthorityError::File { .. }), "{error}");
    }
}
