//! What no agent pod may have, whoever asks for it. One function serves mutation, validation and
//! the warnings about workloads, so the words are the same whichever comes first.
//!
//! Closed by class where possible: fields, volume kinds and sysctls that this build does not know
//! are refused, for they could be a way out that nobody has looked at.

mod container;
mod fields;
mod volume;

use super::pod::PodView;
use super::refusal::Refusal;
use super::uid;
use exeat_api::labels::INJECTED_ANNOTATION;
use exeat_api::pod::{INIT_CONTAINER, PROXY_CONTAINER, RESERVED_PREFIX, is_reserved};
use k8s_openapi::api::core::v1::{AppArmorProfile, SELinuxOptions, SeccompProfile};

/// Sysctls of the pod's own namespaces that change nothing about where traffic goes.
const ALLOWED_SYSCTLS: [&str; 10] = [
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
    "kernel.sem",
    "kernel.shm_rmid_forced",
];
const ALLOWED_SYSCTL_PREFIXES: [&str; 4] =
    ["net.ipv4.tcp_keepalive_", "kernel.shm", "kernel.msg", "fs.mqueue."];

/// Everything that is wrong with a pod, injected or not: parts of ours are not looked at here.
pub(super) fn forbidden(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = fields::unknown(pod);
    found.extend(namespaces(pod));
    found.extend(pod_security(pod));
    found.extend(sysctls(pod));
    found.extend(platform(pod));
    found.extend(volume::forbidden(pod));
    for c in pod.containers().iter().filter(|c| !is_ours(c)) {
        found.extend(container::forbidden(pod, c));
    }
    found.extend(proxy_ids(pod));
    found
}

/// Names and marks of ours in a pod that was not injected yet.
pub(super) fn reserved(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let fix = format!("choose another name; those beginning {RESERVED_PREFIX} are Exeat's");
    for c in pod.containers() {
        if is_reserved(&c.container.name) {
            let problem = format!("the name \"{}\" is reserved in agent pods", c.container.name);
            found.push(Refusal::new(format!("{}.name", c.field), problem, fix.as_str()));
        }
    }
    for (i, volume) in pod.spec().volumes.iter().flatten().enumerate() {
        if is_reserved(&volume.name) {
            let field = format!("{}spec.volumes[{i}].name", pod.prefix);
            let problem = format!("the name \"{}\" is reserved in agent pods", volume.name);
            found.push(Refusal::new(field, problem, fix.as_str()));
        }
    }
    if pod.annotations().contains_key(INJECTED_ANNOTATION) {
        found.push(Refusal::new(
            format!("{}metadata.annotations[{INJECTED_ANNOTATION}]", pod.prefix),
            "only Exeat writes this annotation, and it has not looked at this pod yet",
            "remove it, and everything named exeat-*, when you start from the YAML of a running pod",
        ));
    }
    found
}

/// A container of ours: right name in the right list. The rest is compared elsewhere.
pub(super) fn is_ours(c: &super::pod::ContainerView<'_>) -> bool {
    c.place == super::pod::ContainerList::Init
        && [INIT_CONTAINER, PROXY_CONTAINER].contains(&c.container.name.as_str())
}

fn namespaces(pod: &PodView<'_>) -> Vec<Refusal> {
    let spec = pod.spec();
    [
        (
            "hostNetwork",
            spec.host_network,
            "the pod would share the node's network, where nothing is captured",
        ),
        ("hostPID", spec.host_pid, "the agent could reach the memory of processes outside its pod"),
        ("hostIPC", spec.host_ipc, "the agent could reach the memory of processes outside its pod"),
        (
            "shareProcessNamespace",
            spec.share_process_namespace,
            "the agent could see the proxy's process, and reach its files through /proc",
        ),
    ]
    .into_iter()
    .filter(|(_, value, _)| *value == Some(true))
    .map(|(key, _, problem)| {
        Refusal::new(format!("{}spec.{key}", pod.prefix), problem, format!("remove {key}"))
    })
    .collect()
}

fn pod_security(pod: &PodView<'_>) -> Vec<Refusal> {
    let at = format!("{}spec.securityContext", pod.prefix);
    let security = pod.security();
    let mut found = confinement(
        &at,
        security.seccomp_profile.as_ref(),
        security.app_armor_profile.as_ref(),
        security.se_linux_options.as_ref(),
    );
    if security.windows_options.is_some() {
        found.push(windows(format!("{at}.windowsOptions")));
    }
    for (key, value) in pod.annotations() {
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/")
            && value == "unconfined"
        {
            let field = format!("{}metadata.annotations[{key}]", pod.prefix);
            let problem = "an agent container must stay confined";
            found.push(Refusal::new(field, problem, "remove the annotation"));
        }
    }
    found
}

