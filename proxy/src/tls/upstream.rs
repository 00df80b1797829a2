//! Client configurations towards the world: certificates are verified against the roots of the
//! proxy's image and those of the snapshot, for the name that was decided.

use super::{ALPN, provider};
use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The configurations for one set of roots.
#[derive(Debug, Clone)]
pub struct UpstreamRoots {
    /// PEM text that the set was made from.
    additional: Arc<str>,
    /// Differs from that of every earlier set: a pooled connection was verified under its epoch.
    pub epoch: u64,
    /// Offers HTTP/2 and HTTP/1.1.
    pub any: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone, for WebSocket.
    pub http1: Arc<ClientConfig>,
}

/// TLS client configurations, by the roots that they trust.
#[derive(Debug)]
pub struct UpstreamTls {
    native: RootCertStore,
    /// The sets that were asked for last: those of the snapshot, and those of the API server.
    recent: ArcSwap<[Arc<UpstreamRoots>; 2]>,
    epochs: AtomicU64,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        let mut native = RootCertStore::empty();
        native.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let none = Arc::new(make(&native, &Arc::from(""), 0));
        let recent = ArcSwap::from_pointee([none.clone(), none]);
        Self { native, recent, epochs: AtomicU64::new(1) }
    }
}

impl UpstreamTls {
    /// The configurations under `additional` roots (PEM text of the current snapshot). A
    /// certificate in it that does not parse is left out: fewer servers are trusted, not more.
    pub fn under(&self, additional: &Arc<str>) -> Arc<UpstreamRoots> {
        let recent = self.recent.load();
        // The snapshot in force, for nearly every call.
        if let Some(found) = recent.iter().find(|set| Arc::ptr_eq(&set.additional, additional)) {
            return found.clone();
        }
        let [last, before] = &**recent;
        for (equal, other) in [(last, before), (before, last)] {
            if equal.additional == *additional {
                let same = UpstreamRoots { additional: additional.clone(), ..(**equal).clone() };
                self.recent.store(Arc::new([Arc::new(same), other.clone()]));
                return equal.clone();
            }
        }
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed);
        let made = Arc::new(make(&self.native, additional, epoch));
        self.recent.store(Arc::new([made.clone(), last.clone()]));
        made
    }
}

fn make(native: &RootCertStore, additional: &Arc<str>, epoch: u64) -> UpstreamRoots {
    let mut roots = native.clone();
    for certificate in CertificateDer::pem_slice_iter(additional.as_bytes()) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        if let Err(error) = added {
            tracing::warn!(%error, "Root certificate of the snapshot left out");
        }
    }
    let roots = Arc::new(roots);
    let config = |protocols: &[&[u8]]| {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map(|builder| builder.with_root_certificates(roots.clone()).with_no_client_auth())
            .unwrap_or_else(|error| unreachable!("the provider speaks TLS 1.2 and 1.3: {error}"));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    };
    UpstreamRoots {
        additional: additional.clone(),
        epoch,
        any: config(&ALPN),
        http1: config(&ALPN[1..]),
    }
}
