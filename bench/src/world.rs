//! The certificates that all processes of a run share, as files in one directory.

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name that everybody asks for.
pub(crate) const HOST: &str = "api.example.com";

/// The directory of a run.
#[derive(Debug, Clone)]
pub(crate) struct World(PathBuf);

impl World {
    /// Makes an authority, and a certificate for [`HOST`] and for loopback.
    pub(crate) fn create(dir: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "exeat-bench");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![HOST.to_owned()])?;
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let certificate = params.signed_by(&key, &authority)?;
        let world = Self(dir.to_owned());
        fs::write(world.file("ca.crt"), authority.pem())?;
        fs::write(world.file("ca.key"), authority.key().serialize_pem())?;
        fs::write(world.file("server.crt"), certificate.pem())?;
        fs::write(world.file("server.key"), key.serialize_pem())?;
        Ok(world)
    }

    pub(crate) fn open(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.file(name)).with_context(|| format!("{name} cannot be read"))
    }

    /// Serves as [`HOST`]. HTTP/1.1 alone, so that every proxy speaks the same to it.
    pub(crate) fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(self.file("server.crt"))?;
        let key = PrivateKeyDer::from_pem_file(self.file("server.key"))?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// Trusts one authority.
pub(crate) fn client_config(authority: &Path) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority)?)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
