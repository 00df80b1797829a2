//! What the injected parts are made of, from the controller's flags.

use serde_json::Value;
use std::net::IpAddr;

/// Settings of injection. Equal on every replica, for one replica validates what another wrote.
#[derive(Debug, Clone)]
pub struct InjectionSettings {
    pub proxy_image: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub proxy_image_pull_policy: String,
    /// `resources` of the proxy, as in a container.
    pub proxy_resources: Value,
    /// `https://exeat-publish.<namespace>.svc:8443`
    pub publish_url: String,
    /// `https://exeat-collect.<namespace>.svc:8443`
    pub collect_url: String,
    /// Servers that the proxy resolves by: the cluster's, never the pod's own files.
    pub dns_servers: Vec<IpAddr>,
    pub cluster_domain: String,
    /// Tracing filter of the proxy.
    pub log: String,
}

/// Where the certificates come from that the control API's own may chain to.
pub trait ControlCa: Send + Sync + 'static {
    /// PEM certificates, current now. Empty while there are none: no pod is admitted then.
    fn bundle(&self) -> String;
}

impl<F: Fn() -> String + Send + Sync + 'static> ControlCa for F {
    fn bundle(&self) -> String {
        self()
    }
}
