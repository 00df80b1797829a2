//! What an agent may reach under a policy, asked with ordinary clients.

mod allowed_https_passes;
mod connect;
mod controller_away;
mod counters_count;
mod denied_requests;
mod dns;
mod guardrail;
mod observe;
mod policy_update;
mod services;
mod spelling;
mod trust;

use exeat_e2e::{Case, exeat};

/// The records of the case's agents, once one of them has this text.
pub(crate) async fn records_with(case: &Case, text: &str) -> anyhow::Result<String> {
    let ask = ["audit", "--namespace", &case.namespace, "--last", "500", "-o", "json"];
    for _ in 0..40 {
        let records = exeat(&ask).await?.stdout;
        if records.contains(text) {
            return Ok(records);
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    anyhow::bail!("no record has {text:?}")
}

/// The uid of a pod's proxy.
pub(crate) async fn proxy_uid(case: &Case, pod: &str) -> anyhow::Result<String> {
    let pod = serde_json::to_value(case.pods().get(pod).await?)?;
    let uid = pod.pointer("/spec/initContainers/1/securityContext/runAsUser");
    uid.map(ToString::to_string).ok_or_else(|| anyhow::anyhow!("the pod has no proxy"))
}
