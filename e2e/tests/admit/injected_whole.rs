//! What mutation makes of a pod: the order of its steps, and a user that another proxy's
//! redirection would let through is captured like any other.

use super::table::{dry_run, rows};
use exeat_api::pod::{INIT_CONTAINER, PROXY_CONTAINER, is_reserved};
use exeat_e2e::Case;
use serde_json::Value;

#[tokio::test]
async fn admit_own_init_containers_come_after_ours() -> anyhow::Result<()> {
    Case::run(include_str!("policy.yaml"), async |case| {
        let table = rows(include_str!("injected_whole.yaml"))?;
        anyhow::ensure!(table.len() == 1, "one pod is meant");
        let pod = dry_run(case, &table[0].0).await?;
        let steps = pod.data["spec"]["initContainers"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = steps.iter().filter_map(|s| s["name"].as_str()).collect();
        anyhow::ensure!(names == [INIT_CONTAINER, PROXY_CONTAINER, "first", "second"], "{names:?}");
        for step in
            steps[2..].iter().chain(pod.data["spec"]["containers"].as_array().into_iter().flatten())
        {
            let security = &step["securityContext"];
            anyhow::ensure!(security["allowPrivilegeEscalation"] == false, "{step}");
            let mounts = step["volumeMounts"].as_array().cloned().unwrap_or_default();
            let ours: Vec<&Value> =
                mounts.iter().filter(|m| m["name"].as_str().is_some_and(is_reserved)).collect();
            let whole = ours.iter().filter(|m| m.get("subPath").is_none()).count();
            anyhow::ensure!(whole == 1, "{ours:?}");
            anyhow::ensure!(ours.iter().all(|m| m["readOnly"] == true), "{ours:?}");
        }
        let agent = &pod.data["spec"]["containers"][0];
        let of = |name: &str| {
            agent["env"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|e| e["name"] == name)
                .map(|e| e["value"].clone())
        };
        anyhow::ensure!(
            of("SSL_CERT_FILE") == Some("/mine.crt".into()),
            "the author's variable was overwritten"
        );
        anyhow::ensure!(of("NODE_EXTRA_CA_CERTS") == Some("/var/run/exeat/trust/ca.crt".into()));
        anyhow::ensure!(
            pod.metadata.labels.unwrap_or_default().get("exeat.dev/agent").map(String::as_str)
                == Some("true")
        );
        Ok(())
    })
    .await
}

/// Uids of proxies are drawn after the author has written the pod, and never one that is in it;
/// two pods of the same text get two uids.
#[tokio::test]
async fn admit_uid_asked_for_is_never_the_proxys() -> anyhow::Result<()> {
    Case::run(include_str!("policy.yaml"), async |case| {
        let (mut pod, _) = rows(include_str!("injected_whole.yaml"))?.swap_remove(0);
        let proxy = async |pod: kube::api::DynamicObject| {
            let made = dry_run(case, &pod).await?;
            let uid = made.data.pointer("/spec/initContainers/1/securityContext/runAsUser");
            uid.and_then(Value::as_i64).ok_or_else(|| anyhow::anyhow!("the proxy has no uid"))
        };
        let first = proxy(pod.clone()).await?;
        pod.data["spec"]["containers"][0]["securityContext"] =
            serde_json::json!({"runAsUser": first});
        let second = proxy(pod.clone()).await?;
        anyhow::ensure!(first != second, "the proxy runs as {first}, and the agent too");
        // The agent as somebody's proxy is nobody's in its own pod.
        let found = [first, second].iter().all(|uid| (1_000_000_000..2_000_000_000).contains(uid));
        anyhow::ensure!(found, "{first} and {second} are not of the proxies' range");
        Ok(())
    })
    .await
}

/// 1337 is the uid that other meshes let pass.
#[tokio::test]
async fn admit_usual_proxy_uid_is_captured() -> anyhow::Result<()> {
    let yaml = [include_str!("policy.yaml"), include_str!("usual_proxy_uid.yaml")].join("\n---\n");
    Case::run(&yaml, async |case| {
        for pod in ["by-the-pod", "by-the-image"] {
            let agent = case.agent(pod).await?;
            let id = agent.sh("id -u").await?;
            anyhow::ensure!(id.stdout.trim() == "1337", "{pod}: {id:?}");
            agent.curl("https://api.your-company.com/").await?.expect_status("200")?;
            agent.curl("https://evil.example/").await?.expect_refusal("DefaultDeny")?;
            agent
                .curl("--resolve evil.example:443:203.0.113.66 https://evil.example/")
                .await?
                .expect_failure_or_refusal()?;
            agent.curl("https://203.0.113.66/").await?.expect_failure_or_refusal()?;
        }
        case.expect_nothing_at(exeat_e2e::Host::EVIL).await
    })
    .await
}
