//! Labels and annotations by which people and Exeat mark objects.

/// Every label and annotation of Exeat begins so.
pub const PREFIX: &str = "exeat.dev/";

/// Label of a namespace. Its one value, [`NAMESPACE_LABEL_ALL`], makes every pod of the namespace an
/// agent.
pub const NAMESPACE_LABEL: &str = "exeat.dev/agents";
pub const NAMESPACE_LABEL_ALL: &str = "all";

/// Label of a pod that is an agent. Injection adds it, so that a later change of the namespace's
/// label does not free the pod.
pub const POD_LABEL: &str = "exeat.dev/agent";
pub const POD_LABEL_AGENT: &str = "true";
/// Says that a pod is no agent. Refused in a namespace of agents.
pub const POD_LABEL_NO_AGENT: &str = "false";

/// Annotation of a pod that carries the injected parts; its value is their version.
pub const INJECTED_ANNOTATION: &str = "exeat.dev/injected";
pub const INJECTED_VERSION: &str = "v1";

/// Annotation by which the author of a pod says whether the pod's bundle is mounted over the roots
/// that its images hold. Absent: as the installation says.
pub const SYSTEM_TRUST_ANNOTATION: &str = "exeat.dev/system-trust";
pub const SYSTEM_TRUST_REPLACE: &str = "Replace";
pub const SYSTEM_TRUST_LEAVE: &str = "Leave";

/// Annotation of a pod from whose value the placeholders of its credentials are derived. Admission
/// draws it. It is no secret: who knows it knows what the agent knows.
pub const PLACEHOLDERS_ANNOTATION: &str = "exeat.dev/placeholders";

/// Label of a NetworkPolicy that the controller wrote: the uid of the policy that it belongs to.
pub const OWNER_LABEL: &str = "exeat.dev/policy-uid";
