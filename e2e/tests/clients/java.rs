//! Java's HttpClient. It reads no bundle of PEM: admission names a store to each JVM.

use super::with_clients;

const EXPECTED: &str = "\
get: 200 HTTP_2
get h1: 200 HTTP_1_1
upload: 1048576
upload h1: 1048576
expect: 1048576
head: 200 12345
events: 3
websocket: text
";

#[tokio::test]
async fn clients_java_http_client() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let run = "printf %s \"$1\" >Client.java && java Client.java data.example edge.example live.example";
        let output =
            agent.exec("agent", &["sh", "-c", run, "sh", include_str!("Client.java")]).await?;
        anyhow::ensure!(output.stdout == EXPECTED, "{output:?}");
        Ok(())
    })
    .await
}
