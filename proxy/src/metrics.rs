//! Metrics. Labels come from closed sets, and every series begins at zero, so that the first
//! denial is an increase.

use crate::tls::ClientFault;
use exeat_policy::action::Action;
use exeat_policy::mask::Direction;
use exeat_policy::{Code, RecordType, Verdict};
use prometheus::{
    IntCounter, IntCounterVec, IntGauge, Opts, Registry, register_int_counter_vec_with_registry,
    register_int_counter_with_registry, register_int_gauge_with_registry,
};
use std::sync::atomic::{AtomicI64, Ordering};

/// Everything that the proxy counts.
#[derive(Debug)]
pub struct ProxyMetrics {
    registry: Registry,
    /// By action, verdict and code, in the order of [`decision`]. Every series is looked up once, so
    /// that counting is an addition.
    decisions: Vec<IntCounter>,
    /// By action.
    denied: Vec<IntCounter>,
    bytes_out: IntCounter,
    bytes_in: IntCounter,
    /// By type of records and verdict, in the order of [`question`].
    questions: Vec<IntCounter>,
    pub dns_malformed: IntCounter,
    pub rejected_packets: IntCounter,
    pub rejected_connections: IntCounter,
    pub connections_open: IntGauge,
    /// Most of them at once since the last [`take_peak`](Self::take_peak).
    peak: AtomicI64,
    pub memory_held: IntGauge,
    pub memory_refused: IntCounter,
    pub spooled_entries: IntGauge,
    pub acknowledged_seq: IntGauge,
    pub audit_failures: IntCounter,
    pub log_lines_dropped: IntCounter,
    pub snapshot_age: IntGauge,
    snapshots: IntCounterVec,
    client_tls: IntCounterVec,
    malformed: IntCounterVec,
    masked: IntCounterVec,
}

/// What a peer spoke wrongly.
#[derive(Debug, Clone, Copy)]
pub enum Spoken {
    Http1,
    Http2,
    Tls,
}

impl Spoken {
    const ALL: [Self; 3] = [Self::Http1, Self::Http2, Self::Tls];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
            Self::Tls => "tls",
        }
    }
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

/// The metrics with labels.
struct Families {
    decisions: IntCounterVec,
    denied: IntCounterVec,
    bytes: IntCounterVec,
    questions: IntCounterVec,
    snapshots: IntCounterVec,
    client_tls: IntCounterVec,
    malformed: IntCounterVec,
    masked: IntCounterVec,
}

