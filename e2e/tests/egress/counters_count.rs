//! The control: what an unprotected pod sends is counted, so that a zero means something.

use exeat_e2e::{Case, Host, arrivals_at};

#[tokio::test]
async fn egress_of_an_unprotected_pod_is_counted() -> anyhow::Result<()> {
    Case::run_labelled(&[], include_str!("../admit/without_policy_is_refused.yaml"), async |case| {
        let pod = case.agent("agent").await?;
        let address = Host::PLAIN.address;
        pod.sh(&format!("curl -s -m 5 http://{address}/; echo hello | nc -u -w 1 {address} 9000; echo | nc -w 1 {address} 1"))
            .await?;
        let rows = arrivals_at(Host::PLAIN).await?;
        for (protocol, port) in [("tcp", 80), ("udp", 9000), ("tcp", 1)] {
            let counted = rows.iter().any(|row| row.protocol == protocol && row.port == port && row.packets > 0);
            anyhow::ensure!(counted, "{protocol} {port} was not counted: {rows:?}");
        }
        Ok(())
    })
    .await
}
