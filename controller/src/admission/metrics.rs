//! What admission counts. Labels come from closed sets, and every counter starts at zero.

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use std::time::Duration;

/// The webhooks, by the last part of their path.
pub const WEBHOOKS: [&str; 4] = ["mutate-pod", "validate-pod", "validate-policy", "warn-workload"];
const VERDICTS: [&str; 4] = ["allowed", "refused", "malformed", "unknown"];

/// Counters of the admission webhooks.
#[derive(Clone)]
pub struct AdmissionMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
}

impl AdmissionMetrics {
    /// Makes the metrics, at zero, and registers them; fails when they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("exeat_admission_requests_total", "Admission reviews answered."),
            &["webhook", "verdict"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "exeat_admission_duration_seconds",
                "Time from a read admission review to its answer.",
            )
            .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0]),
            &["webhook"],
        )?;
        for webhook in WEBHOOKS {
            duration.with_label_values(&[webhook]);
            for verdict in VERDICTS {
                requests.with_label_values(&[webhook, verdict]);
            }
        }
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { requests, duration })
    }

    pub(super) fn observe(&self, webhook: &'static str, verdict: &'static str, took: Duration) {
        self.requests.with_label_values(&[webhook, verdict]).inc();
        self.duration.with_label_values(&[webhook]).observe(took.as_secs_f64());
    }
}
