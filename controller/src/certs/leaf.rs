//! The certificate that is served now.

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// Holds the current certificate. Before the first one, handshakes fail.
#[derive(Debug, Default)]
pub struct Leaf {
    current: ArcSwapOption<CertifiedKey>,
}

impl Leaf {
    /// Serves `key` from the next handshake on.
    pub fn replace(&self, key: CertifiedKey) {
        self.current.store(Some(Arc::new(key)));
    }

    /// Whether there is a certificate to serve.
    pub fn ready(&self) -> bool {
        self.current.load().is_some()
    }
}

impl ResolvesServerCert for Leaf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// A TLS server configuration that serves `leaf`.
///
/// # Errors
/// When the cryptography provider lacks the protocol versions, which a test rules out.
pub fn server_config(leaf: Arc<Leaf>) -> Result<rustls::ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(leaf);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
