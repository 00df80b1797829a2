//! The refusal of an agent that no policy selects. It is the first thing that most people see of
//! Exeat, so it says what was looked at, what is there, and what to type.

use super::lookup::{Candidate, suffices};
use super::refusal::Refusal;
use super::scope::Labels;
use exeat_api::labels::NAMESPACE_LABEL;
use exeat_crds::API_VERSION;
use exeat_policy::source::Tier;

/// At most so many policies are listed.
const LISTED: usize = 10;

/// Why the pod is refused, from the policies that exist.
pub(super) fn no_policy(
    namespace: &str,
    of: &Labels,
    pod: &Labels,
    there: &[Candidate],
) -> Refusal {
    let marker = match of.get(NAMESPACE_LABEL) {
        Some(value) => format!("labelled {NAMESPACE_LABEL}={value}"),
        None => format!("without the label {NAMESPACE_LABEL}"),
    };
    let problem = format!(
        "the pod is an agent and no policy selects it. Looked at: namespace \"{namespace}\" \
         ({marker}), pod labels {}. {}. {}",
        show(pod),
        listed(&format!("AgentPolicies in \"{namespace}\""), there, Tier::Namespaced),
        listed("Baseline ClusterAgentPolicies", there, Tier::Baseline),
    );
    Refusal::new("metadata.labels", problem, fix(namespace, pod, there))
}

fn listed(what: &str, there: &[Candidate], tier: Tier) -> String {
    let of_tier: Vec<_> = there.iter().filter(|c| c.origin.tier == tier).collect();
    if of_tier.is_empty() {
        return format!("{what}: none");
    }
    let mut shown: Vec<String> = of_tier
        .iter()
        .take(LISTED)
        .map(|c| match c.selector.as_str() {
            "" => format!("\"{}\" (selects every pod)", c.origin.name),
            selector => format!("\"{}\" (selects {selector})", c.origin.name),
        })
        .collect();
    if of_tier.len() > LISTED {
        shown.push(format!("and {} more", of_tier.len() - LISTED));
    }
    format!("{what}: {}", shown.join(", "))
}

fn fix(namespace: &str, pod: &Labels, there: &[Candidate]) -> String {
    let label = there
        .iter()
        .find(|c| suffices(c.origin.tier) && !c.selector.is_empty())
        .map(|c| format!("give the pod labels that \"{}\" selects, or ", c.origin.name))
        .unwrap_or_default();
    format!(
        "{label}apply a policy for it. This one allows nothing yet, add rules to it:\n\
         kubectl apply -f - <<'EOF'\n\
         apiVersion: {API_VERSION}\n\
         kind: AgentPolicy\n\
         metadata: {{name: my-agent, namespace: {namespace}}}\n\
         spec:\n  podSelector: {{matchLabels: {{{}}}}}\n  rules: []\n\
         EOF",
        selector_of(pod),
    )
}

/// A selector for the example: of the pod's labels the one that people would choose.
fn selector_of(pod: &Labels) -> String {
    ["app.kubernetes.io/name", "app", "name"]
        .iter()
        .find_map(|key| pod.get(*key).map(|value| format!("{key}: {value:?}")))
        .unwrap_or_default()
}

fn show(labels: &Labels) -> String {
    if labels.is_empty() {
        return "(none)".to_owned();
    }
    labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
}
