//! Warnings about workloads whose pods would be refused, where their author sees them: a refused
//! pod of a Deployment otherwise shows in the events of a ReplicaSet alone.

use super::AdmissionState;
use super::create::{Membership, at_creation, missing_policy};
use super::forbid::reserved;
use super::pod::PodView;
use super::refusal::Refusal;
use super::review::{Operation, Request, ReviewAnswer};

/// The API server cuts longer warnings off.
const LONGEST: usize = 250;

/// `/warn-workload`: always allowed.
pub(super) async fn review(state: &AdmissionState, request: &Request) -> ReviewAnswer {
    let kind = request.kind.kind.as_str();
    let prefix = match kind {
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => "spec.template",
        "CronJob" => "spec.jobTemplate.spec.template",
        _ => return ReviewAnswer::Malformed(format!("this webhook reviews workloads, not {kind}")),
    };
    if matches!(request.operation, Operation::Delete | Operation::Connect) {
        return ReviewAnswer::allow();
    }
    let pointer = format!("/{}", prefix.replace('.', "/"));
    let template = request.object.as_ref().and_then(|o| o.pointer(&pointer));
    let (Some(template), Some(namespace)) = (template, &request.namespace) else {
        return ReviewAnswer::Malformed(format!("the {kind} has no pod template or no namespace"));
    };
    let warnings = match PodView::template(template, format!("{prefix}.")) {
        Ok(pod) => of_pod(state, namespace, &pod).await,
        Err(e) => vec![format!("{prefix} cannot be read: {e}")],
    };
    ReviewAnswer::Allow { warnings, patch: None }
}

async fn of_pod(state: &AdmissionState, namespace: &str, pod: &PodView<'_>) -> Vec<String> {
    let labels = pod.labels();
    let of = match state.agent_namespace(namespace, &labels).await {
        Ok(Membership::Agent(of)) => of,
        Ok(Membership::Other) => return Vec::new(),
        Ok(Membership::Unclear(why)) => return vec![line(pod, &why)],
        Err(e) => return vec![format!("Exeat could not look at this: {e}")],
    };
    let mut refusals = reserved(pod);
    refusals.extend(at_creation(pod));
    match missing_policy(state, namespace, &of, &labels).await {
        Ok(Some(_)) => refusals.push(Refusal::new(
            "metadata.labels",
            format!("no policy in \"{namespace}\" selects these pods"),
            "apply an AgentPolicy that does",
        )),
        Ok(None) => {}
        Err(e) => return vec![format!("Exeat could not look at this: {e}")],
    }
    refusals.iter().map(|refusal| line(pod, refusal)).collect()
}

fn line(pod: &PodView<'_>, refusal: &Refusal) -> String {
    let place = if refusal.field.starts_with("metadata.") { pod.prefix.as_str() } else { "" };
    let text = format!("Exeat will refuse the pods: {place}{refusal}");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
