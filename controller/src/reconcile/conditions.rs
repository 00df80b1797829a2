//! Conditions and status of a policy, as pure values.

use super::isolation::Widening;
use crate::index::{PodInfo, StoredPolicy};
use exeat_api::credentials::Reason;
use exeat_policy::snapshot::Snapshot;
use exeat_policy::{NetworkSettings, compile_policy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const LONGEST_MESSAGE: usize = 2000;
/// Names in a message; the rest is counted.
const NAMED: usize = 5;

/// What was found about one policy.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Agent pods that run, or will, and that the policy selects.
    pub pods: Vec<Arc<PodInfo>>,
    /// NetworkPolicies that are not in place, and why.
    pub unprogrammed: Vec<String>,
    /// Services that rules name and that could not be opened, in words.
    pub notes: Vec<String>,
    pub widened: Vec<Widening>,
    /// Keys of Secrets that rules name, in words, and why there is no value of it.
    pub credentials: Vec<(String, Option<Reason>)>,
}

/// The status that a policy should have. Times of conditions that did not turn are kept.
pub fn status(policy: &StoredPolicy, facts: &Facts, now: Timestamp) -> Value {
    let protected = facts.pods.iter().filter(|pod| pod.protected).count();
    json!({
        "observedGeneration": policy.source.generation,
        "conditions": conditions(policy, facts, now),
        "matchedPods": facts.pods.len(),
        "protectedPods": protected,
        "snapshotDigest": digest(policy),
    })
}

/// Digest of this policy's own rules.
fn digest(policy: &StoredPolicy) -> String {
    let snapshot = Snapshot {
        audit: policy.audit,
        network: NetworkSettings { denied_names: policy.denied_names, ..Default::default() },
        ..Snapshot::new("", vec![policy.source.clone()])
    };
    snapshot.digest()
}

/// Accepted, Programmed, Isolated and Ready; where rules name Secrets, CredentialsAvailable too.
pub fn conditions(policy: &StoredPolicy, facts: &Facts, now: Timestamp) -> Vec<Condition> {
    let mut found = vec![
        ("Accepted", accepted(policy)),
        ("Programmed", programmed(facts)),
        ("Isolated", isolated(facts)),
    ];
    if !facts.credentials.is_empty() {
        found.push(("CredentialsAvailable", available(facts)));
    }
    let failed = found.iter().find(|(_, finding)| !finding.holds);
    let ready = match failed {
        Some((_, finding)) => finding.clone(),
        None => protected(facts),
    };
    found
        .into_iter()
        .chain([("Ready", ready)])
        .map(|(kind, finding)| finding.into_condition(kind, policy, now))
        .collect()
}

#[derive(Debug, Clone)]
struct Finding {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn new(holds: bool, reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds, reason, message: message.into() }
    }

    fn into_condition(self, kind: &str, policy: &StoredPolicy, now: Timestamp) -> Condition {
        let status = if self.holds { "True" } else { "False" };
        let before = policy.conditions.iter().find(|c| c.type_ == kind && c.status == status);
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message.chars().take(LONGEST_MESSAGE).collect(),
            last_transition_time: before
                .map_or_else(|| Time(now), |condition| condition.last_transition_time.clone()),
            observed_generation: Some(policy.source.generation),
        }
    }
}

fn accepted(policy: &StoredPolicy) -> Finding {
    match compile_policy(&policy.source) {
        Ok(_) => Finding::new(true, "Compiled", "The policy compiles."),
        Err(errors) => {
            let each = errors.iter().map(|e| format!("{}: {}. Fix: {}", e.path, e.problem, e.fix));
            let text =
                format!("Everything is denied to its pods. {}", listed(each.collect(), "; "));
            Finding::new(false, "DoesNotCompile", text)
        }
    }
}

fn programmed(facts: &Facts) -> Finding {
    if facts.unprogrammed.is_empty() && facts.notes.is_empty() {
        return Finding::new(true, "Applied", "The NetworkPolicies are in place.");
    }
    if facts.unprogrammed.is_empty() {
        let text = format!(
            "The NetworkPolicies are in place, but for what rules name and is not there: {}",
            listed(facts.notes.clone(), "; ")
        );
        return Finding::new(true, "AppliedInPart", text);
    }
    Finding::new(false, "NotApplied", listed(facts.unprogrammed.clone(), "; "))
}

fn isolated(facts: &Facts) -> Finding {
    if facts.widened.is_empty() {
        return Finding::new(true, "NothingWidens", "No other NetworkPolicy lets more through.");
    }
    let each = facts.widened.iter().map(|w| format!("{} ({})", w.network_policy, w.directions));
    let text = format!(
        "Other NetworkPolicies select the same pods and let more through: {}. Fix: delete them, or \
         narrow their podSelector",
        listed(each.collect(), ", ")
    );
    Finding::new(false, "Widened", text)
}

