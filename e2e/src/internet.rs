//! What arrived at the test internet, as its own counters tell.

use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use tokio::process::Command;

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
    /// The cloud's metadata.
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

/// Everything that arrived since the cluster came up, or since the last reset.
pub async fn arrivals() -> anyhow::Result<Vec<Arrivals>> {
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

/// What arrived at a host, on every protocol and port.
pub async fn arrivals_at(host: Host) -> anyhow::Result<Vec<Arrivals>> {
    let mut rows = arrivals().await?;
    rows.retain(|row| row.address == host.address);
    Ok(rows)
}
