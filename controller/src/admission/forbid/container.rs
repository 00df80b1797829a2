//! What no container of an agent's may have.

use super::super::harden::ALLOWED_CAPABILITIES;
use super::super::path;
use super::super::pod::{ContainerView, PodView};
use super::super::refusal::Refusal;
use super::{confinement, windows};
use exeat_api::pod::{RESERVED_PATHS, TRUST_VOLUME, is_reserved};
use exeat_api::ports::OF_THE_PROXY;
use k8s_openapi::api::core::v1::{LifecycleHandler, Probe};
use serde_json::Value;

/// Everything that is wrong with one container, ephemeral ones included.
pub(super) fn forbidden(_pod: &PodView<'_>, c: &ContainerView<'_>) -> Vec<Refusal> {
    let mut found = security(c);
    found.extend(ports(c));
    found.extend(mounts(c));
    found.extend(hosts(c));
    if let Some(target) = c.raw["targetContainerName"].as_str().filter(|t| is_reserved(t)) {
        found.push(Refusal::new(
            format!("{}.targetContainerName", c.field),
            format!("the processes of \"{target}\" are closed to everybody: it holds the keys"),
            "target another container",
        ));
    }
    found
}

fn security(c: &ContainerView<'_>) -> Vec<Refusal> {
    let at = format!("{}.securityContext", c.field);
    let name = &c.container.name;
    let security = c.container.security_context.clone().unwrap_or_default();
    let mut found = confinement(
        &at,
        security.seccomp_profile.as_ref(),
        security.app_armor_profile.as_ref(),
        security.se_linux_options.as_ref(),
    );
    let mut add = |key: &str, problem: String, fix: &str| {
        found.push(Refusal::new(format!("{at}.{key}"), problem, fix));
    };
    if security.privileged == Some(true) {
        add("privileged", format!("\"{name}\" could do anything on the node"), "remove it");
    }
    if security.allow_privilege_escalation == Some(true) {
        let problem = format!("\"{name}\" could become another user by a set-uid file");
        add("allowPrivilegeEscalation", problem, "write false, or remove it");
    }
    if security.proc_mount.as_deref().is_some_and(|p| p != "Default") {
        let problem = format!("\"{name}\" could write to the kernel's settings under /proc");
        add("procMount", problem, "remove it");
    }
    let capabilities = security.capabilities.unwrap_or_default();
    for added in capabilities.add.into_iter().flatten() {
        let upper = added.to_ascii_uppercase();
        let normal = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if !ALLOWED_CAPABILITIES.contains(&normal) {
            let problem = format!(
                "with {added}, \"{name}\" could become the proxy's user, or change the rules that \
                 capture its traffic"
            );
            let fix = format!("remove it; allowed are {}", ALLOWED_CAPABILITIES.join(", "));
            add("capabilities.add", problem, &fix);
        }
    }
    if security.windows_options.is_some() {
        found.push(windows(format!("{at}.windowsOptions")));
    }
    found
}

fn ports(c: &ContainerView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    for (i, port) in c.container.ports.iter().flatten().enumerate() {
        if port.host_port.is_some_and(|p| p != 0) {
            let problem = "the node's port would lead past the policy to the agent";
            let fix = "remove hostPort; use a Service, and name its clients in spec.ingress of the \
                       policy";
            found.push(Refusal::new(format!("{}.ports[{i}].hostPort", c.field), problem, fix));
        }
        if OF_THE_PROXY.iter().any(|&own| i32::from(own) == port.container_port) {
            let problem = format!("{} is a port of the proxy's", port.container_port);
            let field = format!("{}.ports[{i}].containerPort", c.field);
            found.push(Refusal::new(field, problem, "listen on another port"));
        }
    }
    found
}

