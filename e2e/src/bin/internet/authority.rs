//! The test authority, and the certificates that it gives each host for its own names.
//! A host never gets a certificate for a name of another host, as on the real internet.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::hosts::Host;

/// Signs leaves for the hosts.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

/// The leaves of one host, made when a name is first asked for.
pub(crate) struct HostCertificates {
    host: Host,
    authority: Arc<Authority>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Authority {
    /// Reads `PREFIX.crt` and `PREFIX.key`, or makes them.
    pub(crate) fn load_or_make(prefix: &Path) -> anyhow::Result<Self> {
        let (certificate, key) = (prefix.with_extension("crt"), prefix.with_extension("key"));
        if !certificate.exists() || !key.exists() {
            make(&certificate, &key)?;
        }
        let pem = std::fs::read_to_string(&certificate).context("reading the authority")?;
        let key = KeyPair::from_pem(&std::fs::read_to_string(&key).context("reading its key")?)?;
        Ok(Self { issuer: Issuer::from_ca_cert_pem(&pem, key)? })
    }

    fn leaf(&self, name: &str) -> anyhow::Result<CertifiedKey> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate: CertificateDer<'static> = params.signed_by(&key, &self.issuer)?.into();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Ok(CertifiedKey::from_der(vec![certificate], key, &provider)?)
    }
}

impl HostCertificates {
    pub(crate) fn new(host: Host, authority: Arc<Authority>) -> Self {
        Self { host, authority, made: Mutex::default() }
    }

    /// The asked name when the host owns it, else its address.
    fn name_for(&self, asked: Option<&str>) -> String {
        let owned = asked.filter(|name| self.host.owns(name));
        owned.map_or_else(|| self.host.address.to_string(), str::to_owned)
    }
}

impl ResolvesServerCert for HostCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = self.name_for(hello.server_name());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = made.get(&name) {
            return Some(leaf.clone());
        }
        let leaf = Arc::new(self.authority.leaf(&name).ok()?);
        made.insert(name, leaf.clone());
        Some(leaf)
    }
}

impl fmt::Debug for HostCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "certificates of {}", self.host.address)
    }
}

fn make(certificate: &Path, key: &Path) -> anyhow::Result<()> {
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Exeat test internet");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let signed = params.self_signed(&pair)?;
    std::fs::write(certificate, signed.pem()).context("writing the authority")?;
    std::fs::write(key, pair.serialize_pem()).context("writing its key")?;
    Ok(())
}
