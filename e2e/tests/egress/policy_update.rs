//! A policy that changes leaves open connections alone, unless it denies them now.

use std::time::Duration;

use exeat_crds::AgentPolicy;
use exeat_e2e::Case;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

#[tokio::test]
async fn egress_policy_update_and_open_connections() -> anyhow::Result<()> {
    Case::run(include_str!("policy_update.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let policies: Api<AgentPolicy> = Api::namespaced(case.client(), &case.namespace);
        let change = async |rules: Value| {
            let patch = Patch::Merge(json!({"spec": {"rules": rules}}));
            policies.patch("agent", &PatchParams::default(), &patch).await
        };
        let db = json!({"name": "db", "action": "network.connect", "resource": "tcp://db.example:9000", "effect": "Allow"});
        let data = json!({"name": "data", "action": "network.request", "resource": "https://data.example/**", "effect": "Allow"});
        let change_twice = async {
            sleep(Duration::from_secs(2)).await;
            change(json!([db, data])).await?;
            sleep(Duration::from_secs(5)).await;
            change(json!([data])).await
        };
        let place = json!(["db.example", 9000]);
        let talk = agent.python(include_str!("policy_update.py"), &place);
        let (changed, talked) = tokio::join!(change_twice, talk);
        changed?;
        let talked: Value = talked?;
        let count = |phase: &str| talked[phase].as_u64().unwrap_or_default();
        anyhow::ensure!(count("before") >= 3, "no connection: {talked}");
        anyhow::ensure!(count("after") >= 10, "the first change cut the connection: {talked}");
        anyhow::ensure!(
            talked["end"] == "ConnectionResetError" || talked["end"] == "closed",
            "the second change did not cut the connection: {talked}"
        );
        Ok(())
    })
    .await
}
