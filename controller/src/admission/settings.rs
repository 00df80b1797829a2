//! What the injected parts are made of, from the controller's flags.

use clap::ValueEnum;
use exeat_api::labels::{SYSTEM_TRUST_LEAVE, SYSTEM_TRUST_REPLACE};
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
    /// Where a pod's annotation does not say otherwise.
    pub system_trust: SystemTrust,
}

/// What becomes of the roots that an agent's image holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum SystemTrust {
    /// The pod's bundle is mounted over them.
    Replace,
    /// They stay.
    Leave,
}

impl SystemTrust {
    pub(super) const ALL: [Self; 2] = [Self::Replace, Self::Leave];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => SYSTEM_TRUST_REPLACE,
            Self::Leave => SYSTEM_TRUST_LEAVE,
        }
    }
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
