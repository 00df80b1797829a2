//! The controller away, as one agent's proxy sees it: no way to it at all. Others are left alone.

use exeat_api::objects::{COLLECT_SERVICE, PUBLISH_SERVICE, SYSTEM_NAMESPACE};
use exeat_e2e::{Agent, Case, Host, exeat};

use super::records_with;

#[tokio::test]
async fn egress_controller_away() -> anyhow::Result<()> {
    Case::run(include_str!("../bypass/agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let url = format!("https://{}", Host::DATA.name);
        agent.curl(&format!("{url}/before")).await?.expect_status("200")?;
        records_with(case, "/before").await?;
        let uid = super::proxy_uid(case, "agent").await?;
        let on_its_node =
            include_str!("../bypass/node.yaml").replace("@NODE@", &agent.node().await?);
        Case::run_labelled(&[], &on_its_node, async |node| {
            let node = node.agent("node").await?;
            route(&node, &uid, "add").await?;
            ask(&agent, "away").await?;
            // A proxy that starts again meanwhile goes on with the policy that it had.
            node.sh(&format!("pkill -KILL -u {uid}")).await?.expect_success()?;
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            case.agent("agent").await?;
            ask(&agent, "again").await?;
            let known =
                exeat(&["audit", "--namespace", &case.namespace, "--last", "500", "-o", "json"])
                    .await?;
            anyhow::ensure!(
                !known.stdout.contains("/away"),
                "the controller was not away: {known:?}"
            );
            route(&node, &uid, "del").await
        })
        .await?;
        let records = records_with(case, "/again/5").await?;
        for part in ["away", "again"] {
            for n in 1..=5 {
                let path = format!("{}/{part}/{n}\"", Host::DATA.name);
                let found = records
                    .lines()
                    .filter(|line| line.contains(&path) && line.contains("\"Intent\""));
                anyhow::ensure!(found.count() == 1, "{path} is not recorded once: {records}");
            }
        }
        exeat(&["audit", "verify", "--namespace", &case.namespace]).await?.expect_success()?;
        case.expect_nothing_forbidden().await
    })
    .await
}

async fn ask(agent: &Agent, part: &str) -> anyhow::Result<()> {
    let (data, evil) = (Host::DATA.name, Host::EVIL.address);
    for n in 1..=5 {
        agent.curl(&format!("https://{data}/{part}/{n}")).await?.expect_status("200")?;
    }
    agent.curl(&format!("http://{evil}/{part}")).await?.expect_refusal("DirectIp")?;
    agent
        .curl(&format!("--data password https://{data}:8443/"))
        .await?
        .expect_refusal("BodyPattern")?;
    Ok(())
}

/// Cuts the pod's ways to the controller's services, or joins them again.
async fn route(node: &Agent, uid: &str, verb: &str) -> anyhow::Result<()> {
    let services: kube::Api<k8s_openapi::api::core::v1::Service> =
        kube::Api::namespaced(node_client().await?, SYSTEM_NAMESPACE);
    for name in [COLLECT_SERVICE, PUBLISH_SERVICE] {
        let address = services.get(name).await?.spec.and_then(|spec| spec.cluster_ip);
        let address = address.ok_or_else(|| anyhow::anyhow!("{name} has no address"))?;
        let command =
            format!("nsenter -t $(pgrep -u {uid}) -n ip route {verb} blackhole {address}/32");
        node.sh(&command).await?.expect_success()?;
    }
    Ok(())
}

async fn node_client() -> anyhow::Result<kube::Client> {
    Ok(exeat_e2e::Cluster::connect().await?.client)
}
