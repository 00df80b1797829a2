//! Past DNS and past HTTP: addresses, datagrams, the cloud's metadata.

use exeat_e2e::{Case, Host};

#[tokio::test]
async fn bypass_direct_ip() -> anyhow::Result<()> {
    Case::run(include_str!("../egress/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let address = Host::OTHER.address;
        agent.curl(&format!("-k https://{address}/")).await?.expect_failure_or_refusal()?;
        agent.curl(&format!("http://{address}/")).await?.expect_refusal("")?;
        agent
            .sh(&format!("echo hello | nc -w 3 {address} 9000 | grep hello"))
            .await?
            .expect_failure()?;
        case.expect_nothing_at(Host::OTHER).await
    })
    .await
}

#[tokio::test]
async fn bypass_udp() -> anyhow::Result<()> {
    Case::run(include_str!("../egress/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let address = Host::OTHER.address;
        for port in [443, 9000, 123] {
            agent
                .sh(&format!("echo hello | nc -u -w 1 {address} {port} | grep hello"))
                .await?
                .expect_failure()?;
        }
        case.expect_nothing_at(Host::OTHER).await
    })
    .await
}

#[tokio::test]
async fn bypass_metadata() -> anyhow::Result<()> {
    Case::run(include_str!("../egress/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        agent.curl("http://169.254.169.254/latest/meta-data/").await?.expect_refusal("")?;
        case.expect_nothing_at(Host::METADATA).await
    })
    .await
}