/// seccomp, AppArmor and SELinux, of a pod or of a container.
fn confinement(
    at: &str,
    seccomp: Option<&SeccompProfile>,
    app_armor: Option<&AppArmorProfile>,
    se_linux: Option<&SELinuxOptions>,
) -> Vec<Refusal> {
    let mut found = Vec::new();
    if seccomp.is_some_and(|s| !["RuntimeDefault", "Localhost"].contains(&s.type_.as_str())) {
        let problem = "without seccomp the agent reaches system calls that it could break out by";
        let fix = "write RuntimeDefault, or remove it";
        found.push(Refusal::new(format!("{at}.seccompProfile.type"), problem, fix));
    }
    if app_armor.is_some_and(|a| !["RuntimeDefault", "Localhost"].contains(&a.type_.as_str())) {
        let problem = "an agent container must stay confined";
        let fix = "write RuntimeDefault, or remove it";
        found.push(Refusal::new(format!("{at}.appArmorProfile.type"), problem, fix));
    }
    let free = |s: &SELinuxOptions| {
        let is_set = |v: &Option<String>| v.as_deref().is_some_and(|v| !v.is_empty());
        let type_ = s.type_.as_deref().unwrap_or_default();
        is_set(&s.user)
            || is_set(&s.role)
            || !["", "container_t", "container_init_t", "container_kvm_t"].contains(&type_)
    };
    if se_linux.is_some_and(free) {
        let problem = "this user, role or type could be less confined than a container's";
        let fix = "remove user and role, and leave type to the runtime or write container_t";
        found.push(Refusal::new(format!("{at}.seLinuxOptions"), problem, fix));
    }
    found
}

fn sysctls(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    for (i, sysctl) in pod.security().sysctls.into_iter().flatten().enumerate() {
        let name = sysctl.name.replace('/', ".");
        let allowed = ALLOWED_SYSCTLS.contains(&name.as_str())
            || ALLOWED_SYSCTL_PREFIXES.iter().any(|p| name.starts_with(p));
        if !allowed {
            found.push(Refusal::new(
                format!("{}spec.securityContext.sysctls[{i}]", pod.prefix),
                format!("\"{}\" could change how the pod's traffic is routed", sysctl.name),
                format!("remove it; allowed are {}", ALLOWED_SYSCTLS.join(", ")),
            ));
        }
    }
    found
}

fn platform(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let spec = pod.spec();
    if spec.os.as_ref().is_some_and(|os| os.name != "linux") {
        found.push(windows(format!("{}spec.os.name", pod.prefix)));
    }
    let wanted = spec.node_selector.as_ref().and_then(|s| s.get("kubernetes.io/os"));
    if wanted.is_some_and(|os| os != "linux") {
        found.push(windows(format!("{}spec.nodeSelector[kubernetes.io/os]", pod.prefix)));
    }
    if pod.annotations().contains_key("kubernetes.io/config.mirror") {
        found.push(Refusal::new(
            format!("{}metadata.annotations[kubernetes.io/config.mirror]", pod.prefix),
            "a static pod is started by the node alone, so nothing can be put beside the agent",
            "create the pod through the API",
        ));
    }
    found
}

fn windows(field: String) -> Refusal {
    let problem = "traffic can be captured on Linux only";
    Refusal::new(field, problem, "run the agent on a Linux node")
}

/// Ids of the author's that are the proxy's.
fn proxy_ids(pod: &PodView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    if let Some(proxy) = pod.proxy_uid() {
        for (field, id) in uid::written(pod) {
            if id == proxy {
                let problem = format!(
                    "{id} is the id of this pod's proxy, whose traffic is the only one let out"
                );
                found.push(Refusal::new(field, problem, "choose another id"));
            }
        }
    }
    if pod.spec().host_users == Some(false) {
        for c in pod.containers().iter().filter(|c| !is_ours(c)) {
            if explicit_user(pod, c).is_none() {
                found.push(Refusal::new(
                    format!("{}.securityContext.runAsUser", c.field),
                    "in a user namespace there are 65,536 ids only, so the image's own USER could \
                     be the proxy's",
                    "set runAsUser in the container or in the pod",
                ));
            }
        }
    }
    found
}

/// The uid that a container runs as whatever its image says.
pub(super) fn explicit_user(pod: &PodView<'_>, c: &super::pod::ContainerView<'_>) -> Option<i64> {
    let own = c.container.security_context.as_ref().and_then(|s| s.run_as_user);
    own.or(pod.security().run_as_user)
}
