//! AgentPolicies and ClusterAgentPolicies: what is stored must compile, by the very compiler that
//! the proxy runs.

use super::refusal::Refusal;
use super::review::{Operation, Request, ReviewAnswer};
use crate::index::Selector;
use exeat_crds::{AGENT_POLICY, AgentPolicy, CLUSTER_AGENT_POLICY, ClusterAgentPolicy, GROUP};
use exeat_policy::compile::compile_policy;
use exeat_policy::source::PolicySource;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

/// `/validate-policy`.
pub(super) fn validate(request: &Request) -> ReviewAnswer {
    match request.operation {
        Operation::Create | Operation::Update => {}
        Operation::Delete => return ReviewAnswer::allow(),
        Operation::Connect => {
            return ReviewAnswer::Malformed("policies have no CONNECT".to_owned());
        }
    }
    let Some(object) = &request.object else {
        return ReviewAnswer::Malformed("the request holds no object".to_owned());
    };
    let kind = request.kind.kind.as_str();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let title = format!("{kind} \"{name}\"");
    let read = match (request.kind.group.as_str(), kind) {
        (GROUP, AGENT_POLICY) => agent_policy(object),
        (GROUP, CLUSTER_AGENT_POLICY) => cluster_agent_policy(object),
        _ => return ReviewAnswer::Malformed(format!("this webhook reviews policies, not {kind}")),
    };
    match read {
        Ok((source, mut refusals)) => {
            let mut warnings = Vec::new();
            match compile_policy(&source) {
                Ok(compiled) => warnings = exeat_policy::warnings(&compiled),
                Err(errors) => refusals
                    .extend(errors.into_iter().map(|e| Refusal::new(e.path, e.problem, e.fix))),
            }
            match ReviewAnswer::from_refusals(&title, refusals) {
                ReviewAnswer::Allow { patch, .. } => ReviewAnswer::Allow { warnings, patch },
                refused => refused,
            }
        }
        Err(e) => {
            let fix = "compare it with `kubectl explain` of the kind";
            let why = Refusal::new("spec", format!("cannot be read as a {kind}: {e}"), fix);
            ReviewAnswer::from_refusals(&title, vec![why])
        }
    }
}

type Read = Result<(PolicySource, Vec<Refusal>), serde_json::Error>;

fn agent_policy(object: &Value) -> Read {
    let policy: AgentPolicy = serde_json::from_value(object.clone())?;
    let refusals = selector("spec.podSelector", &policy.spec.pod_selector);
    Ok((policy.source(), refusals.into_iter().collect()))
}

fn cluster_agent_policy(object: &Value) -> Read {
    let policy: ClusterAgentPolicy = serde_json::from_value(object.clone())?;
    let pods = selector("spec.podSelector", &policy.spec.pod_selector);
    let namespaces = selector("spec.namespaceSelector", &policy.spec.namespace_selector);
    Ok((policy.source(), pods.into_iter().chain(namespaces).collect()))
}

fn selector(field: &str, selector: &LabelSelector) -> Option<Refusal> {
    let error = Selector::parse(selector).err()?;
    Some(Refusal::new(field, error.to_string(), "correct the selector"))
}
