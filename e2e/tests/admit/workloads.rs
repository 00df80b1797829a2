//! Whoever applies a workload whose pods will be refused is told at once.

use anyhow::Context;
use exeat_e2e::Case;
use serde_json::{Value, json};

#[tokio::test]
async fn admit_workloads_are_warned_about() -> anyhow::Result<()> {
    Case::run(include_str!("policy.yaml"), async |case| {
        let template: Value = serde_yaml::from_str(include_str!("workloads.yaml"))?;
        let selector = json!({"matchLabels": template["metadata"]["labels"]});
        let mut once = template.clone();
        once["spec"]["restartPolicy"] = json!("Never");
        for (api, kind, plural, spec) in [
            (
                "apps/v1",
                "Deployment",
                "deployments",
                json!({"selector": selector, "template": template}),
            ),
            (
                "apps/v1",
                "ReplicaSet",
                "replicasets",
                json!({"selector": selector, "template": template}),
            ),
            (
                "apps/v1",
                "DaemonSet",
                "daemonsets",
                json!({"selector": selector, "template": template}),
            ),
            (
                "apps/v1",
                "StatefulSet",
                "statefulsets",
                json!({"selector": selector, "serviceName": "s", "template": template}),
            ),
            (
                "v1",
                "ReplicationController",
                "replicationcontrollers",
                json!({"template": template}),
            ),
            ("batch/v1", "Job", "jobs", json!({"template": once})),
            (
                "batch/v1",
                "CronJob",
                "cronjobs",
                json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": once}}}),
            ),
        ] {
            let object =
                json!({"apiVersion": api, "kind": kind, "metadata": {"name": "w"}, "spec": spec});
            let warnings = warnings_of(case, api, plural, &object).await?;
            for mention in ["no policy in", "hostNetwork"] {
                anyhow::ensure!(
                    warnings.iter().any(|w| w.contains(mention)),
                    "{kind}: no warning mentions {mention}: {warnings:?}"
                );
            }
        }
        Ok(())
    })
    .await
}

async fn warnings_of(
    case: &Case,
    api: &str,
    plural: &str,
    object: &Value,
) -> anyhow::Result<Vec<String>> {
    let root = if api == "v1" { "/api/v1".to_owned() } else { format!("/apis/{api}") };
    let path = format!("{root}/namespaces/{}/{plural}?dryRun=All", case.namespace);
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(object)?.into())?;
    let answer = case.client().send(request).await.context("sending")?;
    anyhow::ensure!(answer.status().is_success(), "{plural}: {}", answer.status());
    let found = answer.headers().get_all("warning").iter();
    Ok(found.map(|w| String::from_utf8_lossy(w.as_bytes()).into_owned()).collect())
}
