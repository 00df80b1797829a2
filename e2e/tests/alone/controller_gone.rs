//! No pod of the controller is there at all: agents that run are held to the policy that they had,
//! and nothing that they did meanwhile is missing afterwards.

use exeat_api::objects::{COLLECT_WORKLOAD, SYSTEM_NAMESPACE};
use exeat_e2e::{Agent, Case, Host, exeat};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Api;

use super::scaled::without;

#[tokio::test]
async fn egress_controller_gone_loses_nothing() -> anyhow::Result<()> {
    Case::run(include_str!("../bypass/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let url = format!("https://{}", Host::DATA.name);
        agent.curl(&format!("{url}/before")).await?.expect_status("200")?;
        let control = async || without::<Deployment>("control", async || ask(&agent).await).await;
        if collector_has_a_volume(case).await? {
            without::<StatefulSet>("collect", control).await?;
        } else {
            eprintln!("{COLLECT_WORKLOAD} keeps its audit in its pod here, which therefore stays");
            control().await?;
        }
        agent.curl(&format!("{url}/after")).await?.expect_status("200")?;
        let records = records_with(case, "/after").await?;
        let count = |part: &str| {
            let intents = records.lines().filter(|line| line.contains("\"Intent\""));
            intents.filter(|line| line.contains(part)).count()
        };
        anyhow::ensure!(count("/before\"") == 1, "{records}");
        for n in 1..=5 {
            anyhow::ensure!(count(&format!("/gone/{n}\"")) == 1, "/gone/{n}: {records}");
        }
        anyhow::ensure!(count("DirectIp") == 1, "{records}");
        exeat(&["audit", "verify", "--namespace", &case.namespace]).await?.expect_success()?;
        case.expect_nothing_forbidden().await
    })
    .await
}

async fn collector_has_a_volume(case: &Case) -> anyhow::Result<bool> {
    let sets: Api<StatefulSet> = Api::namespaced(case.client(), SYSTEM_NAMESPACE);
    let spec = sets.get(COLLECT_WORKLOAD).await?.spec;
    Ok(spec.volume_claim_templates.is_some_and(|claims| !claims.is_empty()))
}

async fn ask(agent: &Agent) -> anyhow::Result<()> {
    for n in 1..=5 {
        let url = format!("https://{}/gone/{n}", Host::DATA.name);
        agent.curl(&url).await?.expect_status("200")?;
    }
    let evil = format!("http://{}/", Host::EVIL.address);
    agent.curl(&evil).await?.expect_refusal("DirectIp")?;
    Ok(())
}

/// The records of the case's agents, once one of them has this text. The proxies come back to
/// the collector within their longest pause between two attempts.
async fn records_with(case: &Case, text: &str) -> anyhow::Result<String> {
    let mut last = None;
    for _ in 0..60 {
        let asked =
            exeat(&["audit", "--namespace", &case.namespace, "--last", "500", "-o", "json"])
                .await?;
        if asked.stdout.contains(text) {
            return Ok(asked.stdout);
        }
        last = Some(asked);
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    anyhow::bail!("no record has {text:?}: {last:?}")
}