fn available(facts: &Facts) -> Finding {
    let without = facts.credentials.iter().filter_map(|(key, why)| Some((key, (*why)?)));
    let worst = without.clone().map(|(_, why)| why).min();
    let reason = match worst {
        None => return Finding::new(true, "Known", "Every credential is known."),
        Some(Reason::Forbidden) => "Forbidden",
        Some(Reason::NoSecret) => "NoSecret",
        Some(Reason::NoKey) => "NoKey",
        Some(Reason::Unusable) => "Unusable",
        Some(Reason::Unknown) => "NotReadYet",
    };
    let each = without.map(|(key, why)| format!("{key}: {why}")).collect();
    let text = format!(
        "Requests that need a credential are denied. {}. Fix: correct the Secret; `exeat credentials \
         allow NAME` prints the Role that lets Exeat read it",
        listed(each, "; ")
    );
    Finding::new(false, reason, text)
}

fn protected(facts: &Facts) -> Finding {
    let without: Vec<_> = facts.pods.iter().filter(|pod| !pod.injected).map(full_name).collect();
    if !without.is_empty() {
        let text = format!(
            "Pods run without the proxy, because they existed before: {}. Fix: delete them, so that \
             they are made again",
            listed(without, ", ")
        );
        return Finding::new(false, "PodsUnprotected", text);
    }
    let starting: Vec<_> = facts.pods.iter().filter(|pod| !pod.protected).map(full_name).collect();
    if !starting.is_empty() {
        let text = format!("The proxy is not ready in: {}", listed(starting, ", "));
        return Finding::new(false, "PodsStarting", text);
    }
    match facts.pods.len() {
        0 => Finding::new(true, "NoPods", "Enforced; no pod is selected yet."),
        count => Finding::new(true, "Enforced", format!("Enforced on {count} pods.")),
    }
}

fn full_name(pod: &Arc<PodInfo>) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

fn listed(mut items: Vec<String>, separator: &str) -> String {
    let more = items.len().saturating_sub(NAMED);
    items.truncate(NAMED);
    let text = items.join(separator);
    if more == 0 { text } else { format!("{text}{separator}and {more} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::WatchedKind;

    fn policy(rules: Value) -> StoredPolicy {
        let object = json!({"metadata": {"namespace": "n", "name": "p", "uid": "u", "generation": 2},
            "spec": {"podSelector": {}, "rules": rules}});
        crate::watch::policy(WatchedKind::AgentPolicies, &serde_json::from_value(object).unwrap())
    }

    fn pod(injected: bool, protected: bool) -> Arc<PodInfo> {
        let (namespace, name) = ("n".to_owned(), "a".to_owned());
        Arc::new(PodInfo { namespace, name, injected, protected, ..PodInfo::default() })
    }

    fn found(policy: &StoredPolicy, facts: &Facts, kind: &str) -> (String, String, String) {
        let all = conditions(policy, facts, Timestamp::UNIX_EPOCH);
        let one = all.into_iter().find(|condition| condition.type_ == kind).unwrap();
        (one.status, one.reason, one.message)
    }

    #[test]
    fn ready_says_what_is_in_the_way() {
        let good = policy(json!([]));
        let widened = vec![Widening { network_policy: "open".into(), directions: "egress" }];
        for (facts, status, reason, part) in [
            (Facts::default(), "True", "NoPods", "no pod"),
            (
                Facts { pods: vec![pod(true, true)], ..Facts::default() },
                "True",
                "Enforced",
                "1 pods",
            ),
            (
                Facts { pods: vec![pod(true, false)], ..Facts::default() },
                "False",
                "PodsStarting",
                "n/a",
            ),
            (
                Facts { pods: vec![pod(false, false)], ..Facts::default() },
                "False",
                "PodsUnprotected",
                "delete them",
            ),
            (Facts { widened, ..Facts::default() }, "False", "Widened", "open (egress)"),
            (
                Facts { unprogrammed: vec!["x".into()], ..Facts::default() },
                "False",
                "NotApplied",
                "x",
            ),
        ] {
            let (found_status, found_reason, message) = found(&good, &facts, "Ready");
            assert_eq!((found_status.as_str(), found_reason.as_str()), (status, reason));
            assert!(message.contains(part), "{message}");
        }
    }

    /// A Service may come later: the policy is in force without it.
    #[test]
    fn a_service_that_is_not_there_is_told_and_breaks_nothing() {
        let notes = vec!["Service prod/orders does not exist".to_owned()];
        let facts = Facts { notes, ..Facts::default() };
        let (status, reason, message) = found(&policy(json!([])), &facts, "Programmed");
        assert_eq!((status.as_str(), reason.as_str()), ("True", "AppliedInPart"));
        assert!(message.contains("prod/orders"), "{message}");
        assert_eq!(found(&policy(json!([])), &facts, "Ready").0, "True");
    }

    #[test]
    fn a_policy_that_does_not_compile_names_the_field_and_the_fix() {
        let bad = policy(json!([{"name": "r", "action": "network.request", "effect": "Allow",
            "resource": "https://a*.example/**"}]));
        let (status, _, message) = found(&bad, &Facts::default(), "Accepted");
        assert_eq!(status, "False");
        assert!(message.contains("spec.rules[0]") && message.contains("Fix:"), "{message}");
    }

    #[test]
    fn the_time_of_a_condition_that_did_not_turn_is_kept() {
        let mut policy = policy(json!([]));
        policy.conditions = conditions(&policy, &Facts::default(), Timestamp::UNIX_EPOCH);
        let later = Timestamp::UNIX_EPOCH + std::time::Duration::from_secs(60);
        assert_eq!(conditions(&policy, &Facts::default(), later), policy.conditions);
    }
}