impl Families {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let family = |name: &str, help: &str, labels: &[&str]| {
            register_int_counter_vec_with_registry!(Opts::new(name, help), labels, registry)
        };
        Ok(Self {
            decisions: family(
                "exeat_proxy_decisions_total",
                "Decisions by action, effect and code.",
                &["action", "effect", "code"],
            )?,
            denied: family("exeat_proxy_denied_total", "Requests that were refused.", &["action"])?,
            bytes: family("exeat_proxy_bytes_total", "Payload bytes relayed.", &["direction"])?,
            questions: family(
                "exeat_proxy_dns_questions_total",
                "DNS questions by type of records and effect.",
                &["type", "effect"],
            )?,
            snapshots: family("exeat_proxy_snapshots_total", "Snapshots received.", &["result"])?,
            client_tls: family(
                "exeat_proxy_client_tls_failures_total",
                "TLS handshakes that the agent's clients did not finish, by likely cause.",
                &["cause"],
            )?,
            malformed: family(
                "exeat_proxy_malformed_total",
                "Messages of the agent that break the protocol they are in.",
                &["protocol"],
            )?,
            masked: family(
                "exeat_proxy_masked_total",
                "Values that were masked, by detector and by direction.",
                &["detector", "direction"],
            )?,
        })
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
        let Families {
            decisions,
            denied,
            bytes,
            questions,
            snapshots,
            client_tls,
            malformed,
            masked,
        } = Families::new(r)?;
        let metrics = Self {
            decisions: every_decision(&decisions),
            denied: Action::ALL
                .iter()
                .map(|action| denied.with_label_values(&[action.as_str()]))
                .collect(),
            bytes_out: bytes.with_label_values(&["out"]),
            bytes_in: bytes.with_label_values(&["in"]),
            questions: every_question(&questions),
            dns_malformed: counter(
                "exeat_proxy_dns_malformed_total",
                "Packets to the agent's DNS that are no question.",
            )?,
            rejected_connections: counter(
                "exeat_proxy_rejected_connections_total",
                "Connections to the proxy's own ports that were refused.",
            )?,
            rejected_packets: counter(
                "exeat_proxy_rejected_packets_total",
                "Packets that the capture rules rejected.",
            )?,
            peak: AtomicI64::new(0),
            connections_open: gauge("exeat_proxy_connections_open", "Captured connections.")?,
            memory_held: gauge(
                "exeat_proxy_memory_held_bytes",
                "Memory taken for heads, held bodies, windows, and what one side sent and the other has not taken.",
            )?,
            memory_refused: counter(
                "exeat_proxy_memory_refused_total",
                "Requests and connections for which there was no memory.",
            )?,
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
            log_lines_dropped: counter(
                "exeat_proxy_log_lines_dropped_total",
                "Lines of the log that nobody read in time.",
            )?,
            snapshot_age: gauge(
                "exeat_proxy_snapshot_age_seconds",
                "Time since the controller was last heard; -1 before the first snapshot.",
            )?,
            snapshots,
            client_tls,
            malformed,
            masked,
            registry,
        };
        metrics.begin_at_zero();
        Ok(metrics)
    }

    fn begin_at_zero(&self) {
        for result in SnapshotResult::ALL {
            self.snapshots.with_label_values(&[result.as_str()]);
        }
        for fault in ClientFault::ALL {
            self.client_tls.with_label_values(&[fault.as_str()]);
        }
        for spoken in Spoken::ALL {
            self.malformed.with_label_values(&[spoken.as_str()]);
        }
        for detector in exeat_policy::detect::all() {
            for direction in [Direction::Request, Direction::Response] {
                self.masked.with_label_values(&[detector.name, direction.as_str()]);
            }
        }
        self.acknowledged_seq.set(-1);
        self.snapshot_age.set(-1);
    }

    /// Counts one decision as it was carried out.
    pub fn decided(&self, action: Action, verdict: Verdict, code: Code) {
        self.decisions[decision(action, verdict, code)].inc();
        // Resolvers try the pod's search list by themselves, and who says nothing asks for nothing:
        // nobody wanted anything that was denied. Nor was it the policy that ended a handshake.
        let own = matches!(code, Code::SearchDomain | Code::Silent | Code::ClientTls);
        if verdict == Verdict::Deny && !own {
            self.denied[action as usize].inc();
        }
    }

    /// Counts a handshake that the agent's client did not finish.
    pub fn client_tls(&self, fault: ClientFault) {
        self.client_tls.with_label_values(&[fault.as_str()]).inc();
    }

    /// Counts a message that breaks its protocol.
    pub fn malformed(&self, spoken: Spoken) {
        self.malformed.with_label_values(&[spoken.as_str()]).inc();
    }

    /// Counts values that were masked. `detector` is one of the catalogue.
    pub fn masked(&self, detector: &str, direction: &str, count: u64) {
        self.masked.with_label_values(&[detector, direction]).inc_by(count);
    }

    /// Counts one DNS question.
    pub fn asked(&self, of: RecordType, verdict: Verdict) {
        self.questions[question(of, verdict)].inc();
    }

    /// Counts payload bytes, towards the world and back.
    pub fn relayed(&self, out: u64, back: u64) {
        self.bytes_out.inc_by(out);
        self.bytes_in.inc_by(back);
    }

    /// A connection was captured.
    pub fn connected(&self) {
        self.connections_open.inc();
        self.peak.fetch_max(self.connections_open.get(), Ordering::Relaxed);
    }

    /// Most connections at once since this was last asked.
    pub fn take_peak(&self) -> i64 {
        self.peak.swap(self.connections_open.get(), Ordering::Relaxed)
    }

    pub fn snapshot(&self, result: SnapshotResult) {
        self.snapshots.with_label_values(&[result.as_str()]).inc();
    }

    /// The exposition format.
    pub fn render(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

/// What is carried out in the end; nothing is held for ever.
const VERDICTS: [Verdict; 2] = [Verdict::Allow, Verdict::Deny];

/// The place of a decision's counter.
fn decision(action: Action, verdict: Verdict, code: Code) -> usize {
    let verdict = usize::from(verdict != Verdict::Allow);
    (action as usize * VERDICTS.len() + verdict) * Code::ALL.len() + code as usize
}

fn every_decision(all: &IntCounterVec) -> Vec<IntCounter> {
    let mut counters = Vec::new();
    for action in Action::ALL {
        for verdict in VERDICTS {
            for code in Code::ALL {
                let labels = [action.as_str(), verdict.as_str(), code.as_str()];
                counters.push(all.with_label_values(&labels));
            }
        }
    }
    counters
}

/// The place of a question's counter.
fn question(of: RecordType, verdict: Verdict) -> usize {
    of as usize * VERDICTS.len() + usize::from(verdict != Verdict::Allow)
}

fn every_question(all: &IntCounterVec) -> Vec<IntCounter> {
    let types = RecordType::LISTED.into_iter().chain([RecordType::Other]);
    let labels = types.flat_map(|of| VERDICTS.map(|verdict| [of.as_str(), verdict.as_str()]));
    labels.map(|labels| all.with_label_values(&labels)).collect()
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
        assert!(text.contains("exeat_proxy_dns_questions_total{effect=\"Deny\",type=\"SRV\"} 0"));
    }

    #[test]
    fn a_question_is_counted_under_its_own_type() {
        let metrics = ProxyMetrics::new().unwrap();
        let types = RecordType::LISTED.into_iter().chain([RecordType::Other]);
        for (n, of) in types.clone().enumerate() {
            for _ in 0..=n {
                metrics.asked(of, Verdict::Deny);
            }
            metrics.asked(of, Verdict::Allow);
        }
        let text = metrics.render();
        for (n, of) in types.enumerate() {
            let series = |effect: &str, count| {
                format!(
                    "exeat_proxy_dns_questions_total{{effect=\"{effect}\",type=\"{of}\"}} {count}\n"
                )
            };
            assert!(text.contains(&series("Deny", n + 1)), "{text}");
            assert!(text.contains(&series("Allow", 1)), "{text}");
        }
    }

    #[test]
    fn silence_is_counted_and_is_no_denial() {
        let metrics = ProxyMetrics::new().unwrap();
        metrics.decided(Action::NetworkConnect, Verdict::Deny, Code::Silent);
        let text = metrics.render();
        assert!(text.contains("code=\"Silent\",effect=\"Deny\"} 1"), "{text}");
        assert!(text.contains("exeat_proxy_denied_total{action=\"network.connect\"} 0"), "{text}");
    }

    #[test]
    fn a_decision_is_counted_under_its_own_labels() {
        let metrics = ProxyMetrics::new().unwrap();
        for (n, action) in Action::ALL.into_iter().enumerate() {
            for _ in 0..=n {
                metrics.decided(action, Verdict::Deny, Code::RuleDeny);
            }
            metrics.decided(action, Verdict::Allow, Code::Allowed);
        }
        let text = metrics.render();
        for (n, action) in Action::ALL.into_iter().enumerate() {
            let series = |effect: &str, code: &str, count| {
                let labels = format!("action=\"{action}\",code=\"{code}\",effect=\"{effect}\"");
                format!("exeat_proxy_decisions_total{{{labels}}} {count}\n")
            };
            assert!(text.contains(&series("Deny", "RuleDeny", n + 1)), "{text}");
            assert!(text.contains(&series("Allow", "Allowed", 1)), "{text}");
            assert!(text.contains(&series("Allow", "Observed", 0)), "{text}");
        }
    }
}
