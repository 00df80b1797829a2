//! What admission tells a proxy, by environment.

use clap::{Args, Parser, Subcommand};
use exeat_api::{env, pod, ports};
use std::net::IpAddr;
use std::path::PathBuf;

/// The sidecar that decides what leaves an agent's pod.
#[derive(Debug, Parser)]
#[command(name = "exeat-proxy", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// What is logged, as a tracing filter.
    #[arg(long, env = env::LOG, default_value = "info", global = true)]
    pub log: String,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Writes the capture rules into this network namespace, verifies them and ends.
    Init(InitArgs),
    /// Runs the proxy.
    Run(Box<RunArgs>),
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The uid whose traffic is not captured.
    #[arg(long, env = env::PROXY_UID)]
    pub proxy_uid: u32,
    /// The nft program.
    #[arg(long, env = "EXEAT_NFT", default_value = "nft")]
    pub nft: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub pod: PodArgs,
    #[command(flatten)]
    pub paths: Paths,
    /// Where policy comes from: https://HOST:PORT.
    #[arg(long, env = env::PUBLISH_URL)]
    pub publish_url: String,
    /// Where audit goes: https://HOST:PORT.
    #[arg(long, env = env::COLLECT_URL)]
    pub collect_url: String,
    /// PEM certificates that the control API chains to.
    #[arg(long, env = env::CONTROL_CA)]
    pub control_ca: String,
    /// DNS servers for the proxy's own look-ups; the pod's resolv.conf is the agent's to write.
    #[arg(long, env = env::DNS_SERVERS, value_delimiter = ',', required = true)]
    pub dns_servers: Vec<IpAddr>,
    #[arg(long, env = env::CLUSTER_DOMAIN, default_value = "cluster.local")]
    pub cluster_domain: String,
    /// Port of captured connections.
    #[arg(long, default_value_t = ports::CAPTURE)]
    pub capture_port: u16,
    /// Port of captured DNS.
    #[arg(long, default_value_t = ports::DNS)]
    pub dns_port: u16,
    /// Port of TCP that the agent opened to one of these ports.
    #[arg(long, default_value_t = ports::REFUSED)]
    pub refused_port: u16,
    /// Port of health and metrics.
    #[arg(long, default_value_t = ports::OPS)]
    pub ops_port: u16,
    /// Threads that carry traffic. One is cheapest: an agent rarely keeps a core busy, and every
    /// hand-over between threads costs more than a request does.
    #[arg(long, env = "EXEAT_WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: u16,
    /// Most bytes that the spool keeps before it counts as full.
    #[arg(long, env = "EXEAT_SPOOL_BYTES", default_value_t = pod::SPOOL_BYTES)]
    pub spool_bytes: u64,
}

/// Who the pod is, by the downward API.
#[derive(Debug, Clone, Args)]
pub struct PodArgs {
    #[arg(long, env = env::POD_NAME)]
    pub pod_name: String,
    #[arg(long, env = env::POD_NAMESPACE)]
    pub pod_namespace: String,
    #[arg(long, env = env::POD_UID)]
    pub pod_uid: String,
    #[arg(long, env = env::NODE_NAME, default_value = "")]
    pub node_name: String,
    #[arg(long, env = env::SERVICE_ACCOUNT, default_value = "")]
    pub service_account: String,
    #[arg(long, env = env::PROXY_IMAGE, default_value = "")]
    pub proxy_image: String,
    /// What the placeholders of credentials are derived from.
    #[arg(long, env = env::PLACEHOLDER_SEED, default_value = "")]
    pub placeholder_seed: String,
}

/// The volumes of the pod.
#[derive(Debug, Clone, Args)]
pub struct Paths {
    /// Read by the agent: the pod's certificate authority.
    #[arg(long, env = "EXEAT_TRUST_DIR", default_value = pod::TRUST_PATH)]
    pub trust_dir: PathBuf,
    /// The proxy's alone: keys and the last snapshot.
    #[arg(long, env = "EXEAT_KEYS_DIR", default_value = pod::KEYS_PATH)]
    pub keys_dir: PathBuf,
    /// The proxy's alone: the audit spool.
    #[arg(long, env = "EXEAT_SPOOL_DIR", default_value = pod::SPOOL_PATH)]
    pub spool_dir: PathBuf,
    /// The proxy's alone: the token that names this pod to the control API.
    #[arg(long, env = "EXEAT_TOKEN", default_value = pod::TOKEN_PATH)]
    pub token: PathBuf,
    /// PEM certificates that the cluster's API server chains to. Need not be there.
    #[arg(long, env = "EXEAT_API_SERVER_CA", default_value = pod::API_SERVER_CA_PATH)]
    pub api_server_ca: PathBuf,
}
