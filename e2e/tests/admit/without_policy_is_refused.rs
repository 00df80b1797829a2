//! An agent pod that no policy selects is refused, and the refusal says where was looked.

use exeat_e2e::Case;

#[tokio::test]
async fn admit_without_policy_is_refused() -> anyhow::Result<()> {
    Case::run("", async |case| {
        let pod = include_str!("without_policy_is_refused.yaml");
        case.rejects(pod, &["no policy selects it", case.namespace.as_str(), "nobody"]).await
    })
    .await
}

/// The same object in a namespace that is not one of agents is nobody's business.
#[tokio::test]
async fn admit_outside_of_agent_namespaces_is_untouched() -> anyhow::Result<()> {
    Case::run_labelled(&[], include_str!("without_policy_is_refused.yaml"), async |case| {
        let pod = case.pods().get("agent").await?;
        let names: Vec<_> = pod
            .spec
            .iter()
            .flat_map(|spec| &spec.containers)
            .map(|one| one.name.as_str())
            .collect();
        anyhow::ensure!(names == ["agent"], "the pod was changed: {names:?}");
        anyhow::ensure!(
            pod.spec.is_some_and(|spec| spec.init_containers.is_none()),
            "something was injected"
        );
        Ok(())
    })
    .await
}
