//! A Guardrail's Deny wins over whatever the namespace's own policy allows.

use exeat_crds::ClusterAgentPolicy;
use exeat_e2e::{Case, Host};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

#[tokio::test]
async fn egress_guardrail_deny_wins() -> anyhow::Result<()> {
    Case::run(include_str!("../bypass/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let (allowed, denied) = ("https://data.example/open", "https://data.example/closed/x");
        agent.curl(denied).await?.expect_status("200")?;
        let namespaces: Api<Namespace> = Api::all(case.client());
        let owner = namespaces.get(&case.namespace).await?.metadata.uid;
        let guardrail = json!({
            "apiVersion": "exeat.dev/v1alpha1", "kind": "ClusterAgentPolicy",
            // Goes with the case's namespace, whatever becomes of the case.
            "metadata": {"name": case.namespace, "ownerReferences": [{
                "apiVersion": "v1", "kind": "Namespace", "name": case.namespace, "uid": owner,
            }]},
            "spec": {
                "tier": "Guardrail",
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": case.namespace}},
                "rules": [{
                    "name": "closed", "action": "network.request", "resource": "https://**/closed/**",
                    "effect": "Deny", "reason": "Closed for everybody",
                }],
            },
        });
        let guardrails: Api<ClusterAgentPolicy> = Api::all(case.client());
        guardrails.create(&PostParams::default(), &serde_json::from_value(guardrail)?).await?;
        let mut answer = agent.curl(denied).await?;
        for _ in 0..30 {
            if answer.http_status() != "200" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            answer = agent.curl(denied).await?;
        }
        answer.expect_refusal("GuardrailDeny")?.expect_refusal("Closed for everybody")?;
        agent.curl("https://data.example/%63losed/./x").await?.expect_refusal("GuardrailDeny")?;
        agent.curl(allowed).await?.expect_status("200")?;
        case.expect_nothing_at(Host::EVIL).await
    })
    .await
}
