//! While no controller answers, agent pods are refused and all others come and go as ever.

use std::time::Duration;

use anyhow::Context;
use exeat_e2e::{Case, Cluster};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

const SYSTEM: &str = "exeat-system";
const POD: &str = include_str!("../admit/without_policy_is_refused.yaml");

#[tokio::test]
async fn admit_webhook_away_refuses_agents_alone() -> anyhow::Result<()> {
    let cluster = Cluster::connect().await?;
    let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), SYSTEM);
    let replicas = deployments.get("exeat-control").await?.spec.replicas;
    let replicas = replicas.filter(|r| *r > 0).context("exeat-control has no replicas")?;
    let outcome = async {
        scale(&deployments, 0).await?;
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), SYSTEM);
        let ours = ListParams::default().labels("app.kubernetes.io/component=control");
        await_that("the pods of exeat-control end", async || {
            Ok(pods.list(&ours).await?.items.is_empty())
        })
        .await?;
        while_away().await
    }
    .await;
    scale(&deployments, replicas).await?;
    await_that("exeat-control is back", async || {
        let status = deployments.get("exeat-control").await?.status.unwrap_or_default();
        Ok(status.ready_replicas == Some(replicas))
    })
    .await?;
    outcome
}

async fn while_away() -> anyhow::Result<()> {
    Case::run("", async |case| {
        case.rejects(POD, &["exeat.dev"]).await?;
        let selected = POD.replace("app: nobody", "exeat.dev/agent: \"true\"");
        case.rejects(&selected, &["exeat.dev"]).await
    })
    .await?;
    Case::run_labelled(&[], POD, async |case| {
        case.rejects(&POD.replace("app: nobody", "exeat.dev/agent: \"true\""), &["exeat.dev"])
            .await?;
        let now = kube::api::DeleteParams { grace_period_seconds: Some(0), ..Default::default() };
        case.pods().delete("agent", &now).await?;
        Ok(())
    })
    .await
}

async fn scale(deployments: &Api<Deployment>, replicas: i32) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    deployments.patch_scale("exeat-control", &PatchParams::default(), &patch).await?;
    Ok(())
}

async fn await_that(
    what: &str,
    holds: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await? {
        anyhow::ensure!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
