//! CREATE of a pod: who may be an agent, injected how, and whether the result is what was meant.

use super::AdmissionState;
use super::expected;
use super::forbid::{forbidden, is_ours, reserved};
use super::harden;
use super::inject::{inject, parts, patch};
use super::lookup::{LookupError, suffices};
use super::missing::no_policy;
use super::placeholders::Placeholders;
use super::pod::{ContainerList, PodView};
use super::refusal::Refusal;
use super::review::{Request, ReviewAnswer};
use super::scope::{Labels, Scope, scope};
use super::settings::SystemTrust;
use super::trust;
use super::uid;

/// `/mutate-pod`: the patch that makes a pod an agent's pod.
pub(super) async fn mutate(state: &AdmissionState, request: &Request) -> ReviewAnswer {
    let (namespace, pod) = match subject(request) {
        Ok(found) => found,
        Err(why) => return ReviewAnswer::Malformed(why),
    };
    let of = match state.agent_namespace(namespace, &pod.labels()).await {
        Ok(Membership::Agent(labels)) => labels,
        Ok(Membership::Other) => return ReviewAnswer::allow(),
        Ok(Membership::Unclear(why)) => {
            return ReviewAnswer::from_refusals(&pod.title(namespace), vec![why]);
        }
        Err(e) => return ReviewAnswer::Unknown(e.to_string()),
    };
    let mut refusals = reserved(&pod);
    refusals.extend(at_creation(&pod));
    match missing_policy(state, namespace, &of, &pod.labels()).await {
        Ok(missing) => refusals.extend(missing),
        Err(e) => return ReviewAnswer::Unknown(e.to_string()),
    }
    if !refusals.is_empty() {
        return ReviewAnswer::from_refusals(&pod.title(namespace), refusals);
    }
    let ca = state.control_ca.bundle();
    if ca.trim().is_empty() || state.settings.proxy_image.is_empty() {
        return ReviewAnswer::Unknown(
            "Exeat's controller has no certificate authority or no proxy image yet, so it cannot \
             inject; try again in a moment"
                .to_owned(),
        );
    }
    let Some(uid) = uid::draw(&pod) else {
        return ReviewAnswer::Unknown("no uid could be drawn for the proxy; try again".to_owned());
    };
    // A bad value has been refused above.
    let system = trust::asked(&pod, state.settings.system_trust).unwrap_or(SystemTrust::Leave);
    let policies = state.lookup.known_policies(namespace, &of, &pod.labels());
    let Some(placeholders) = Placeholders::draw(&policies) else {
        let text = "no placeholders could be drawn for the agent; try again".to_owned();
        return ReviewAnswer::Unknown(text);
    };
    let after = inject(&pod, parts(&state.settings, &ca, uid), system, &placeholders);
    let mut warnings = warnings(&pod);
    warnings.extend(trust::warnings(&pod, system));
    ReviewAnswer::Allow { warnings, patch: Some(patch(&pod.raw, &after)) }
}

/// `/validate-pod` for CREATE: the pod as it will be stored.
pub(super) async fn validate(state: &AdmissionState, request: &Request) -> ReviewAnswer {
    let (namespace, pod) = match subject(request) {
        Ok(found) => found,
        Err(why) => return ReviewAnswer::Malformed(why),
    };
    let of = match state.agent_namespace(namespace, &pod.labels()).await {
        Ok(Membership::Agent(labels)) => labels,
        Ok(Membership::Other) => return ReviewAnswer::allow(),
        Ok(Membership::Unclear(why)) => {
            return ReviewAnswer::from_refusals(&pod.title(namespace), vec![why]);
        }
        Err(e) => return ReviewAnswer::Unknown(e.to_string()),
    };
    let mut refusals = at_creation(&pod);
    match missing_policy(state, namespace, &of, &pod.labels()).await {
        Ok(missing) => refusals.extend(missing),
        Err(e) => return ReviewAnswer::Unknown(e.to_string()),
    }
    let ca = state.control_ca.bundle();
    refusals.extend(expected::differences(&pod, &state.settings, &ca));
    if pod.proxy_uid().is_some() {
        for c in pod.containers().iter().filter(|c| !is_ours(c)) {
            refusals.extend(harden::check(&pod, c));
        }
    }
    ReviewAnswer::from_refusals(&pod.title(namespace), refusals)
}

