//! Ephemeral containers of agent pods: new ones are hardened, and may be nobody's user but one
//! that is written down.

use super::AdmissionState;
use super::create::{Membership, subject};
use super::expected::not_injected;
use super::forbid::{explicit_user, forbidden};
use super::harden;
use super::inject::patch;
use super::pod::{ContainerList, PodView};
use super::refusal::Refusal;
use super::review::{Request, ReviewAnswer};
use super::settings::SystemTrust;
use exeat_api::pod::is_reserved;
use std::collections::BTreeSet;

/// Mutation hardens, validation looks at the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Mutate,
    Validate,
}

/// UPDATE of `pods/ephemeralcontainers`.
pub(super) async fn review(state: &AdmissionState, request: &Request, step: Phase) -> ReviewAnswer {
    let (namespace, new) = match subject(request) {
        Ok(found) => found,
        Err(why) => return ReviewAnswer::Malformed(why),
    };
    let old = request.old_object.as_ref().map(PodView::read);
    let old = match old {
        Some(Ok(old)) => old,
        Some(Err(e)) => return ReviewAnswer::Malformed(format!("the old pod cannot be read: {e}")),
        None => return ReviewAnswer::Malformed("the request holds no old object".to_owned()),
    };
    let title = new.title(namespace);
    if !old.is_injected() {
        match state.agent_namespace(namespace, &old.labels()).await {
            Ok(Membership::Other) => return ReviewAnswer::allow(),
            Ok(_) => return ReviewAnswer::from_refusals(&title, vec![not_injected()]),
            Err(e) => return ReviewAnswer::Unknown(e.to_string()),
        }
    }
    let refusals = new_containers(&old, &new, step);
    if !refusals.is_empty() || step == Phase::Validate {
        return ReviewAnswer::from_refusals(&title, refusals);
    }
    let after = hardened(&old, &new);
    ReviewAnswer::Allow { warnings: Vec::new(), patch: Some(patch(&new.raw, &after)) }
}

fn new_containers(old: &PodView<'_>, new: &PodView<'_>, step: Phase) -> Vec<Refusal> {
    let there = names(old);
    let before: BTreeSet<Refusal> = forbidden(old).into_iter().collect();
    let mut found: Vec<Refusal> =
        forbidden(new).into_iter().filter(|refusal| !before.contains(refusal)).collect();
    for c in new.containers().iter().filter(|c| c.place == ContainerList::Ephemeral) {
        if there.contains(&c.container.name) {
            continue;
        }
        if is_reserved(&c.container.name) {
            let problem = format!("the name {:?} is reserved in agent pods", c.container.name);
            found.push(Refusal::new(format!("{}.name", c.field), problem, "choose another name"));
        }
        if explicit_user(new, c).is_none() {
            found.push(Refusal::new(
                format!("{}.securityContext.runAsUser", c.field),
                "without it the container runs as the USER of its image, which could be the uid \
                 of this pod's proxy",
                "set runAsUser (kubectl debug: --custom with a securityContext), 0 for root",
            ));
        }
        if step == Phase::Validate {
            found.extend(harden::check(new, c));
        }
    }
    found
}

fn hardened(old: &PodView<'_>, new: &PodView<'_>) -> serde_json::Value {
    let there = names(old);
    let seccomp = new.security().seccomp_profile.is_some();
    let mut after = new.raw.clone().into_owned();
    let list = after.pointer_mut("/spec/ephemeralContainers").and_then(|l| l.as_array_mut());
    for container in list.into_iter().flatten() {
        if !container["name"].as_str().is_some_and(|n| there.contains(n)) {
            harden::apply(container, seccomp, ContainerList::Ephemeral, SystemTrust::Leave);
        }
    }
    after
}

fn names(pod: &PodView<'_>) -> BTreeSet<String> {
    let containers = pod.containers();
    let ephemeral = containers.into_iter().filter(|c| c.place == ContainerList::Ephemeral);
    ephemeral.map(|c| c.container.name).collect()
}
