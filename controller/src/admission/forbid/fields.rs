//! Fields that this build does not know. Kubernetes grows; a field added after this was written
//! could share a namespace, name a user or mount a volume, and nobody here would have looked.

use super::super::pod::{ContainerList, PodView};
use super::super::refusal::Refusal;
use serde_json::Value;

#[rustfmt::skip]
const POD: &[&str] = &[
    "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "dnsConfig",
    "dnsPolicy", "enableServiceLinks", "ephemeralContainers", "evictionResponders", "hostAliases",
    "hostIPC", "hostNetwork", "hostPID", "hostUsers", "hostname", "hostnameOverride",
    "imagePullSecrets", "initContainers", "nodeName", "nodeSelector", "os", "overhead",
    "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "resourceClaims",
    "resources", "restartPolicy", "runtimeClassName", "schedulerName", "schedulingGates",
    "schedulingGroup", "securityContext", "serviceAccount", "serviceAccountName",
    "setHostnameAsFQDN", "shareProcessNamespace", "subdomain", "terminationGracePeriodSeconds",
    "tolerations", "topologySpreadConstraints", "volumes", "workloadRef",
];
#[rustfmt::skip]
const POD_SECURITY: &[&str] = &[
    "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot",
    "runAsUser", "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile", "supplementalGroups",
    "supplementalGroupsPolicy", "sysctls", "windowsOptions",
];
#[rustfmt::skip]
const CONTAINER: &[&str] = &[
    "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe",
    "name", "ports", "readinessProbe", "resizePolicy", "resources", "restartPolicy",
    "restartPolicyRules", "securityContext", "startupProbe", "stdin", "stdinOnce",
    "terminationMessagePath", "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts",
    "workingDir",
];
#[rustfmt::skip]
const SECURITY: &[&str] = &[
    "allowPrivilegeEscalation", "appArmorProfile", "capabilities", "privileged", "procMount",
    "readOnlyRootFilesystem", "runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxOptions",
    "seccompProfile", "windowsOptions",
];
const MOUNT: &[&str] = &[
    "bindMountOptions",
    "mountPath",
    "mountPropagation",
    "name",
    "readOnly",
    "recursiveReadOnly",
    "subPath",
    "subPathExpr",
];

/// Refuses every field of the parts that matter which is not in the lists above.
pub(super) fn unknown(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let at = format!("{}spec", pod.prefix);
    let spec = &pod.raw["spec"];
    check(spec, &at, POD, &[], &mut found);
    check(
        &spec["securityContext"],
        &format!("{at}.securityContext"),
        POD_SECURITY,
        &[],
        &mut found,
    );
    for c in pod.containers() {
        let extra: &[&str] =
            if c.place == ContainerList::Ephemeral { &["targetContainerName"] } else { &[] };
        check(c.raw, &c.field, CONTAINER, extra, &mut found);
        let security = format!("{}.securityContext", c.field);
        check(&c.raw["securityContext"], &security, SECURITY, &[], &mut found);
        for (i, mount) in c.raw["volumeMounts"].as_array().into_iter().flatten().enumerate() {
            check(mount, &format!("{}.volumeMounts[{i}]", c.field), MOUNT, &[], &mut found);
        }
    }
    found
}

fn check(value: &Value, at: &str, known: &[&str], extra: &[&str], found: &mut Vec<Refusal>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if !value.is_null() && !known.contains(&key.as_str()) && !extra.contains(&key.as_str()) {
            found.push(Refusal::new(
                format!("{at}.{key}"),
                "this version of Exeat does not know the field, so it cannot say that it is safe",
                "remove it, or upgrade Exeat",
            ));
        }
    }
}
