//! What every agent container loses, so that its root cannot become the proxy's uid, and gets, so
//! that its clients trust the proxy. [`apply`] is what mutation does; [`check`] is what
//! validation demands of the result, whoever produced it.

use super::pod::{ContainerList, ContainerView, PodView};
use super::refusal::Refusal;
use super::settings::SystemTrust;
use super::trust::{self, array};
use k8s_openapi::api::core::v1::SecurityContext;
use serde_json::{Map, Value, json};

/// Capabilities that an agent container may keep or add. None of them changes a process's uid,
/// reaches another process's memory, or touches the network's rules.
pub(super) const ALLOWED_CAPABILITIES: [&str; 7] =
    ["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE"];

/// Every other capability that Linux has. Written out rather than `ALL`, so that a container
/// keeps those of the allowed ones that its runtime gives by default.
pub(super) const FORBIDDEN_CAPABILITIES: [&str; 34] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// Hardens a container of the agent's and lets it trust the proxy. What the author wrote stays,
/// unless it is weaker; what is forbidden has been refused before.
pub(super) fn apply(
    container: &mut Value,
    pod_has_seccomp: bool,
    place: ContainerList,
    system: SystemTrust,
) {
    let Some(container) = container.as_object_mut() else { return };
    harden(object(container, "securityContext"), pod_has_seccomp);
    trust::apply(container, place, system);
}

/// What is missing from a container of an injected pod.
pub(super) fn check(pod: &PodView<'_>, c: &ContainerView<'_>) -> Vec<Refusal> {
    const LATER: &str = "another webhook added or changed this container after Exeat's; let that \
                         webhook run first (webhooks run in the order of their configurations' \
                         names), or exempt agent pods from it";
    let security = c.container.security_context.clone().unwrap_or_default();
    let at = format!("{}.securityContext", c.field);
    let mut found = Vec::new();
    if security.allow_privilege_escalation != Some(false) {
        let problem = "must be false in an agent container, or a set-uid file frees it";
        found.push(Refusal::new(format!("{at}.allowPrivilegeEscalation"), problem, LATER));
    }
    let kept = kept_capabilities(&security);
    if !kept.is_empty() {
        let problem = format!("an agent container must drop {}", kept.join(", "));
        found.push(Refusal::new(format!("{at}.capabilities.drop"), problem, LATER));
    }
    if security.seccomp_profile.is_none() && pod.security().seccomp_profile.is_none() {
        let problem = "must be set in an agent container, or in its pod";
        found.push(Refusal::new(format!("{at}.seccompProfile"), problem, LATER));
    }
    found.extend(trust::check(c, LATER));
    found
}

fn harden(security: &mut Map<String, Value>, pod_has_seccomp: bool) {
    security.insert("allowPrivilegeEscalation".to_owned(), json!(false));
    let drop = array(object(security, "capabilities"), "drop");
    if !drop.iter().any(|d| d == "ALL") {
        for name in FORBIDDEN_CAPABILITIES {
            if !drop.iter().any(|d| d == name) {
                drop.push(json!(name));
            }
        }
    }
    let has_seccomp = security.get("seccompProfile").is_some_and(|s| !s.is_null());
    if !has_seccomp && !pod_has_seccomp {
        security.insert("seccompProfile".to_owned(), json!({"type": "RuntimeDefault"}));
    }
}

/// Forbidden capabilities that the container does not drop. Only exact names count: a runtime
/// reads `CAP_SETUID` in this list as a capability that does not exist.
fn kept_capabilities(security: &SecurityContext) -> Vec<&'static str> {
    let dropped = security.capabilities.clone().unwrap_or_default().drop.unwrap_or_default();
    if dropped.iter().any(|d| d == "ALL") {
        return Vec::new();
    }
    FORBIDDEN_CAPABILITIES.into_iter().filter(|c| !dropped.iter().any(|d| d == c)).collect()
}

/// The object at a key, made when absent.
fn object<'a>(parent: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = parent.entry(key).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    match entry {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charts_backstop_allows_the_same_capabilities() {
        let backstop = include_str!("../../../charts/exeat/templates/backstop.yaml");
        let allowed = format!("a in ['{}']", ALLOWED_CAPABILITIES.join("', '"));
        assert!(backstop.contains(&allowed), "{allowed}");
    }
}
