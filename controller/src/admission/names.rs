//! Every name by which an agent pod, and what is injected into it, is known.

/// Label of a namespace; its one value makes every pod of the namespace an agent.
pub(super) const NAMESPACE_LABEL: &str = "exeat.dev/agents";
pub(super) const NAMESPACE_LABEL_ALL: &str = "all";
/// Label of an agent pod. Injection adds it, so that a later change of the namespace's label
/// does not free the pod.
pub(super) const POD_LABEL: &str = "exeat.dev/agent";
pub(super) const POD_LABEL_AGENT: &str = "true";
/// Annotation of a pod that carries the injected parts, with their version.
pub(super) const INJECTED_ANNOTATION: &str = "exeat.dev/injected";
pub(super) const INJECTED_VERSION: &str = "v1";

/// Containers and volumes that begin so are ours; nothing else in an agent pod may.
pub(super) const RESERVED_PREFIX: &str = "exeat-";
pub(super) const INIT_CONTAINER: &str = "exeat-init";
pub(super) const PROXY_CONTAINER: &str = "exeat-proxy";

pub(super) const TRUST_VOLUME: &str = "exeat-trust";
pub(super) const TRUST_PATH: &str = "/var/run/exeat/trust";
pub(super) const KEYS_VOLUME: &str = "exeat-keys";
pub(super) const KEYS_PATH: &str = "/var/run/exeat/keys";
pub(super) const SPOOL_VOLUME: &str = "exeat-spool";
pub(super) const SPOOL_PATH: &str = "/var/lib/exeat/spool";
pub(super) const IDENTITY_VOLUME: &str = "exeat-identity";
pub(super) const IDENTITY_PATH: &str = "/var/run/exeat/identity";
/// Directories that agent containers may mount nothing of their own into.
pub(super) const RESERVED_PATHS: [&str; 3] = ["/var/run/exeat", "/run/exeat", "/var/lib/exeat"];

/// Audience of the token by which a proxy proves which pod it serves.
pub(super) const IDENTITY_AUDIENCE: &str = "exeat.dev";

/// Ports of the proxy inside the pod: capture, DNS, health and metrics.
pub(super) const PROXY_PORTS: [i32; 3] = [15_001, 15_053, OPS_PORT];
pub(super) const OPS_PORT: i32 = 15_020;

/// Whether a container or volume name belongs to Exeat.
pub(super) fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX)
}
