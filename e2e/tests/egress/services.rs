//! Services of the agent's own cluster: by every name, through a port that is translated, and the API
//! server with the agent's own token.

use exeat_e2e::{Agent, Case, Output};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Asks until it is answered so: NetworkPolicies and snapshots take their way.
async fn until(agent: &Agent, arguments: &str, status: &str) -> anyhow::Result<Output> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = agent.curl(arguments).await?;
        if answer.http_status() == status || Instant::now() >= deadline {
            answer.expect_status(status)?;
            return Ok(answer);
        }
        sleep(Duration::from_millis(300)).await;
    }
}

fn agent_of(rule: &str) -> String {
    include_str!("services_agent.yaml").replace("RULE", rule)
}

#[tokio::test]
async fn egress_services_by_every_name() -> anyhow::Result<()> {
    Case::run_labelled(&[], include_str!("services.yaml"), async |shop| {
        shop.agent("orders").await?;
        let short = format!("orders.{}", shop.namespace);
        let names = [short.clone(), format!("{short}.svc"), format!("{short}.svc.cluster.local")];
        for rule in &names {
            Case::run(&agent_of(rule), async |case| {
                let agent = case.agent("agent").await?;
                for name in &names {
                    let answer = until(&agent, &format!("http://{name}/known"), "200").await?;
                    anyhow::ensure!(answer.stdout.starts_with("shop"), "{rule} {name}: {answer:?}");
                }
                let denied = agent.curl(&format!("http://{short}/other")).await?;
                denied.expect_refusal("DefaultDeny")?;
                // Behind the translation, by its address: no rule names that.
                let pod = shop.agent("orders").await?.address().await?;
                agent
                    .curl(&format!("http://{pod}:8080/known"))
                    .await?
                    .expect_failure_or_refusal()?;
                // The same address under a name of the agent's own making.
                let other = format!("-H 'Host: billing.{0}' http://{short}/known", shop.namespace);
                agent.curl(&other).await?.expect_refusal("HostMismatch")?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn egress_services_of_the_own_namespace() -> anyhow::Result<()> {
    Case::run(&agent_of("orders.nowhere"), async |case| {
        let agent = case.agent("agent").await?;
        case.agent("own").await?;
        for name in ["own".to_owned(), format!("own.{}", case.namespace)] {
            let answer = until(&agent, &format!("http://{name}/known"), "200").await?;
            anyhow::ensure!(answer.stdout.starts_with("own"), "{name}: {answer:?}");
        }
        // No such Service: the name is allowed, and nothing answers to it.
        let gone = agent.curl("http://orders.nowhere/known").await?;
        anyhow::ensure!(gone.http_status() == "502", "{gone:?}");
        Ok(())
    })
    .await
}

/// The API server knows the agent by its token, and we trust the API server by the cluster's CA.
#[tokio::test]
async fn egress_the_api_server_with_the_agents_own_token() -> anyhow::Result<()> {
    Case::run(&agent_of("orders.nowhere"), async |case| {
        let agent = case.agent("agent").await?;
        let token = "$(cat /var/run/secrets/kubernetes.io/serviceaccount/token)";
        let ask = |path: &str| {
            format!("-H \"Authorization: Bearer {token}\" https://kubernetes.default.svc{path}")
        };
        let answer = until(&agent, &ask("/version"), "200").await?;
        anyhow::ensure!(answer.stdout.contains("gitVersion"), "{answer:?}");
        // Who it is, the API server says by what it refuses.
        let path = format!("/api/v1/namespaces/{}/secrets", case.namespace);
        let answer = agent.curl(&ask(&path)).await?;
        answer.expect_status("403")?;
        let who = format!("system:serviceaccount:{}:default", case.namespace);
        anyhow::ensure!(answer.stdout.contains(&who), "{answer:?}");
        let answer = agent.curl(&format!("-X DELETE {}", ask("/version"))).await?;
        answer.expect_refusal("DefaultDeny")?;
        Ok(())
    })
    .await
}
