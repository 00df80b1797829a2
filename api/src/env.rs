//! Variables that admission sets on the injected containers and that the proxy reads.
//!
//! Not here: variables that only one side knows. The controller's own are flags of
//! `exeat-controller`, and a test of it reads which of them the chart sets. Some have the same name
//! as one of these and mean the same thing there.

/// The uid whose traffic is not captured. For the init container.
pub const PROXY_UID: &str = "EXEAT_PROXY_UID";
/// Tracing filter, for both containers.
pub const LOG: &str = "EXEAT_LOG";

/// The pod's name, by the downward API, as are namespace, uid, node and service account.
pub const POD_NAME: &str = "EXEAT_POD_NAME";
pub const POD_NAMESPACE: &str = "EXEAT_POD_NAMESPACE";
pub const POD_UID: &str = "EXEAT_POD_UID";
pub const NODE_NAME: &str = "EXEAT_NODE_NAME";
pub const SERVICE_ACCOUNT: &str = "EXEAT_SERVICE_ACCOUNT";
/// The image that the proxy runs from, for the chain's first record.
pub const PROXY_IMAGE: &str = "EXEAT_PROXY_IMAGE";

/// `https://HOST:PORT` where policy comes from.
pub const PUBLISH_URL: &str = "EXEAT_PUBLISH_URL";
/// `https://HOST:PORT` where audit goes.
pub const COLLECT_URL: &str = "EXEAT_COLLECT_URL";
/// PEM certificates that the control API may chain to.
pub const CONTROL_CA: &str = "EXEAT_CONTROL_CA";
/// Addresses of the cluster's DNS, separated by commas.
pub const DNS_SERVERS: &str = "EXEAT_DNS_SERVERS";
/// The DNS domain of the cluster's services.
pub const CLUSTER_DOMAIN: &str = "EXEAT_CLUSTER_DOMAIN";
/// The pod's [`crate::labels::PLACEHOLDERS_ANNOTATION`]; empty where it has none.
pub const PLACEHOLDER_SEED: &str = "EXEAT_PLACEHOLDER_SEED";
