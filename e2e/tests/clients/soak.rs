//! What takes longer than 20 seconds: `make soak`.

use std::time::Duration;

use exeat_api::pod::PROXY_CONTAINER;
use exeat_e2e::{Agent, Case};
use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

/// How much the proxy's memory may grow while a gibibyte passes.
const MOST_GROWTH: f64 = 16e6;

/// A stream that says nothing for 40 s, twice; the client's and the server's pings pass meanwhile.
#[tokio::test]
#[ignore = "takes 80 s"]
async fn clients_grpc_silent_for_long() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let argument = json!({"host": "grpc.example", "silence": 40}).to_string();
        let command = ["python3", "-c", include_str!("rpc.py"), &argument];
        let output = agent.exec_within(Duration::from_secs(150), "agent", &command).await?;
        let answer: Map<String, Value> = serde_json::from_str(&output.expect_success()?.stdout)?;
        expect_fields(&answer, &json!({"silent": [0, 1]}))
    })
    .await
}

/// A gibibyte up and down with curl, HTTP/1.1 and HTTP/2: the proxy's memory does not follow it.
#[tokio::test]
#[ignore = "moves 4 GiB"]
async fn clients_curl_a_gibibyte_each_way() -> anyhow::Result<()> {
    Case::run(include_str!("clients.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        // What one small exchange needs is there before.
        run(&agent, "curl -sS --http1.1 https://data.example/bytes/1048576 | wc -c").await?;
        let before = proxy_memory(case, &agent).await?;
        for version in ["--http1.1", "--http2"] {
            let down = format!("curl -sS {version} https://data.example/bytes/1073741824 | wc -c");
            anyhow::ensure!(run(&agent, &down).await? == "1073741824", "{version}: download");
            let up = format!(
                "head -c 1G /dev/zero | curl -sS {version} -T - https://data.example/up | grep -o '\"bodyBytes\":[0-9]*'"
            );
            anyhow::ensure!(
                run(&agent, &up).await? == "\"bodyBytes\":1073741824",
                "{version}: upload"
            );
        }
        let after = proxy_memory(case, &agent).await?;
        println!("the proxy's memory: {before} bytes before, {after} after");
        anyhow::ensure!(after < before + MOST_GROWTH, "the proxy grew from {before} to {after}");
        Ok(())
    })
    .await
}

/// Bytes now and then for two minutes, which no limit on the whole body may end.
#[tokio::test]
#[ignore = "takes 2 min"]
async fn clients_slow_upload_and_long_events() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let trickle = "for n in 1 2 3 4; do echo piece; sleep 30; done";
        let up =
            format!("({trickle}) | curl -sS -N -T - -X POST https://live.example/count-upload");
        let events = "curl -sS -N 'https://live.example/events?count=3&pause=40' | grep -c ^data";
        let poll = "curl -sS 'https://live.example/poll?after=100'";
        let asked = tokio::join!(run(agent, &up), run(agent, events), run(agent, poll));
        let expected = ["{\"bytes\": 24}", "3", "{\"polled\": true}"];
        let got = [asked.0?, asked.1?, asked.2?];
        anyhow::ensure!(got == expected, "{got:?}");
        Ok(())
    })
    .await
}

/// 400 long polls of one client at once, on as few connections as HTTP/2 lets it.
#[tokio::test]
#[ignore = "takes 2 min"]
async fn clients_400_long_polls() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let command = ["python3", "-c", include_str!("polls.py"), "\"live.example\""];
        let output = agent.exec_within(Duration::from_secs(300), "agent", &command).await?;
        let answer: Map<String, Value> = serde_json::from_str(&output.expect_success()?.stdout)?;
        expect_fields(&answer, &json!({"200": 400}))
    })
    .await
}

/// What a command of several minutes prints.
async fn run(agent: &Agent, command: &str) -> anyhow::Result<String> {
    let output =
        agent.exec_within(Duration::from_secs(300), "agent", &["sh", "-c", command]).await?;
    Ok(output.expect_success()?.stdout.trim().to_owned())
}

/// Bytes of the proxy's memory that cannot be given back, as the kubelet tells after its next look.
async fn proxy_memory(case: &Case, agent: &Agent) -> anyhow::Result<f64> {
    // It looks every ten seconds at most.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let path = format!("/api/v1/nodes/{}/proxy/metrics/resource", agent.node().await?);
    let told = case.client().request_text(http::Request::get(path).body(Vec::new())?).await?;
    let of = |name: &str, value: &str| format!("{name}=\"{value}\"");
    let own = [of("container", PROXY_CONTAINER), of("namespace", &case.namespace)];
    let line = told.lines().find(|line| {
        line.starts_with("container_memory_working_set_bytes{")
            && own.iter().all(|label| line.contains(label))
    });
    let value = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    value.ok_or_else(|| anyhow::anyhow!("the kubelet tells no memory of the proxy"))
}
