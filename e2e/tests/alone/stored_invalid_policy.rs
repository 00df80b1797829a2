//! A policy that does not compile and is stored all the same, past the webhook, denies everything
//! to its pods and says so in its conditions.

use std::time::Duration;

use anyhow::Context;
use exeat_api::objects::{POLICY_WEBHOOK, WEBHOOKS};
use exeat_crds::AgentPolicy;
use exeat_e2e::{Case, Cluster};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

#[tokio::test]
async fn admit_stored_invalid_policy_denies() -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
    Case::run(include_str!("../egress/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        agent.curl("https://api.your-company.com/").await?.expect_status("200")?;
        // An expression that is never true: the webhook is asked about nothing.
        let found = webhooks.get(WEBHOOKS).await?.webhooks.unwrap_or_default();
        let at = found.iter().position(|w| w.name == POLICY_WEBHOOK).context("no webhook of policies")?;
        let path = format!("/webhooks/{at}/matchConditions/-");
        let never = json!([{"op": "add", "path": path, "value": {"name": "e2e-never", "expression": "false"}}]);
        let before = found[at].match_conditions.as_ref().map_or(0, Vec::len);
        patch(&webhooks, never).await?;
        let stored = store_broken(case).await;
        let again = json!([
            {"op": "test", "path": format!("/webhooks/{at}/matchConditions/{before}/name"), "value": "e2e-never"},
            {"op": "remove", "path": format!("/webhooks/{at}/matchConditions/{before}")},
        ]);
        patch(&webhooks, again).await?;
        stored?;
        for _ in 0..50 {
            let answer = agent.curl("https://api.your-company.com/").await?;
            if answer.http_status() != "200" {
                answer.expect_failure_or_refusal()?;
                return shown(case).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("a policy that does not compile lets requests pass")
    })
    .await
}

async fn patch(webhooks: &Api<ValidatingWebhookConfiguration>, patch: Value) -> anyhow::Result<()> {
    let patch: Patch<()> = Patch::Json(serde_json::from_value(patch)?);
    webhooks.patch(WEBHOOKS, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The API server takes a new configuration into use after a moment.
async fn store_broken(case: &Case) -> anyhow::Result<()> {
    let policies: Api<AgentPolicy> = Api::namespaced(case.client(), &case.namespace);
    let broken = json!({"spec": {"rules": [{"name": "api", "action": "network.request", "resource": "https://127.1/**", "effect": "Allow"}]}});
    let mut last = None;
    for _ in 0..50 {
        match policies.patch("agent", &PatchParams::default(), &Patch::Merge(&broken)).await {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("the policy could not be stored: {last:?}")
}

async fn shown(case: &Case) -> anyhow::Result<()> {
    let policies: Api<AgentPolicy> = Api::namespaced(case.client(), &case.namespace);
    let mut status = Value::Null;
    for _ in 0..50 {
        status = serde_json::to_value(policies.get("agent").await?)?["status"].clone();
        let accepted = status["conditions"].as_array().into_iter().flatten();
        let said = accepted.clone().find(|c| c["type"] == "Accepted").cloned().unwrap_or_default();
        if said["status"] == "False" {
            let message = said["message"].to_string();
            anyhow::ensure!(message.contains("spec.rules[0].resource"), "{said}");
            anyhow::ensure!(message.contains("Everything is denied"), "{said}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    anyhow::bail!("the conditions do not show it: {status}")
}