fn mounts(c: &ContainerView<'_>) -> Vec<Refusal> {
    const FIX: &str = "remove it; Exeat mounts what a container needs by itself";
    let mut found = Vec::new();
    for (i, mount) in c.container.volume_mounts.iter().flatten().enumerate() {
        let at = format!("{}.volumeMounts[{i}]", c.field);
        // What the trust volume's one mount must look like, the hardening check knows.
        if is_reserved(&mount.name) && mount.name != TRUST_VOLUME {
            let problem = format!("the volume \"{}\" is the proxy's alone", mount.name);
            found.push(Refusal::new(format!("{at}.name"), problem, FIX));
        }
        if mount.name != TRUST_VOLUME && inside_reserved_path(&mount.mount_path) {
            let problem = format!("\"{}\" would hide what Exeat mounts", mount.mount_path);
            let fix = "mount the volume elsewhere";
            found.push(Refusal::new(format!("{at}.mountPath"), problem, fix));
        }
        if mount.mount_propagation.as_deref() == Some("Bidirectional") {
            let problem = "mounts made in the container would appear on the node";
            let field = format!("{at}.mountPropagation");
            found.push(Refusal::new(field, problem, "remove it"));
        }
    }
    for (i, device) in c.container.volume_devices.iter().flatten().enumerate() {
        if is_reserved(&device.name) {
            let problem = format!("the volume \"{}\" is the proxy's alone", device.name);
            let field = format!("{}.volumeDevices[{i}].name", c.field);
            found.push(Refusal::new(field, problem, FIX));
        }
    }
    references(c.raw, &c.field, &mut found);
    found
}

/// Any other way to name a volume, such as a variable that is read from a file in one.
fn references(value: &Value, at: &str, found: &mut Vec<Refusal>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let at = format!("{at}.{key}");
                if key == "volumeName" && inner.as_str().is_some_and(is_reserved) {
                    let problem = "the volume is the proxy's alone";
                    found.push(Refusal::new(at, problem, "name another volume"));
                } else {
                    references(inner, &at, found);
                }
            }
        }
        Value::Array(list) => {
            for (i, inner) in list.iter().enumerate() {
                references(inner, &format!("{at}[{i}]"), found);
            }
        }
        _ => {}
    }
}

/// The kubelet sends probes and hooks from the node, past the proxy; `host` aims them elsewhere.
fn hosts(c: &ContainerView<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let mut add = |field: String, host: Option<&String>| {
        if host.is_some_and(|h| !h.is_empty()) {
            let problem = "the node would send this request to another host, past the proxy";
            let fix = "remove host, so that it goes to the pod itself";
            found.push(Refusal::new(format!("{}.{field}.host", c.field), problem, fix));
        }
    };
    let probes: [(&str, &Option<Probe>); 3] = [
        ("livenessProbe", &c.container.liveness_probe),
        ("readinessProbe", &c.container.readiness_probe),
        ("startupProbe", &c.container.startup_probe),
    ];
    for (key, probe) in probes {
        let Some(probe) = probe else { continue };
        add(format!("{key}.httpGet"), probe.http_get.as_ref().and_then(|g| g.host.as_ref()));
        add(format!("{key}.tcpSocket"), probe.tcp_socket.as_ref().and_then(|s| s.host.as_ref()));
    }
    let lifecycle = c.container.lifecycle.clone().unwrap_or_default();
    let hooks: [(&str, &Option<LifecycleHandler>); 2] =
        [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)];
    for (key, hook) in hooks {
        let Some(hook) = hook else { continue };
        let at = format!("lifecycle.{key}");
        add(format!("{at}.httpGet"), hook.http_get.as_ref().and_then(|g| g.host.as_ref()));
        add(format!("{at}.tcpSocket"), hook.tcp_socket.as_ref().and_then(|s| s.host.as_ref()));
    }
    found
}

/// Whether a path is, or lies in, a directory of ours.
fn inside_reserved_path(path: &str) -> bool {
    let path = path::normal(path);
    RESERVED_PATHS.iter().any(|reserved| path.starts_with(&path::normal(reserved)))
}
