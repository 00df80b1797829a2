//! Egress by ingress: somebody else in the cluster fetches from the agent.

use std::time::Duration;

use exeat_e2e::{Agent, Case};
use tokio::time::{Instant, sleep};

#[tokio::test]
async fn bypass_another_pod_connects_in() -> anyhow::Result<()> {
    Case::run(include_str!("connect_in.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let (address, fellow) = (agent.address().await?, case.agent("other").await?);
        let fetch = async |from: &Agent, port: u16| {
            from.sh(&format!("curl -sS -m 2 http://{address}:{port}/known")).await
        };
        Case::run_labelled(&[], include_str!("peer.yaml"), async |outside| {
            let peer = outside.agent("peer").await?;
            // What spec.ingress opens shows that the server is there.
            await_output(async || fetch(&peer, 8081).await, "secret").await?;
            // The network plugin may need a moment for a new pod.
            await_output(async || fetch(&peer, 8080).await, "").await?;
            for _ in 0..3 {
                let read = fetch(&peer, 8080).await?;
                anyhow::ensure!(read.stdout.is_empty(), "read from the agent: {read:?}");
            }
            Ok(())
        })
        .await?;
        // Another agent is stopped by its own proxy already.
        let read = fetch(&fellow, 8081).await?;
        // It is reset as it is accepted: curl sees that before or after it has connected.
        anyhow::ensure!(
            read.code != 0 && read.stdout.is_empty(),
            "an agent reached an agent: {read:?}"
        );
        Ok(())
    })
    .await
}

/// Waits until a command prints that text, or nothing where the text is empty.
async fn await_output(
    run: impl AsyncFn() -> anyhow::Result<exeat_e2e::Output>,
    text: &str,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let output = run().await?;
        if output.stdout.trim() == text {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "expected {text:?}: {output:?}");
        sleep(Duration::from_millis(300)).await;
    }
}
