//! The parts that make a pod an agent's pod: init step, proxy, volumes, and what is done to the
//! author's containers.
//!
//! Everything that the API server would fill in by default is written out, so that validation can
//! compare what it finds with what this module would write.

use super::harden;
use super::placeholders::Placeholders;
use super::pod::{ContainerList, PodView};
use super::settings::{InjectionSettings, SystemTrust};
use exeat_api::labels::{
    INJECTED_ANNOTATION, INJECTED_VERSION, PLACEHOLDERS_ANNOTATION, POD_LABEL, POD_LABEL_AGENT,
};
use exeat_api::pod::{
    API_SERVER_CA_CONFIG_MAP, API_SERVER_CA_FILE, API_SERVER_CA_KEY, IDENTITY_PATH,
    IDENTITY_VOLUME, INIT_COMMAND, INIT_CONTAINER, KEYS_PATH, KEYS_VOLUME, PROXY_COMMAND,
    PROXY_CONTAINER, SPOOL_PATH, SPOOL_VOLUME, SPOOL_VOLUME_SIZE, TOKEN_FILE, TRUST_PATH,
    TRUST_VOLUME,
};
use exeat_api::{audiences, env, paths, ports};
use json_patch::{AddOperation, Patch, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

/// The injected parts for one uid.
pub(super) struct Parts {
    pub(super) init: Value,
    pub(super) proxy: Value,
    pub(super) volumes: Vec<Value>,
}

/// Makes the parts. Pure: equal arguments, equal parts.
pub(super) fn parts(settings: &InjectionSettings, control_ca: &str, uid: i64) -> Parts {
    Parts {
        init: init_container(settings, uid),
        proxy: proxy_container(settings, control_ca, uid),
        volumes: volumes(),
    }
}

/// The pod as it should be. `raw` is a pod that was found free of anything forbidden.
pub(super) fn inject(
    pod: &PodView<'_>,
    parts: Parts,
    system: SystemTrust,
    placeholders: &Placeholders,
) -> Value {
    let mut out = pod.raw.clone().into_owned();
    set(&mut out, &["metadata", "labels", POD_LABEL], json!(POD_LABEL_AGENT));
    set(&mut out, &["metadata", "annotations", INJECTED_ANNOTATION], json!(INJECTED_VERSION));
    let seed = json!(placeholders.seed);
    set(&mut out, &["metadata", "annotations", PLACEHOLDERS_ANNOTATION], seed);
    let seccomp = pod.security().seccomp_profile.is_some();
    for place in [ContainerList::Init, ContainerList::Main] {
        let mut list = take_list(&mut out, place.key());
        for container in &mut list {
            harden::apply(container, seccomp, place, system);
            if let Some(container) = container.as_object_mut() {
                placeholders.apply(container);
            }
        }
        if place == ContainerList::Init {
            list.splice(0..0, [parts.init.clone(), parts.proxy.clone()]);
        }
        set(&mut out, &["spec", place.key()], Value::Array(list));
    }
    let mut list = take_list(&mut out, "volumes");
    list.extend(parts.volumes);
    set(&mut out, &["spec", "volumes"], Value::Array(list));
    out
}

/// The patch from one to the other, whole subtrees at a time: short to read in an audit log, and
/// free of indices that another webhook could have shifted.
pub(super) fn patch(before: &Value, after: &Value) -> Patch {
    const TREES: [[&str; 2]; 6] = [
        ["metadata", "labels"],
        ["metadata", "annotations"],
        ["spec", "volumes"],
        ["spec", "initContainers"],
        ["spec", "containers"],
        ["spec", "ephemeralContainers"],
    ];
    let operations = TREES.into_iter().filter_map(|[top, key]| {
        let value = &after[top][key];
        (before[top][key] != *value && !value.is_null()).then(|| {
            let path = PointerBuf::from_tokens([top, key]);
            PatchOperation::Add(AddOperation { path, value: value.clone() })
        })
    });
    Patch(operations.collect())
}

fn init_container(settings: &InjectionSettings, uid: i64) -> Value {
    json!({
        "name": INIT_CONTAINER,
        "image": settings.proxy_image,
        "imagePullPolicy": settings.proxy_image_pull_policy,
        "args": [INIT_COMMAND],
        "env": [
            {"name": env::PROXY_UID, "value": uid.to_string()},
            {"name": env::LOG, "value": settings.log},
        ],
        "resources": settings.proxy_resources,
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": false,
            "privileged": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
    })
}

fn proxy_container(settings: &InjectionSettings, control_ca: &str, uid: i64) -> Value {
    json!({
        "name": PROXY_CONTAINER,
        "image": settings.proxy_image,
        "imagePullPolicy": settings.proxy_image_pull_policy,
        "restartPolicy": "Always",
        "args": [PROXY_COMMAND],
        "env": proxy_env(settings, control_ca),
        "ports": [{"name": "exeat-ops", "containerPort": ports::OPS, "protocol": "TCP"}],
        "resources": settings.proxy_resources,
        "securityContext": {
            "runAsUser": uid,
            "runAsGroup": uid,
            "runAsNonRoot": true,
            "privileged": false,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [
            {"name": TRUST_VOLUME, "mountPath": TRUST_PATH},
            {"name": KEYS_VOLUME, "mountPath": KEYS_PATH},
            {"name": SPOOL_VOLUME, "mountPath": SPOOL_PATH},
            {"name": IDENTITY_VOLUME, "mountPath": IDENTITY_PATH, "readOnly": true},
        ],
        "startupProbe": probe(paths::STARTUPZ, 1, 120),
        "readinessProbe": probe(paths::READYZ, 5, 3),
        "livenessProbe": probe(paths::LIVEZ, 10, 6),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "FallbackToLogsOnError",
    })
}

fn proxy_env(settings: &InjectionSettings, control_ca: &str) -> Value {
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    let value = |name: &str, value: &str| json!({"name": name, "value": value});
    let servers: Vec<String> = settings.dns_servers.iter().map(ToString::to_string).collect();
    json!([
        field(env::POD_NAME, "metadata.name"),
        field(env::POD_NAMESPACE, "metadata.namespace"),
        field(env::POD_UID, "metadata.uid"),
        field(env::NODE_NAME, "spec.nodeName"),
        field(env::SERVICE_ACCOUNT, "spec.serviceAccountName"),
        field(env::PLACEHOLDER_SEED, &format!("metadata.annotations['{PLACEHOLDERS_ANNOTATION}']"),),
        value(env::PROXY_IMAGE, &settings.proxy_image),
        value(env::PUBLISH_URL, &settings.publish_url),
        value(env::COLLECT_URL, &settings.collect_url),
        value(env::CONTROL_CA, control_ca),
        value(env::DNS_SERVERS, &servers.join(",")),
        value(env::CLUSTER_DOMAIN, &settings.cluster_domain),
        value(env::LOG, &settings.log),
    ])
}

fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": {"path": path, "port": ports::OPS, "scheme": "HTTP"},
        "timeoutSeconds": 2,
        "periodSeconds": period,
        "successThreshold": 1,
        "failureThreshold": failures,
    })
}

fn volumes() -> Vec<Value> {
    let memory =
        |name: &str| json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}});
    vec![
        memory(TRUST_VOLUME),
        memory(KEYS_VOLUME),
        json!({"name": SPOOL_VOLUME, "emptyDir": {"sizeLimit": SPOOL_VOLUME_SIZE}}),
        json!({"name": IDENTITY_VOLUME, "projected": {"defaultMode": 420, "sources": [
            {"serviceAccountToken": {
                "audience": audiences::PROXY, "expirationSeconds": 3600, "path": TOKEN_FILE,
            }},
            // Not every cluster has it; without it the proxy trusts no API server.
            {"configMap": {
                "name": API_SERVER_CA_CONFIG_MAP, "optional": true,
                "items": [{"key": API_SERVER_CA_KEY, "path": API_SERVER_CA_FILE}],
            }},
        ]}}),
    ]
}

fn take_list(pod: &mut Value, key: &str) -> Vec<Value> {
    match pod.pointer_mut(&format!("/spec/{key}")).map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// Writes a value at a path, making the objects on the way.
fn set(root: &mut Value, path: &[&str], value: Value) {
    let mut at = root;
    for key in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[*key];
    }
    *at = value;
}
