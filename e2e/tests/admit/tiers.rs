//! A Baseline for the whole cluster is a policy to live by; a Guardrail alone is none.

use super::table::{dry_run, rows};
use exeat_e2e::Case;
use kube::api::{Api, DeleteParams};

#[tokio::test]
async fn admit_baseline_suffices_and_guardrail_does_not() -> anyhow::Result<()> {
    Case::run("", async |case| {
        let pod = &rows(include_str!("tiers_pod.yaml"))?[0].0;
        // Cluster-scoped: named after the namespace, and for it alone.
        let guardrail = include_str!("tiers.yaml").replace("NAMESPACE", &case.namespace);
        let baseline =
            guardrail.replace("Guardrail", "Baseline").replace("effect: Deny", "effect: Allow");
        let policies: Api<exeat_crds::ClusterAgentPolicy> = Api::all(case.client());
        let outcome = async {
            case.create(&guardrail).await?;
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let alone = dry_run(case, pod).await;
            anyhow::ensure!(
                alone.is_err_and(|e| format!("{e:#}").contains("no policy selects it")),
                "a Guardrail alone sufficed"
            );
            policies.delete(&case.namespace, &DeleteParams::default()).await?;
            case.create(&baseline).await?;
            // Admission reads policies that its memory does not have yet.
            dry_run(case, pod).await.map(drop)
        }
        .await;
        policies.delete(&case.namespace, &DeleteParams::default()).await?;
        outcome
    })
    .await
}
