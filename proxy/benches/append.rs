//! What an act pays for its audit: an intent and its outcome, as a gate writes them. The spool is
//! on the file system of the temporary directory, and synced in the background as ever.

use criterion::{Criterion, criterion_group, criterion_main};
use exeat_audit::record::{Genesis, Kind, RecordRef};
use exeat_proxy::metrics::ProxyMetrics;
use exeat_proxy::spool::{AuditLog, Shipping, SpoolConfig, now};
use std::path::Path;
use std::sync::Arc;

const POLICY: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn open(dir: &Path) -> (AuditLog, Shipping) {
    let config = SpoolConfig {
        spool_dir: dir.join("spool"),
        keys_dir: dir.join("keys"),
        max_bytes: u64::MAX / 2,
        genesis: Genesis {
            pod_uid: "11111111-2222-3333-4444-555555555555".into(),
            pod_name: "agent".into(),
            namespace: "agents".into(),
            service_account: "default".into(),
            node: "node".into(),
            image: "image".into(),
            public_key: String::new(),
            policy: String::new(),
        },
    };
    let metrics = Arc::new(ProxyMetrics::new().expect("no two metrics have one name"));
    AuditLog::open(config, Arc::default(), metrics).expect("a spool can be opened")
}

fn append(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let (log, shipping) = open(dir.path());
    let intent = |log: &AuditLog| {
        let time = now();
        log.append_intent(RecordRef {
            action: Some("network.request"),
            resource: Some("https://api.example.com/v1/items/4711"),
            method: Some("GET"),
            effect: Some("Allow"),
            rule: Some("Namespaced/agents/research/api"),
            code: Some("Allowed"),
            policy: Some(POLICY),
            address: Some("203.0.113.10:443"),
            ..RecordRef::new(Kind::Intent, &time)
        })
        .expect("there is room")
    };
    let outcome = |log: &AuditLog, id| {
        let time = now();
        log.outcome(
            id,
            RecordRef {
                status: Some(200),
                bytes_out: Some(0),
                bytes_in: Some(1024),
                duration_ms: Some(3),
                action: Some("network.request"),
                address: Some("203.0.113.10:443"),
                ..RecordRef::new(Kind::Outcome, &time)
            },
        );
    };
    // As a collector that keeps up does, so that segments are removed.
    let acknowledge = |n: &mut u64| {
        *n += 1;
        if n.is_multiple_of(4096) {
            shipping.acknowledge(shipping.synced());
        }
    };
    let mut n = 0;
    criterion.bench_function("intent and outcome", |bencher| {
        bencher.iter(|| {
            outcome(&log, intent(&log));
            acknowledge(&mut n);
        });
    });
    criterion.bench_function("intent", |bencher| {
        bencher.iter(|| {
            intent(&log);
            acknowledge(&mut n);
        });
    });
}

criterion_group!(benches, append);
criterion_main!(benches);
