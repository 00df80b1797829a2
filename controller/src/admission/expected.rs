//! Whether a pod carries exactly what injection writes for the uid that it carries.
//!
//! Every part is rebuilt and compared. Free are only: `resources` and `imagePullPolicy`, which the
//! API server's own plugins set; a digest after the image's tag; the mount of the default service
//! account token, which the API server adds to every container and the proxy does not read; and
//! which of the current control CA's certificates the pod was given.

use super::inject::{Parts, parts};
use super::pod::{ContainerList, PodView};
use super::refusal::Refusal;
use super::settings::InjectionSettings;
use super::uid;
use exeat_api::env;
use exeat_api::labels::{INJECTED_ANNOTATION, INJECTED_VERSION, POD_LABEL, POD_LABEL_AGENT};
use exeat_api::objects;
use exeat_api::pod::{PROXY_CONTAINER, RESERVED_PREFIX, is_reserved};
use serde_json::Value;

const SERVICE_ACCOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const FREE: [&str; 2] = ["resources", "imagePullPolicy"];
const FIX: &str = "let no other webhook change what Exeat injects; while Exeat itself is being \
                   upgraded, try again";

/// What differs from what was to be injected; empty when nothing does.
pub(super) fn differences(
    pod: &PodView<'_>,
    settings: &InjectionSettings,
    ca: &str,
) -> Vec<Refusal> {
    let Some(uid) = pod.proxy_uid() else {
        return vec![not_injected()];
    };
    let mut found = Vec::new();
    if !uid::range(pod).contains(&uid) {
        let problem = format!("{uid} is outside the range that Exeat draws from");
        found.push(Refusal::new(PROXY_CONTAINER, problem, FIX));
    }
    let Parts { init, proxy, volumes } = parts(settings, ca, uid);
    for (index, want) in [init, proxy].iter().enumerate() {
        let at = format!("spec.initContainers[{index}]");
        let have = pod.raw.pointer(&format!("/spec/initContainers/{index}"));
        container(&at, want, have.unwrap_or(&Value::Null), ca, &mut found);
    }
    our_volumes(pod, &volumes, &mut found);
    marks(pod, &mut found);
    only_ours_are_reserved(pod, &mut found);
    found
}

/// The refusal of an agent pod that mutation did not see.
pub(super) fn not_injected() -> Refusal {
    Refusal::new(
        "spec.initContainers",
        "the pod is an agent and Exeat's proxy is not in it, so nothing would hold its traffic",
        format!(
            "create it anew; if that is refused too, check that the MutatingWebhookConfiguration \
             \"{}\" exists and selects this pod",
            objects::WEBHOOKS
        ),
    )
}

fn container(at: &str, want: &Value, have: &Value, ca: &str, found: &mut Vec<Refusal>) {
    let (Some(want), Some(have_map)) = (want.as_object(), have.as_object()) else {
        found.push(Refusal::new(at, format!("must be the container {}", want["name"]), FIX));
        return;
    };
    if want["name"] != have["name"] {
        let problem = format!("must be the container {}", want["name"]);
        found.push(Refusal::new(format!("{at}.name"), problem, FIX));
        return;
    }
    for (key, want) in want.iter().filter(|(k, _)| !FREE.contains(&k.as_str())) {
        let at = format!("{at}.{key}");
        let have = &have[key.as_str()];
        match key.as_str() {
            "image" => image(&at, want, have, found),
            "env" => environment(&at, want, have, ca, found),
            "volumeMounts" => same(&at, want, &without_token_mount(have), found),
            _ => same(&at, want, have, found),
        }
    }
    for (key, value) in have_map {
        let free = FREE.contains(&key.as_str()) || want.contains_key(key) || is_empty(value);
        let mounts = key == "volumeMounts" && is_empty(&without_token_mount(value));
        if !free && !mounts {
            found.push(Refusal::new(format!("{at}.{key}"), "was added to Exeat's container", FIX));
        }
    }
    if !is_empty(&have["resources"]["claims"]) {
        let problem = "was added to Exeat's container";
        found.push(Refusal::new(format!("{at}.resources.claims"), problem, FIX));
    }
}

fn image(at: &str, want: &Value, have: &Value, found: &mut Vec<Refusal>) {
    let (want, have) = (want.as_str().unwrap_or_default(), have.as_str().unwrap_or_default());
    let digest = have.strip_prefix(want).and_then(|rest| rest.strip_prefix("@sha256:"));
    let is_digest =
        |d: &str| d.len() == 64 && d.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if have != want && !digest.is_some_and(is_digest) {
        found.push(Refusal::new(at, format!("must be {want:?}, and is {have:?}"), FIX));
    }
}

