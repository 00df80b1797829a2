//! UPDATE of a pod that is an agent. Only what changes is looked at: a pod that was there before
//! Exeat, or that an older version injected, can still be updated and deleted.

use super::AdmissionState;
use super::create::{Membership, subject};
use super::forbid::{explicit_user, forbidden, is_ours};
use super::pod::{ContainerView, PodView};
use super::refusal::Refusal;
use super::review::{Request, ReviewAnswer};
use super::scope::Labels;
use exeat_api::labels::{self, POD_LABEL};
use exeat_policy::source::PolicyRef;
use std::collections::BTreeSet;

const RECREATE: &str = "delete the pod and create it anew";

/// `/validate-pod` for UPDATE, its ephemeral containers aside.
pub(super) async fn validate(state: &AdmissionState, request: &Request) -> ReviewAnswer {
    let (namespace, new) = match subject(request) {
        Ok(found) => found,
        Err(why) => return ReviewAnswer::Malformed(why),
    };
    let Some(old) = &request.old_object else {
        return ReviewAnswer::Malformed("the request holds no old object".to_owned());
    };
    let old = match PodView::read(old) {
        Ok(old) => old,
        Err(e) => return ReviewAnswer::Malformed(format!("the old pod cannot be read: {e}")),
    };
    let mut refusals = marks(&old, &new);
    if refusals.is_empty() && !old.is_injected() {
        match state.agent_namespace(namespace, &old.labels()).await {
            Ok(Membership::Agent(_) | Membership::Unclear(_)) => {}
            Ok(Membership::Other) => return ReviewAnswer::allow(),
            Err(e) => return ReviewAnswer::Unknown(e.to_string()),
        }
    }
    refusals.extend(newly_forbidden(&old, &new));
    refusals.extend(containers(&old, &new));
    if old.is_injected() && old.labels() != new.labels() {
        match selection_changed(state, namespace, &old, &new).await {
            Ok(changed) => refusals.extend(changed),
            Err(e) => return ReviewAnswer::Unknown(e),
        }
    }
    ReviewAnswer::from_refusals(&new.title(namespace), refusals)
}

/// Our label and our annotations stay as they are; a running pod cannot become an agent either.
fn marks(old: &PodView<'_>, new: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let ours = |all: Labels| -> Labels {
        all.into_iter().filter(|(key, _)| key.starts_with(labels::PREFIX)).collect()
    };
    let (before, after) = (old.labels(), new.labels());
    if before.get(POD_LABEL) != after.get(POD_LABEL) {
        let problem = "whether a pod is an agent is decided when it is created, and stays so";
        found.push(Refusal::new(format!("metadata.labels[{POD_LABEL}]"), problem, RECREATE));
    }
    if ours(old.annotations()) != ours(new.annotations()) {
        let problem = "annotations of exeat.dev are Exeat's alone";
        found.push(Refusal::new("metadata.annotations", problem, "leave them as they are"));
    }
    found
}

/// What the change brings in that a new pod would be refused for.
fn newly_forbidden(old: &PodView<'_>, new: &PodView<'_>) -> Vec<Refusal> {
    let before: BTreeSet<Refusal> = forbidden(old).into_iter().collect();
    forbidden(new).into_iter().filter(|refusal| !before.contains(refusal)).collect()
}

fn containers(old: &PodView<'_>, new: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let before = old.containers();
    let after = new.containers();
    let twin = |c: &ContainerView<'_>| {
        before.iter().find(|b| b.place == c.place && b.container.name == c.container.name)
    };
    for c in &after {
        let Some(was) = twin(c) else { continue };
        if is_ours(c) && without_resources(c) != without_resources(was) {
            let problem = "a container of Exeat's stays as it was injected";
            found.push(Refusal::new(c.field.as_str(), problem, RECREATE));
        } else if !is_ours(c)
            && c.container.image != was.container.image
            && explicit_user(new, c).is_none()
        {
            found.push(Refusal::new(
                format!("{}.image", c.field),
                "the container runs as the USER of its image, and the new image could name the \
                 uid of this pod's proxy there",
                "create the pod anew, with the new image or with runAsUser set",
            ));
        }
    }
    let kept = before
        .iter()
        .filter(|b| is_ours(b))
        .all(|b| after.iter().any(|a| a.field == b.field && a.container.name == b.container.name));
    if !kept {
        let problem = "Exeat's containers stay the first two";
        found.push(Refusal::new("spec.initContainers", problem, RECREATE));
    }
    found
}

fn without_resources(c: &ContainerView<'_>) -> serde_json::Value {
    let mut raw = c.raw.clone();
    if let Some(map) = raw.as_object_mut() {
        map.remove("resources");
    }
    raw
}

/// A label may change as long as the same policies go on selecting the pod.
async fn selection_changed(
    state: &AdmissionState,
    namespace: &str,
    old: &PodView<'_>,
    new: &PodView<'_>,
) -> Result<Option<Refusal>, String> {
    let of = match state.lookup.known_namespace(namespace) {
        Some(known) => known,
        None => {
            let fresh = state.lookup.read_namespace(namespace).await;
            fresh.map_err(|e| e.to_string())?.unwrap_or_default()
        }
    };
    let selecting = |labels: &Labels| -> BTreeSet<PolicyRef> {
        let found = state.lookup.known_policies(namespace, &of, labels);
        found.into_iter().map(|policy| policy.origin).collect()
    };
    let (before, after) = (selecting(&old.labels()), selecting(&new.labels()));
    if before == after {
        return Ok(None);
    }
    let names = |set: &BTreeSet<PolicyRef>| match set.len() {
        0 => "none".to_owned(),
        _ => set.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
    };
    let problem = format!(
        "with these labels other policies would select the running agent: {} instead of {}",
        names(&after),
        names(&before)
    );
    Ok(Some(Refusal::new("metadata.labels", problem, RECREATE)))
}
