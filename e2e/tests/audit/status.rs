//! The status of a policy tells what it denied last and whether something else widens it.

use std::time::Duration;

use exeat_crds::AgentPolicy;
use exeat_e2e::Case;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;
use tokio::time::{Instant, sleep};

const YAML: &str = include_str!("../egress/agent.yaml");
const PATIENCE: Duration = Duration::from_secs(20);

/// The status once it is as it should be.
async fn status_until(case: &Case, holds: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let policies: Api<AgentPolicy> = Api::namespaced(case.client(), &case.namespace);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = serde_json::to_value(policies.get("agent").await?)?["status"].clone();
        if holds(&status) {
            return Ok(status);
        }
        anyhow::ensure!(Instant::now() < deadline, "the status stays {status}");
        sleep(Duration::from_millis(200)).await;
    }
}

fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.clone().find(|one| one["type"] == kind).cloned().unwrap_or_default()
}

#[tokio::test]
async fn audit_last_denial_is_in_the_status() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        let agent = case.agent("agent").await?;
        agent.curl("http://api.your-company.com/plain").await?.expect_refusal("no-plain-http")?;
        let status = status_until(case, |status| !status["lastDenied"].is_null()).await?;
        anyhow::ensure!(status["lastDenied"]["code"] == "RuleDeny", "{status}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn audit_network_policy_is_owned_and_goes_with_its_policy() -> anyhow::Result<()> {
    let yaml = YAML.split("\n---\n").next().unwrap_or_default();
    Case::run(yaml, async |case| {
        status_until(case, |status| condition(status, "Programmed")["status"] == "True").await?;
        let networks: Api<NetworkPolicy> = Api::namespaced(case.client(), &case.namespace);
        let made = networks.get("agentpolicy-agent").await?;
        let owner = made.metadata.owner_references.unwrap_or_default();
        anyhow::ensure!(
            owner.len() == 1 && owner[0].kind == "AgentPolicy" && owner[0].name == "agent",
            "owned by {owner:?}"
        );
        let policies: Api<AgentPolicy> = Api::namespaced(case.client(), &case.namespace);
        // Deleted by itself it comes back.
        networks.delete("agentpolicy-agent", &DeleteParams::default()).await?;
        gone_or_back(&networks, true).await?;
        policies.delete("agent", &DeleteParams::default()).await?;
        gone_or_back(&networks, false).await
    })
    .await
}

async fn gone_or_back(networks: &Api<NetworkPolicy>, there: bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while networks.get_opt("agentpolicy-agent").await?.is_some() != there {
        anyhow::ensure!(Instant::now() < deadline, "the NetworkPolicy: expected there={there}");
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test]
async fn audit_foreign_network_policy_that_widens_is_shown() -> anyhow::Result<()> {
    Case::run(YAML, async |case| {
        status_until(case, |status| condition(status, "Isolated")["status"] == "True").await?;
        case.create(include_str!("widening.yaml")).await?;
        let wide = |status: &Value| condition(status, "Isolated")["status"] == "False";
        let status = status_until(case, wide).await?;
        let said = condition(&status, "Isolated");
        anyhow::ensure!(said["reason"] == "Widened", "{said}");
        anyhow::ensure!(said["message"].to_string().contains("everything-open (egress)"), "{said}");
        anyhow::ensure!(condition(&status, "Ready")["status"] == "False", "{status}");
        let networks: Api<NetworkPolicy> = Api::namespaced(case.client(), &case.namespace);
        networks.delete("everything-open", &DeleteParams::default()).await?;
        status_until(case, |status| condition(status, "Isolated")["status"] == "True").await?;
        Ok(())
    })
    .await
}
