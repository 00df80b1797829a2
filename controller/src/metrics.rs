//! Metrics of the controller. Labels come from closed sets, never from hosts, paths or pods, and
//! every counter starts at zero for every label value, so that the first burst already alerts.

use exeat_policy::action::Action;
use prometheus::{
    Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use std::sync::Arc;

/// Webhooks as in the label `webhook` of `exeat_admission_requests_total`.
pub const WEBHOOKS: [&str; 4] = ["mutate-pod", "validate-pod", "validate-policy", "warn-workload"];
/// Verdicts as in the label `verdict`: `error` is a review that could not be read or answered.
pub const VERDICTS: [&str; 3] = ["allow", "deny", "error"];
/// States of policies as in the label `state` of `exeat_policies`.
pub const POLICY_STATES: [&str; 4] = ["ready", "pending", "not-isolated", "invalid"];
/// Protection of agent pods as in the label `protection` of `exeat_agent_pods`.
pub const PROTECTIONS: [&str; 3] = ["protected", "starting", "unprotected"];
/// Reasons as in the label `reason` of `exeat_collect_rejected_total`.
pub const REJECTIONS: [&str; 6] =
    ["unauthenticated", "forbidden", "malformed", "unverified", "fork", "unavailable"];
/// States of chains as in the label `state` of `exeat_collect_chains`.
pub const CHAIN_STATES: [&str; 4] = ["open", "closed", "stale", "broken"];
/// Certificates as in the label `certificate` of `exeat_certificate_expiry_seconds`.
pub const CERTIFICATES: [&str; 2] = ["ca", "leaf"];

/// Every metric of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By webhook and verdict.
    pub admission_requests: IntCounterVec,
    pub admission_duration: Histogram,
    /// By state.
    pub policies: IntGaugeVec,
    /// By protection.
    pub agent_pods: IntGaugeVec,
    pub reconcile_errors: IntCounter,
    /// 1 while this replica holds the Lease.
    pub leader: IntGauge,
    pub collect_entries: IntCounter,
    /// By reason.
    pub collect_rejected: IntCounterVec,
    /// By action.
    pub collect_denied: IntCounterVec,
    /// By state.
    pub collect_chains: IntGaugeVec,
    /// Open snapshot streams.
    pub publish_streams: IntGauge,
    /// Seconds left, by certificate.
    pub certificate_expiry: IntGaugeVec,
}

impl Metrics {
    /// All metrics, registered, at zero.
    ///
    /// # Errors
    /// When a name is malformed or registered twice, which a test rules out.
    pub fn new() -> Result<Arc<Self>, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| -> Result<IntCounter, prometheus::Error> {
            let metric = IntCounter::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let metric = IntGauge::new(name, help)?;
            registry.register(Box::new(metric.clone()))?;
            Ok(metric)
        };
        let gauges = |name: &str, help: &str, label: &str| {
            let metric = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(metric.clone()))?;
            Ok::<_, prometheus::Error>(metric)
        };
        let admission_duration = Histogram::with_opts(
            HistogramOpts::new(
                "exeat_admission_duration_seconds",
                "How long an admission review took.",
            )
            .buckets(vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0]),
        )?;
        registry.register(Box::new(admission_duration.clone()))?;

        let metrics = Self {
            admission_requests: counters(
                "exeat_admission_requests_total",
                "Admission reviews answered.",
                &["webhook", "verdict"],
            )?,
            admission_duration,
            policies: gauges("exeat_policies", "Policies in the cluster.", "state")?,
            agent_pods: gauges("exeat_agent_pods", "Agent pods in the cluster.", "protection")?,
            reconcile_errors: counter(
                "exeat_reconcile_errors_total",
                "Writes to the cluster that failed.",
            )?,
            leader: gauge("exeat_leader", "1 while this replica holds the Lease.")?,
            collect_entries: counter(
                "exeat_collect_entries_total",
                "Audit entries verified and stored.",
            )?,
            collect_rejected: counters(
                "exeat_collect_rejected_total",
                "Audit batches refused.",
                &["reason"],
            )?,
            collect_denied: counters(
                "exeat_collect_denied_total",
                "Denied actions among the audit entries stored.",
                &["action"],
            )?,
            collect_chains: gauges("exeat_collect_chains", "Audit chains known.", "state")?,
            publish_streams: gauge("exeat_publish_streams", "Open snapshot streams.")?,
            certificate_expiry: gauges(
                "exeat_certificate_expiry_seconds",
                "Seconds until a certificate of the control plane expires.",
                "certificate",
            )?,
            registry,
        };
        metrics.start_at_zero();
        Ok(Arc::new(metrics))
    }

    /// The text exposition format.
    ///
    /// # Errors
    /// When a metric cannot be encoded.
    pub fn encode(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut out = Vec::with_capacity(8192);
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(out)
    }

    fn start_at_zero(&self) {
        for webhook in WEBHOOKS {
            for verdict in VERDICTS {
                self.admission_requests.with_label_values(&[webhook, verdict]);
            }
        }
        for state in POLICY_STATES {
            self.policies.with_label_values(&[state]);
        }
        for protection in PROTECTIONS {
            self.agent_pods.with_label_values(&[protection]);
        }
        for reason in REJECTIONS {
            self.collect_rejected.with_label_values(&[reason]);
        }
        for action in Action::ALL {
            self.collect_denied.with_label_values(&[action.as_str()]);
        }
        for state in CHAIN_STATES {
            self.collect_chains.with_label_values(&[state]);
        }
        // No series for certificates until one is known: a zero would read as "expires now".
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_exist_before_anything_happened() {
        let metrics = Metrics::new().unwrap();
        let text = String::from_utf8(metrics.encode().unwrap()).unwrap();
        for line in [
            r#"exeat_admission_requests_total{verdict="deny",webhook="validate-pod"} 0"#,
            r#"exeat_collect_denied_total{action="network.request"} 0"#,
            r#"exeat_collect_rejected_total{reason="fork"} 0"#,
            r#"exeat_agent_pods{protection="unprotected"} 0"#,
            "exeat_publish_streams 0",
        ] {
            assert!(text.contains(line), "{line} is missing in:\n{text}");
        }
        assert!(!text.contains("exeat_certificate_expiry_seconds{"), "{text}");
    }
}
