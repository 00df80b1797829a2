//! Metrics. Labels come from closed sets, and every series begins at zero, so that the first
//! denial is an increase.

use exeat_policy::action::Action;
use exeat_policy::{Code, Verdict};
use prometheus::{
    IntCounter, IntCounterVec, IntGauge, Opts, Registry, register_int_counter_vec_with_registry,
    register_int_counter_with_registry, register_int_gauge_with_registry,
};

/// Everything that the proxy counts.
#[derive(Debug)]
pub struct ProxyMetrics {
    registry: Registry,
    decisions: IntCounterVec,
    denied: IntCounterVec,
    bytes: IntCounterVec,
    pub rejected_packets: IntCounter,
    pub connections_open: IntGauge,
    pub spooled_entries: IntGauge,
    pub acknowledged_seq: IntGauge,
    pub audit_failures: IntCounter,
    pub snapshot_age: IntGauge,
    snapshots: IntCounterVec,
}

/// What became of a snapshot that arrived.
#[derive(Debug, Clone, Copy)]
pub enum SnapshotResult {
    Applied,
    Refused,
}

impl SnapshotResult {
    const ALL: [Self; 2] = [Self::Applied, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

impl ProxyMetrics {
    /// # Errors
    /// When two metrics have one name, which is a fault of this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let r = &registry;
        let counter = |name: &str, help: &str| register_int_counter_with_registry!(name, help, r);
        let gauge = |name: &str, help: &str| register_int_gauge_with_registry!(name, help, r);
        let vec = |name: &str, help: &str, labels: &[&str]| {
            register_int_counter_vec_with_registry!(Opts::new(name, help), labels, r)
        };
        let metrics = Self {
            decisions: vec(
                "exeat_proxy_decisions_total",
                "Decisions by action, effect and code.",
                &["action", "effect", "code"],
            )?,
            denied: vec("exeat_proxy_denied_total", "Requests that were refused.", &["action"])?,
            bytes: vec("exeat_proxy_bytes_total", "Payload bytes relayed.", &["direction"])?,
            rejected_packets: counter(
                "exeat_proxy_rejected_packets_total",
                "Packets that the capture rules rejected.",
            )?,
            connections_open: gauge("exeat_proxy_connections_open", "Captured connections.")?,
            spooled_entries: gauge(
                "exeat_proxy_audit_spooled_entries",
                "Audit entries that the controller has not acknowledged.",
            )?,
            acknowledged_seq: gauge(
                "exeat_proxy_audit_acknowledged_seq",
                "Last audit entry that the controller has on disk; -1 before the first.",
            )?,
            audit_failures: counter(
                "exeat_proxy_audit_failures_total",
                "Records that could not be written.",
            )?,
            snapshot_age: gauge(
                "exeat_proxy_snapshot_age_seconds",
                "Time since the controller was last heard; -1 before the first snapshot.",
            )?,
            snapshots: vec("exeat_proxy_snapshots_total", "Snapshots received.", &["result"])?,
            registry,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn begin_at_zero(&self) {
        for action in Action::ALL {
            self.denied.with_label_values(&[action.as_str()]);
            for verdict in [Verdict::Allow, Verdict::Deny] {
                for code in Code::ALL {
                    self.decisions.with_label_values(&[
                        action.as_str(),
                        verdict.as_str(),
                        code.as_str(),
                    ]);
                }
            }
        }
        for direction in ["out", "in"] {
            self.bytes.with_label_values(&[direction]);
        }
        for result in SnapshotResult::ALL {
            self.snapshots.with_label_values(&[result.as_str()]);
        }
        self.acknowledged_seq.set(-1);
        self.snapshot_age.set(-1);
    }

    /// Counts one decision as it was carried out.
    pub fn decided(&self, action: Action, verdict: Verdict, code: Code) {
        self.decisions.with_label_values(&[action.as_str(), verdict.as_str(), code.as_str()]).inc();
        // Resolvers try the pod's search list by themselves: nobody wanted anything that was denied.
        if verdict == Verdict::Deny && code != Code::SearchDomain {
            self.denied.with_label_values(&[action.as_str()]).inc();
        }
    }

    /// Counts payload bytes, towards the world and back.
    pub fn relayed(&self, out: u64, back: u64) {
        self.bytes.with_label_values(&["out"]).inc_by(out);
        self.bytes.with_label_values(&["in"]).inc_by(back);
    }

    pub fn snapshot(&self, result: SnapshotResult) {
        self.snapshots.with_label_values(&[result.as_str()]).inc();
    }

    /// The exposition format.
    pub fn render(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_there_before_anything_happens() {
        let text = ProxyMetrics::new().unwrap().render();
        assert!(text.contains("exeat_proxy_denied_total{action=\"network.request\"} 0"));
        assert!(text.contains("code=\"BodyPattern\",effect=\"Deny\"} 0"));
        assert!(text.contains("exeat_proxy_rejected_packets_total 0"));
    }
}
