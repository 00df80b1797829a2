//! Names of what the chart installs and the controller writes. They are fixed: one installation
//! per cluster, and proxies and command line find it by them.

/// The namespace that the documentation installs into; a default, never assumed.
pub const SYSTEM_NAMESPACE: &str = "exeat-system";

/// The Deployment of the roles admission, reconcile and publish.
pub const CONTROL_WORKLOAD: &str = "exeat-control";
/// The StatefulSet of the role collect.
pub const COLLECT_WORKLOAD: &str = "exeat-collect";

/// Service of the webhooks, for the API server.
pub const ADMISSION_SERVICE: &str = "exeat-admission";
/// Service of the role publish, for proxies.
pub const PUBLISH_SERVICE: &str = "exeat-publish";
/// Service of the role collect, for proxies.
pub const COLLECT_SERVICE: &str = "exeat-collect";

/// The name that a client in the cluster uses for a Service, and that its certificate is for.
pub fn service_host(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}

/// The MutatingWebhookConfiguration and the ValidatingWebhookConfiguration.
pub const WEBHOOKS: &str = "exeat";
/// The webhook of the ValidatingWebhookConfiguration that judges policies.
pub const POLICY_WEBHOOK: &str = "policies.validate.exeat.dev";

/// Secret with the certificate authority of the control API and its key.
pub const CA_SECRET: &str = "exeat-ca";
/// ConfigMap with the certificates that the control API chains to.
pub const CONTROL_CA: &str = "exeat-control-ca";
/// The key of those certificates, in Secret and ConfigMap: PEM.
pub const CA_KEY: &str = "ca.crt";
/// The Lease whose holder writes.
pub const LEASE: &str = "exeat-reconcile";
/// ServiceAccount for which the command line asks for tokens to read the audit.
pub const AUDITOR: &str = "exeat-auditor";

/// Label of every object of the chart, with the value [`NAME`].
pub const NAME_LABEL: &str = "app.kubernetes.io/name";
pub const NAME: &str = "exeat";
/// Label that tells the controller's pods apart.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
pub const COLLECT_COMPONENT: &str = "collect";

/// Names of the chart's ValidatingAdmissionPolicies and of their bindings. Each policy has a binding
/// of its own name, but for `exeat-agent-pods`, which has the two that follow it.
pub const BACKSTOP: [&str; 10] = [
    "exeat-agent-pods",
    "exeat-agent-pods-namespaces",
    "exeat-agent-pods-labelled",
    "exeat-agent-labels",
    "exeat-tokens",
    "exeat-exec",
    "exeat-identities",
    "exeat-network-policies",
    "exeat-namespace-label",
    "exeat-namespace-released",
];
