//! Flags of `exeat-controller`. Every flag can be given as an environment variable.

use crate::admission::SystemTrust;
use clap::{Parser, ValueEnum};
use exeat_api::{objects, ports};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The controller of Exeat.
#[derive(Debug, Clone, Parser)]
#[command(name = "exeat-controller", version, about)]
pub struct Flags {
    /// What this process does.
    #[arg(
        long,
        env = "EXEAT_ROLES",
        value_delimiter = ',',
        default_value = "admission,reconcile,publish"
    )]
    pub roles: Vec<Role>,

    /// Where the webhooks are served, over TLS.
    #[arg(long, env = "EXEAT_ADMISSION_ADDR", default_value_t = any(ports::ADMISSION))]
    pub admission_addr: SocketAddr,

    /// Where the proxies fetch snapshots and deliver audit, over TLS.
    #[arg(long, env = "EXEAT_CONTROL_ADDR", default_value_t = any(ports::CONTROL))]
    pub control_addr: SocketAddr,

    /// Where `/livez`, `/readyz` and `/metrics` are served, in plain HTTP.
    #[arg(long, env = "EXEAT_OPS_ADDR", default_value_t = any(ports::CONTROLLER_OPS))]
    pub ops_addr: SocketAddr,

    /// The namespace of this installation.
    #[arg(long, env = "POD_NAMESPACE", default_value = objects::SYSTEM_NAMESPACE)]
    pub namespace: String,

    /// The name of this replica's pod; its identity in the Lease and in events.
    #[arg(long, env = "POD_NAME", default_value = "exeat-controller")]
    pub pod_name: String,

    /// The image of the proxy that is put into agent pods.
    #[arg(long, env = "EXEAT_PROXY_IMAGE", default_value = "")]
    pub proxy_image: String,

    /// Always, IfNotPresent or Never.
    #[arg(long, env = "EXEAT_PROXY_IMAGE_PULL_POLICY", default_value = "IfNotPresent")]
    pub proxy_image_pull_policy: String,

    /// CPU request of the proxy's container.
    #[arg(long, env = "EXEAT_PROXY_RESOURCES_CPU_REQUEST", default_value = "20m")]
    pub proxy_resources_cpu_request: String,

    /// Memory request of the proxy's container.
    #[arg(long, env = "EXEAT_PROXY_RESOURCES_MEMORY_REQUEST", default_value = "64Mi")]
    pub proxy_resources_memory_request: String,

    /// CPU limit of the proxy's container; empty: none.
    #[arg(long, env = "EXEAT_PROXY_RESOURCES_CPU_LIMIT", default_value = "")]
    pub proxy_resources_cpu_limit: String,

    /// Memory limit of the proxy's container; empty: none.
    #[arg(long, env = "EXEAT_PROXY_RESOURCES_MEMORY_LIMIT", default_value = "512Mi")]
    pub proxy_resources_memory_limit: String,

    /// Tracing filter of the proxies.
    #[arg(long, env = "EXEAT_PROXY_LOG", default_value = "info")]
    pub proxy_log: String,

    /// Whether the pod's bundle is mounted over the roots of an agent's image, where the pod's own
    /// annotation does not say.
    #[arg(long, env = "EXEAT_SYSTEM_TRUST", default_value = "Replace")]
    pub system_trust: SystemTrust,

    /// Addresses of the cluster's DNS, which the proxies ask. Default: the nameservers of this
    /// process's own /etc/resolv.conf.
    #[arg(long, env = "EXEAT_DNS_SERVERS", value_delimiter = ',')]
    pub dns_servers: Vec<IpAddr>,

    /// The DNS domain of the cluster's services.
    #[arg(long, env = "EXEAT_CLUSTER_DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,

    /// PEM file of certificates that upstream servers may chain to, beside the proxy image's own.
    #[arg(long, env = "EXEAT_ADDITIONAL_ROOTS")]
    pub additional_roots: Option<PathBuf>,

    /// Where `collect` keeps the audit.
    #[arg(long, env = "EXEAT_DATABASE", default_value = "/var/lib/exeat/audit.db")]
    pub database: PathBuf,

    /// Directory with tls.crt, tls.key and ca.crt that others manage. Default: the controller makes
    /// and rotates its own in the Secret `exeat-ca`.
    #[arg(long, env = "EXEAT_TLS_DIR")]
    pub tls_dir: Option<PathBuf>,

    /// The name of the two webhook configurations whose caBundle is kept.
    #[arg(long, env = "EXEAT_WEBHOOK_NAME", default_value = objects::WEBHOOKS)]
    pub webhook_name: String,

    /// Namespaces (by the label kubernetes.io/metadata.name) that may scrape the proxies' metrics.
    /// Default: every address may connect to that port.
    #[arg(long, env = "EXEAT_METRICS_FROM", value_delimiter = ',')]
    pub metrics_from: Vec<String>,

    /// Ranges that names never reach by NetworkPolicy, beside the built-in private and metadata
    /// ranges; for clusters whose services or nodes have public addresses.
    #[arg(long, env = "EXEAT_EXCLUDED_CIDRS", value_delimiter = ',')]
    pub excluded_cidrs: Vec<IpNet>,

    /// Tracing filter of this process.
    #[arg(long, env = "EXEAT_LOG", default_value = "info")]
    pub log: String,
}

/// One of the things that a controller process can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Role {
    Admission,
    Reconcile,
    Publish,
    Collect,
}

impl Flags {
    /// Whether this process plays `role`.
    pub fn plays(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// The cluster's DNS servers: as given, else those of /etc/resolv.conf.
    pub fn resolved_dns_servers(&self) -> Vec<IpAddr> {
        if !self.dns_servers.is_empty() {
            return self.dns_servers.clone();
        }
        nameservers(Path::new("/etc/resolv.conf"))
    }

    /// Where proxies fetch snapshots.
    pub fn publish_url(&self) -> String {
        self.control_url(objects::PUBLISH_SERVICE)
    }

    /// Where proxies deliver audit.
    pub fn collect_url(&self) -> String {
        self.control_url(objects::COLLECT_SERVICE)
    }

    fn control_url(&self, service: &str) -> String {
        format!("https://{}:{}", objects::service_host(service, &self.namespace), ports::CONTROL)
    }
}

/// That port on every address.
const fn any(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

fn nameservers(path: &Path) -> Vec<IpAddr> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        Flags::command().debug_assert();
    }

    #[test]
    fn roles_are_read_from_one_flag() {
        let flags = Flags::parse_from(["exeat-controller", "--roles", "collect,publish"]);
        assert!(flags.plays(Role::Collect) && flags.plays(Role::Publish));
        assert!(!flags.plays(Role::Admission));
    }

    #[test]
    fn nameservers_come_from_resolv_conf() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "search x\nnameserver 10.96.0.10\nnameserver fd00::a\n")
            .unwrap();
        let expected: Vec<IpAddr> = vec!["10.96.0.10".parse().unwrap(), "fd00::a".parse().unwrap()];
        assert_eq!(nameservers(file.path()), expected);
    }
}