fn environment(at: &str, want: &Value, have: &Value, ca: &str, found: &mut Vec<Refusal>) {
    let (Some(want), Some(have)) = (want.as_array(), have.as_array()) else {
        found.push(Refusal::new(at, "was changed in Exeat's container", FIX));
        return;
    };
    let is_ca = |e: &&Value| e["name"] == env::CONTROL_CA;
    if want.iter().any(|e| is_ca(&e)) {
        let given = have.iter().find(is_ca).and_then(|e| e["value"].as_str()).unwrap_or_default();
        let blocks = certificates(given);
        let current = certificates(ca);
        if blocks.is_empty() || !blocks.iter().all(|block| current.contains(block)) {
            let problem =
                format!("{} holds a certificate that is not the controller's", env::CONTROL_CA);
            found.push(Refusal::new(at, problem, FIX));
        }
    }
    let rest = |list: &[Value]| -> Value { list.iter().filter(|e| !is_ca(e)).cloned().collect() };
    same(at, &rest(want), &rest(have), found);
    if have.len() != want.len() {
        found.push(Refusal::new(at, "was changed in Exeat's container", FIX));
    }
}

/// The PEM blocks of a text, white space around them aside. Anything between blocks is part of
/// the one that follows, so that it does not pass unseen.
fn certificates(pem: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut blocks: Vec<String> = pem.split(END).map(|b| b.trim().to_owned()).collect();
    blocks.retain(|b| !b.is_empty());
    blocks
}

fn our_volumes(pod: &PodView<'_>, want: &[Value], found: &mut Vec<Refusal>) {
    let volumes = pod.raw.pointer("/spec/volumes").and_then(Value::as_array);
    let have: Vec<&Value> = volumes
        .into_iter()
        .flatten()
        .filter(|v| v["name"].as_str().is_some_and(is_reserved))
        .collect();
    for want in want {
        let name = want["name"].as_str().unwrap_or_default();
        let at = format!("spec.volumes[name={name}]");
        match have.iter().find(|v| v["name"] == want["name"]) {
            Some(have) => same(&at, want, have, found),
            None => found.push(Refusal::new(at, "is missing", FIX)),
        }
    }
    if have.len() > want.len() {
        let problem = format!("there are volumes named {RESERVED_PREFIX}* that are not Exeat's");
        found.push(Refusal::new("spec.volumes", problem, FIX));
    }
}

fn marks(pod: &PodView<'_>, found: &mut Vec<Refusal>) {
    if pod.annotations().get(INJECTED_ANNOTATION).map(String::as_str) != Some(INJECTED_VERSION) {
        let at = format!("metadata.annotations[{INJECTED_ANNOTATION}]");
        found.push(Refusal::new(at, format!("must be {INJECTED_VERSION:?}"), FIX));
    }
    if pod.labels().get(POD_LABEL).map(String::as_str) != Some(POD_LABEL_AGENT) {
        let at = format!("metadata.labels[{POD_LABEL}]");
        found.push(Refusal::new(at, format!("must be {POD_LABEL_AGENT:?}"), FIX));
    }
}

fn only_ours_are_reserved(pod: &PodView<'_>, found: &mut Vec<Refusal>) {
    for (index, c) in pod.containers().iter().enumerate() {
        // Init containers come first in the list, so ours are its first two.
        let ours = c.place == ContainerList::Init && index < 2;
        if !ours && is_reserved(&c.container.name) {
            let problem = format!("the name {:?} is reserved in agent pods", c.container.name);
            found.push(Refusal::new(format!("{}.name", c.field), problem, "choose another name"));
        }
    }
}

fn without_token_mount(mounts: &Value) -> Value {
    let is_token = |m: &Value| {
        m["mountPath"] == SERVICE_ACCOUNT_PATH
            && m["readOnly"] == true
            && m.get("subPath").is_none()
            && m.get("subPathExpr").is_none()
    };
    mounts.as_array().into_iter().flatten().filter(|m| !is_token(m)).cloned().collect()
}

/// Equal, where absent, null and empty are the same.
fn same(at: &str, want: &Value, have: &Value, found: &mut Vec<Refusal>) {
    if pruned(want) != pruned(have) {
        found.push(Refusal::new(at, format!("must be {want}, and is {have}"), FIX));
    }
}

fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(k, v)| (k.clone(), pruned(v)))
                .filter(|(k, v)| !is_empty(v) && !is_default(k, v))
                .collect(),
        ),
        Value::Array(list) => list.iter().map(pruned).collect(),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// Defaults that some versions of the API server write out and others do not.
fn is_default(key: &str, value: &Value) -> bool {
    matches!(
        (key, value.as_str(), value.as_bool()),
        ("procMount", Some("Default"), _)
            | ("recursiveReadOnly", Some("Disabled"), _)
            | ("mountPropagation", Some("None"), _)
            | ("privileged" | "readOnly", _, Some(false))
    )
}
