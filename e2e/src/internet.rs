//! What arrived at the test internet, as its own counters tell.

use std::path::PathBuf;

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde::Deserialize;
use tokio::process::Command;

use crate::agent::Agent;
use crate::cluster::{Cluster, different_cluster};

/// Where the test internet is in a cluster that is not ours (`e2e/internet`).
const NAMESPACE: &str = "exeat-internet";
const ASK: [&str; 6] = [
    "curl",
    "-sS",
    "--fail-with-body",
    "--unix-socket",
    "/run/internet.sock",
    "http://internet/counters",
];

/// One host of the test internet (`e2e/cluster/internet/hosts`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Its name in the DNS.
    pub name: &'static str,
    /// Its address.
    pub address: &'static str,
}

impl Host {
    /// Policies of the cases allow it.
    pub const API: Self = Self { name: "api.your-company.com", address: "203.0.113.10" };
    /// A second one that policies may allow.
    pub const DATA: Self = Self { name: "data.example", address: "203.0.113.20" };
    /// Speaks raw TCP; policies may allow it.
    pub const DATABASE: Self = Self { name: "db.example", address: "203.0.113.30" };
    /// Reached by unprotected pods alone.
    pub const PLAIN: Self = Self { name: "plain.example", address: "203.0.113.40" };
    /// The attacker's.
    pub const EVIL: Self = Self { name: "evil.example", address: "203.0.113.66" };
    /// DNS over HTTPS.
    pub const DOH: Self = Self { name: "doh.example", address: "203.0.113.80" };
    /// One more that no policy names.
    pub const OTHER: Self = Self { name: "other.example", address: "203.0.113.90" };
    /// The cloud's metadata. A cluster that is not ours keeps its own, and counts nothing here.
    pub const METADATA: Self =
        Self { name: "metadata.internal.example", address: "169.254.169.254" };

    /// No agent of any case may ever reach one of these: a single packet is a failure.
    pub const FORBIDDEN: [Self; 4] = [Self::EVIL, Self::DOH, Self::OTHER, Self::METADATA];
}

/// What arrived at one address, protocol and port.
#[derive(Debug, Clone, Deserialize)]
pub struct Arrivals {
    /// The host's address.
    pub address: String,
    /// `tcp`, `udp`, `icmp` or a number.
    pub protocol: serde_json::Value,
    /// Zero where the protocol has none.
    pub port: u16,
    /// Packets at the door, answered or not.
    pub packets: u64,
    /// Bytes of those packets with their headers.
    pub bytes: u64,
    /// Bytes that a server read.
    pub payload: u64,
}

/// Everything that arrived since the cluster came up, or since the last reset. In a cluster of
/// several nodes each node has a test internet of its own, and rows of its own.
pub async fn arrivals() -> anyhow::Result<Vec<Arrivals>> {
    if different_cluster()?.is_some() {
        return arrivals_in_cluster().await;
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cluster/cluster");
    let output = Command::new(script)
        .args(["counters", "-o", "json"])
        .output()
        .await
        .context("asking for the counters of the test internet")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "counters of the test internet: {errors}");
    serde_json::from_slice(&output.stdout).context("reading the counters")
}

async fn arrivals_in_cluster() -> anyhow::Result<Vec<Arrivals>> {
    let pods: Api<Pod> = Api::namespaced(Cluster::connect().await?.client, NAMESPACE);
    let found = pods.list(&ListParams::default().labels("app=internet")).await?.items;
    anyhow::ensure!(
        !found.is_empty(),
        "the cluster has no test internet; start it with: e2e/internet up"
    );
    let mut rows = Vec::new();
    for pod in found {
        let node = Agent { pods: pods.clone(), name: pod.name_any() };
        let counted = node.exec("internet", &ASK).await?;
        let counted: Vec<Arrivals> = serde_json::from_str(&counted.expect_success()?.stdout)
            .with_context(|| format!("reading the counters of {}", node.name))?;
        rows.extend(counted);
    }
    Ok(rows)
}

/// What arrived at a host, on every protocol and port.
pub async fn arrivals_at(host: Host) -> anyhow::Result<Vec<Arrivals>> {
    let mut rows = arrivals().await?;
    rows.retain(|row| row.address == host.address);
    Ok(rows)
}
