//! TLS on both sides: towards the agent with leaves of the pod's own authority, towards the world
//! with the roots that the proxy's image and the controller name.

pub mod authority;
pub mod fault;
pub mod hello;
pub mod leaf;
pub mod truststore;
pub mod upstream;

pub use authority::{AuthorityError, PodCa};
pub use fault::ClientFault;
pub use leaf::{LeafError, Leaves};
pub use upstream::{UpstreamRoots, UpstreamTls};

use rustls::crypto::CryptoProvider;
use std::sync::{Arc, LazyLock};

/// The protocols that are spoken inside TLS, best first.
pub const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The one source of cryptography, named wherever it is used so that nothing depends on a
/// process-wide default.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