/// What a new pod may not have. Shared with the warnings about workloads.
pub(super) fn at_creation(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = forbidden(pod);
    found.extend(trust::asked(pod, SystemTrust::Leave).err());
    if pod.containers().iter().any(|c| c.place == ContainerList::Ephemeral) {
        let field = format!("{}spec.ephemeralContainers", pod.prefix);
        let problem = "a new pod has no ephemeral containers";
        found.push(Refusal::new(field, problem, "remove them"));
    }
    found
}

/// Whether a pod is an agent, and the labels of its namespace if so.
pub(super) enum Membership {
    Agent(Labels),
    Other,
    Unclear(Refusal),
}

impl AdmissionState {
    /// Memory is believed when it says "agent"; before a pod is let go as none, the API server is
    /// asked, for its namespace may have been labelled a moment ago.
    pub(super) async fn agent_namespace(
        &self,
        namespace: &str,
        pod: &Labels,
    ) -> Result<Membership, LookupError> {
        if let Some(known) = self.lookup.known_namespace(namespace)
            && scope(&known, pod) == Scope::Agent
        {
            return Ok(Membership::Agent(known));
        }
        let Some(fresh) = self.lookup.read_namespace(namespace).await? else {
            return Err(LookupError {
                what: format!("namespace \"{namespace}\""),
                why: "there is no such namespace".to_owned(),
            });
        };
        Ok(match scope(&fresh, pod) {
            Scope::Agent => Membership::Agent(fresh),
            Scope::Other => Membership::Other,
            Scope::Unclear(why) => Membership::Unclear(why),
        })
    }
}

/// The refusal of a pod that no policy selects; `None` when one does.
pub(super) async fn missing_policy(
    state: &AdmissionState,
    namespace: &str,
    of: &Labels,
    pod: &Labels,
) -> Result<Option<Refusal>, LookupError> {
    let known = state.lookup.known_policies(namespace, of, pod);
    if known.iter().any(|p| suffices(p.origin.tier)) {
        return Ok(None);
    }
    let there = state.lookup.read_policies(namespace, of, pod).await?;
    if there.iter().any(|c| c.selects && suffices(c.origin.tier)) {
        return Ok(None);
    }
    Ok(Some(no_policy(namespace, of, pod, &there)))
}

/// The namespace and the pod of a CREATE.
pub(super) fn subject(request: &Request) -> Result<(&str, PodView<'_>), String> {
    let is_pod = request.kind.group.is_empty() && request.kind.kind == "Pod";
    if !is_pod || request.kind.version != "v1" {
        return Err(format!("this webhook reviews pods of v1, not {}", request.kind.kind));
    }
    let namespace = request.namespace.as_deref().filter(|n| !n.is_empty());
    let namespace = namespace.ok_or("the request names no namespace")?;
    let object = request.object.as_ref().ok_or("the request holds no object")?;
    let pod = PodView::read(object).map_err(|e| format!("the pod cannot be read: {e}"))?;
    if pod.pod.spec.is_none() {
        return Err("the pod has no spec".to_owned());
    }
    Ok((namespace, pod))
}

/// Things that are admitted and that the author should know.
fn warnings(pod: &PodView<'_>) -> Vec<String> {
    let mutable = |image: &str| !image.contains("@sha256:");
    pod.containers()
        .iter()
        .filter(|c| super::forbid::explicit_user(pod, c).is_none())
        .filter(|c| c.container.image.as_deref().is_some_and(mutable))
        .map(|c| {
            format!(
                "{}: neither runAsUser nor the image's digest is set; whoever can push this tag \
                 could name the proxy's uid in the image's USER and have it run at the next restart",
                c.field
            )
        })
        .collect()
}
