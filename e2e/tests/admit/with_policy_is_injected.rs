//! A selected agent pod gets the init step first, the proxy second, and a hardened container.

use exeat_api::pod::{INIT_CONTAINER, PROXY_CONTAINER};
use exeat_e2e::Case;

#[tokio::test]
async fn admit_with_policy_is_injected() -> anyhow::Result<()> {
    Case::run(include_str!("../egress/agent.yaml"), async |case| {
        case.agent("agent").await?;
        let spec = case.pods().get("agent").await?.spec.unwrap_or_default();
        let steps = spec.init_containers.unwrap_or_default();
        let names: Vec<_> = steps.iter().map(|step| step.name.as_str()).collect();
        anyhow::ensure!(
            names.starts_with(&[INIT_CONTAINER, PROXY_CONTAINER]),
            "init containers are {names:?}"
        );
        anyhow::ensure!(
            steps[1].restart_policy.as_deref() == Some("Always"),
            "the proxy is no native sidecar"
        );
        let uid = steps[1]
            .security_context
            .as_ref()
            .and_then(|context| context.run_as_user)
            .unwrap_or_default();
        anyhow::ensure!((1_000_000_000..=1_999_999_999).contains(&uid), "the proxy's uid is {uid}");
        let agent = spec.containers[0].security_context.clone().unwrap_or_default();
        anyhow::ensure!(
            agent.allow_privilege_escalation == Some(false),
            "the agent may escalate: {agent:?}"
        );
        Ok(())
    })
    .await
}
