//! The audit as processes and connections see it: killed proxies, and collectors that are there, are
//! away, or are of another version.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;
mod kill;

use exeat_audit::record::{Genesis, Kind, RecordRef};
use exeat_proxy::metrics::ProxyMetrics;
use exeat_proxy::spool::{AuditError, AuditLog, Shipping, SpoolConfig};
use exeat_proxy::state::PolicyState;
use std::path::Path;
use std::sync::Arc;

const POD: &str = "11111111-2222-3333-4444-555555555555";

fn open(dir: &Path, policies: Arc<PolicyState>) -> Result<(AuditLog, Shipping), AuditError> {
    let config = SpoolConfig {
        spool_dir: dir.join("spool"),
        keys_dir: dir.join("keys"),
        max_bytes: 900 << 20,
        genesis: Genesis {
            pod_uid: POD.into(),
            pod_name: "agent".into(),
            namespace: "agents".into(),
            service_account: "default".into(),
            node: "node".into(),
            image: "image".into(),
            public_key: String::new(),
            policy: String::new(),
        },
    };
    AuditLog::open(config, policies, Arc::new(ProxyMetrics::new().unwrap()))
}

fn intent(resource: &str) -> RecordRef<'_> {
    RecordRef {
        action: Some("network.request"),
        resource: Some(resource),
        effect: Some("Allow"),
        code: Some("Allowed"),
        ..RecordRef::new(Kind::Intent, "2026-01-02T03:04:05.678Z")
    }
}
