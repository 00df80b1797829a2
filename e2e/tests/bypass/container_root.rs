//! Root in the agent's container, with what capabilities it has left.

use std::collections::BTreeMap;

use exeat_e2e::{Case, Host};
use serde_json::json;

#[tokio::test]
async fn bypass_container_root() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let job = json!({"evil": Host::EVIL.address});
        let outcomes: BTreeMap<String, String> =
            agent.python(include_str!("root.py"), &job).await?;
        anyhow::ensure!(outcomes.len() > 45, "attempts are missing: {outcomes:?}");
        let done: Vec<_> =
            outcomes.iter().filter(|(_, outcome)| !outcome.starts_with("error: ")).collect();
        anyhow::ensure!(done.is_empty(), "these attempts succeeded: {done:?}");
        case.expect_nothing_forbidden().await
    })
    .await
}

/// Both files are shared by all containers of the pod, so root can write what the proxy sees.
#[tokio::test]
async fn bypass_edited_hosts_and_resolv_conf() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let Host { name, address: real } = Host::DATA;
        let evil = Host::EVIL.address;
        let control = "exeat-collect.exeat-system.svc exeat-publish.exeat-system.svc";
        let synthetic = agent.sh(&format!("dig +short {name}")).await?.stdout.trim().to_owned();
        agent
            .sh(&format!("echo '{evil} {name} {control}' >>/etc/hosts && echo 'nameserver {evil}' >/etc/resolv.conf"))
            .await?
            .expect_success()?;
        // The agent misled itself: to that address only its own name could be meant.
        agent.curl(&format!("https://{name}/")).await?.expect_refusal("HostMismatch")?;
        // The proxy resolves by itself.
        let answer = agent.curl(&format!("--resolve {name}:443:{synthetic} https://{name}/")).await?;
        answer.expect_status("200")?;
        anyhow::ensure!(answer.stdout.contains(&format!("\"address\":\"{real}\"")), "{answer:?}");
        let question = agent.sh("dig +time=3 +tries=1 evil.example").await?;
        anyhow::ensure!(question.stdout.contains("EDE: 15"), "{question:?}");
        case.expect_nothing_forbidden().await
    })
    .await
}
