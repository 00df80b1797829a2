//! Server configurations towards the agent, one per name, made when first asked for.

use super::authority::{LEAF_LIFE, PodCa};
use super::{ALPN, provider};
use quick_cache::sync::Cache;
use rustls::ServerConfig;
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;
use std::time::Instant;
use thiserror::Error;

/// Names remembered; the least used go first.
const NAMES: usize = 512;
/// Sessions that can be resumed, per name.
const SESSIONS: usize = 32;

/// Why there is no certificate for a name.
#[derive(Debug, Error)]
pub enum LeafError {
    #[error("the certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("the TLS configuration was refused: {0}")]
    Tls(#[from] rustls::Error),
}

/// Makes and remembers leaves.
#[derive(Debug)]
pub struct Leaves {
    ca: Arc<PodCa>,
    cache: Cache<String, Arc<Leaf>>,
}

#[derive(Debug)]
struct Leaf {
    config: Arc<ServerConfig>,
    made: Instant,
}

impl Leaves {
    pub fn new(ca: Arc<PodCa>) -> Self {
        Self { ca, cache: Cache::new(NAMES) }
    }

    /// The configuration for a name or address that was decided upon.
    pub fn config(&self, name: &str) -> Result<Arc<ServerConfig>, LeafError> {
        if let Some(leaf) = self.cache.get(name)
            && leaf.made.elapsed() < LEAF_LIFE / 2
        {
            return Ok(leaf.config.clone());
        }
        let config = self.make(name, SESSIONS)?;
        let leaf = Leaf { config: config.clone(), made: Instant::now() };
        self.cache.insert(name.to_owned(), Arc::new(leaf));
        Ok(config)
    }

    /// The configuration for a name that the agent made up: used once, to say no in a way that
    /// its client can read. Not remembered, so that made-up names displace nothing.
    pub fn config_once(&self, name: &str) -> Result<Arc<ServerConfig>, LeafError> {
        self.make(name, 0)
    }

    fn make(&self, name: &str, sessions: usize) -> Result<Arc<ServerConfig>, LeafError> {
        let (certificate, key) = self.ca.mint(name)?;
        let key = CertifiedKey::from_der(vec![certificate], key, &provider())?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
        if sessions > 0 {
            config.session_storage = ServerSessionMemoryCache::new(sessions);
        } else {
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        }
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

    fn leaves() -> (Leaves, RootCertStore, [tempfile::TempDir; 2]) {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ca = PodCa::load_or_create(dirs[0].path(), dirs[1].path(), "").unwrap();
        let mut roots = RootCertStore::empty();
        let pem = ca.certificate_pem().as_bytes();
        roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        (Leaves::new(Arc::new(ca)), roots, dirs)
    }

    fn shake(roots: &RootCertStore, server: Arc<ServerConfig>, name: &str) -> Result<(), String> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = ServerConnection::new(server).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut &bytes[..]).unwrap();
            server.process_new_packets().map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut &bytes[..]).unwrap();
            client.process_new_packets().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    #[test]
    fn a_leaf_is_good_for_its_name_alone() {
        let (leaves, roots, _dirs) = leaves();
        let long = format!("{}.{}.example.com", "a".repeat(63), "b".repeat(63));
        for name in ["api.example.com", "203.0.113.7", "2001:db8::7", &long] {
            let config = leaves.config(name).unwrap();
            shake(&roots, config.clone(), name).unwrap();
            let error = shake(&roots, config, "other.example.com").unwrap_err();
            assert!(error.contains("not valid for name"), "{error}");
        }
    }

    #[test]
    fn a_leaf_is_made_once() {
        let (leaves, _roots, _dirs) = leaves();
        let first = leaves.config("api.example.com").unwrap();
        assert!(Arc::ptr_eq(&first, &leaves.config("api.example.com").unwrap()));
        let once = leaves.config_once("made-up.example.com").unwrap();
        assert!(!Arc::ptr_eq(&once, &leaves.config_once("made-up.example.com").unwrap()));
        assert_eq!(leaves.cache.len(), 1);
    }
}
