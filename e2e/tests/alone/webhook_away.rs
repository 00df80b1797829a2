//! While no controller answers, agent pods are refused and all others come and go as ever.

use exeat_e2e::Case;
use k8s_openapi::api::apps::v1::Deployment;

use super::scaled::without;

const POD: &str = include_str!("../admit/without_policy_is_refused.yaml");

#[tokio::test]
async fn admit_webhook_away_refuses_agents_alone() -> anyhow::Result<()> {
    without::<Deployment>("control", while_away).await
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
