//! What every connection needs, in one place.

use crate::dns::Synthetic;
use crate::metrics::ProxyMetrics;
use crate::resolve::Resolver;
use crate::spool::AuditLog;
use crate::state::PolicyState;
use std::sync::Arc;

/// Shared by all connections of the proxy.
pub struct Context {
    pub policies: Arc<PolicyState>,
    pub synthetic: Arc<Synthetic>,
    pub resolver: Resolver,
    pub audit: AuditLog,
    pub metrics: Arc<ProxyMetrics>,
}
