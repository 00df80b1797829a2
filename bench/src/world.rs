//! What all processes of a run agree on: names, destinations, and certificates as files in one
//! directory.

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name that most requests go to.
pub(crate) const HOST: &str = "api.example.com";

/// What a client can ask for. Exeat listens on one port for each, in this order; a peer on those
/// that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    /// HTTPS to [`HOST`].
    Tls,
    /// HTTP to [`HOST`].
    Plain,
    /// Bytes that are no HTTP.
    Raw,
    /// HTTPS, each connection to another name.
    Cold,
    /// HTTPS under a rule with 64 literals to look for in bodies.
    Literals,
    /// HTTPS under a rule with 10 regular expressions to look for in bodies.
    Regexes,
}

impl Destination {
    pub(crate) const ALL: [Self; 6] =
        [Self::Tls, Self::Plain, Self::Raw, Self::Cold, Self::Literals, Self::Regexes];

    /// The name of the destination; the `n`-th one of those that have many.
    pub(crate) fn host(self, n: u16) -> String {
        match self {
            Self::Tls | Self::Plain => HOST.to_owned(),
            Self::Raw => "raw.example.com".to_owned(),
            Self::Cold => format!("name-{n}.cold.example.com"),
            Self::Literals => "literals.example.com".to_owned(),
            Self::Regexes => "regexes.example.com".to_owned(),
        }
    }

    /// The port that an agent would connect to.
    pub(crate) fn port(self) -> u16 {
        match self {
            Self::Plain => 80,
            Self::Raw => 9000,
            Self::Tls | Self::Cold | Self::Literals | Self::Regexes => 443,
        }
    }
}

/// Ports of the upstream, as it names them when it is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upstream {
    pub(crate) tls: u16,
    pub(crate) plain: u16,
    pub(crate) raw: u16,
    pub(crate) collector: u16,
}

impl Upstream {
    pub(crate) fn of(ports: &[u16]) -> anyhow::Result<Self> {
        match *ports {
            [tls, plain, raw, collector] => Ok(Self { tls, plain, raw, collector }),
            _ => anyhow::bail!("the upstream has four ports, not {}", ports.len()),
        }
    }

    pub(crate) fn port(&self, destination: Destination) -> u16 {
        match destination {
            Destination::Plain => self.plain,
            Destination::Raw => self.raw,
            _ => self.tls,
        }
    }
}

/// The directory of a run.
#[derive(Debug, Clone)]
pub(crate) struct World(PathBuf);

impl World {
    /// Makes an authority, and a certificate for all names and for loopback.
    pub(crate) fn create(dir: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "exeat-bench");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = [Destination::Tls, Destination::Literals, Destination::Regexes];
        let mut names: Vec<_> = names.iter().map(|it| it.host(0)).collect();
        names.push("*.cold.example.com".to_owned());
        let mut params = CertificateParams::new(names)?;
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

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.file(name)).with_context(|| format!("{name} cannot be read"))
    }

    /// Serves as every name. HTTP/1.1 alone, so that every proxy speaks the same to it.
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

/// The certificates of one file, as roots.
pub(crate) fn roots(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file)?)?;
    Ok(roots)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
