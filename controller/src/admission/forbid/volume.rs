//! Volumes that no agent pod may have.
//!
//! Only kinds that were looked at are allowed. A volume that names a server is mounted by the
//! node, so what the agent writes into it would leave past the proxy.

use super::super::pod::PodView;
use super::super::refusal::Refusal;
use exeat_api::audiences;
use exeat_api::pod::is_reserved;
use serde_json::Value;

const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// Drivers of inline CSI volumes that bring in secrets and identities and carry nothing out.
const ALLOWED_DRIVERS: [&str; 3] =
    ["csi.cert-manager.io", "csi.spiffe.io", "secrets-store.csi.k8s.io"];
const ALLOWED_PROJECTIONS: [&str; 6] = [
    "clusterTrustBundle",
    "configMap",
    "downwardAPI",
    "podCertificate",
    "secret",
    "serviceAccountToken",
];

pub(super) fn forbidden(pod: &PodView<'_>) -> Vec<Refusal> {
    let volumes = pod.raw.pointer("/spec/volumes").and_then(Value::as_array);
    let mut found = Vec::new();
    for (i, volume) in volumes.into_iter().flatten().enumerate() {
        // A volume of ours is compared with what it must be, whole.
        let reserved = volume["name"].as_str().is_some_and(is_reserved);
        if let Some(map) = volume.as_object().filter(|_| !reserved) {
            let at = format!("{}spec.volumes[{i}]", pod.prefix);
            for (kind, source) in map.iter().filter(|(k, v)| *k != "name" && !v.is_null()) {
                found.extend(source_forbidden(&format!("{at}.{kind}"), kind, source));
            }
        }
    }
    found
}

fn source_forbidden(at: &str, kind: &str, source: &Value) -> Vec<Refusal> {
    match kind {
        "hostPath" => vec![Refusal::new(
            at,
            "files of the node would be open to the agent, its container runtime's socket among them",
            "use a PersistentVolumeClaim, an emptyDir or a configMap",
        )],
        "projected" => projections(at, source),
        "csi" if !source["driver"].as_str().is_some_and(|d| ALLOWED_DRIVERS.contains(&d)) => {
            vec![Refusal::new(
                format!("{at}.driver"),
                "this driver could carry what the agent writes to another host, past the proxy",
                format!(
                    "use a PersistentVolumeClaim; allowed inline are {}",
                    ALLOWED_DRIVERS.join(", ")
                ),
            )]
        }
        kind if ALLOWED.contains(&kind) => Vec::new(),
        kind => vec![Refusal::new(
            at,
            format!("a volume of kind {kind} is mounted by the node and could lead past the proxy"),
            "use a PersistentVolumeClaim that an administrator has provisioned",
        )],
    }
}

fn projections(at: &str, projected: &Value) -> Vec<Refusal> {
    let sources = projected["sources"].as_array();
    let mut found = Vec::new();
    for (i, source) in sources.into_iter().flatten().enumerate() {
        let at = format!("{at}.sources[{i}]");
        for (kind, value) in source.as_object().into_iter().flatten() {
            if !ALLOWED_PROJECTIONS.contains(&kind.as_str()) {
                let problem = format!("this version of Exeat does not know {kind}");
                found.push(Refusal::new(format!("{at}.{kind}"), problem, "remove it"));
            }
            for key in ["audience", "signerName"] {
                let ours =
                    |name: &str| name.trim().to_ascii_lowercase().starts_with(audiences::PROXY);
                if value[key].as_str().is_some_and(ours) {
                    let problem = "with this the agent could speak to the controller as the proxy";
                    let fix =
                        format!("name another; those beginning {} are Exeat's", audiences::PROXY);
                    found.push(Refusal::new(format!("{at}.{kind}.{key}"), problem, fix));
                }
            }
        }
    }
    found
}
