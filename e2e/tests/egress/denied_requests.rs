//! Requests that the policy refuses are answered with the reason, and nothing leaves.

use exeat_e2e::{Case, Host, arrivals_at};

#[tokio::test]
async fn egress_denied_host() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        // The name gets an address whose connections are refused in words.
        agent.curl("https://evil.example/").await?.expect_refusal("no rule allows this")?;
        // With the address given the connection is captured, and refused.
        agent
            .curl("--resolve evil.example:443:203.0.113.66 https://evil.example/")
            .await?
            .expect_failure_or_refusal()?;
        case.expect_nothing_at(Host::EVIL).await
    })
    .await
}

#[tokio::test]
async fn egress_denied_method_and_body_and_plain_http() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let host = Host::API.name;
        let payload = |rows: Vec<exeat_e2e::Arrivals>, port| -> u64 {
            rows.iter().filter(|row| row.port == port).map(|row| row.payload).sum()
        };
        agent.curl(&format!("-X DELETE https://{host}/v1/things/1")).await?.expect_refusal("")?;
        agent
            .curl(&format!("--data 'my api_key is 1' https://{host}/v1/things"))
            .await?
            .expect_refusal("internal-api")?;
        agent.curl(&format!("http://{host}/")).await?.expect_refusal("no-plain-http")?;
        let plain = payload(arrivals_at(Host::API).await?, 80);
        anyhow::ensure!(plain == 0, "{plain} bytes arrived in plain HTTP");
        Ok(())
    })
    .await
}
