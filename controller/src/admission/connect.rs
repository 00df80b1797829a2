//! CONNECT: nobody enters a container of Exeat's in an agent pod.

use super::AdmissionState;
use super::refusal::Refusal;
use super::review::{Request, ReviewAnswer};
use exeat_api::pod::is_reserved;
use serde_json::Value;

/// `pods/exec` and `pods/attach`. A call without a container goes to the agent's first one, and is
/// let through. A pod that is not in memory is taken for an agent's.
pub(super) fn validate(state: &AdmissionState, request: &Request) -> ReviewAnswer {
    if !["PodExecOptions", "PodAttachOptions"].contains(&request.kind.kind.as_str()) {
        return ReviewAnswer::Malformed(format!(
            "this webhook reviews exec and attach, not {}",
            request.kind.kind
        ));
    }
    let (Some(namespace), Some(pod)) = (&request.namespace, &request.name) else {
        return ReviewAnswer::Malformed("the request names no pod".to_owned());
    };
    let container = match request.object.as_ref().and_then(|o| o.get("container")) {
        None | Some(Value::Null) => "",
        Some(Value::String(name)) => name,
        Some(_) => return ReviewAnswer::Malformed("container is not text".to_owned()),
    };
    if !is_reserved(container) || state.lookup.known_agent(namespace, pod) == Some(false) {
        return ReviewAnswer::allow();
    }
    let problem = format!("{container:?} holds the pod's keys and is its only way out");
    let fix = "read its log with kubectl logs, and its decisions with exeat audit";
    ReviewAnswer::from_refusals(
        &format!("to enter pod \"{namespace}/{pod}\""),
        vec![Refusal::new("container", problem, fix)],
    )
}
