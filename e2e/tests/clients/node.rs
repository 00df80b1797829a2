//! Clients of Node: fetch, undici, axios, ws, and the modules of its own.

use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

#[tokio::test]
async fn clients_node() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let program = ["node", "--input-type=commonjs", "-e", include_str!("node.js")];
        let hosts = ["data.example", "live.example", "edge.example"];
        let command: Vec<&str> = program.into_iter().chain(["--"]).chain(hosts).collect();
        let output = agent.exec("agent", &command).await?;
        let answer: Map<String, Value> = serde_json::from_str(&output.expect_success()?.stdout)?;
        let megabyte = 1_048_576;
        let expected = json!({
            "https": [200, "HTTP/1.1"], "http2": [200, megabyte], "fetch": megabyte, "fetch stream": megabyte,
            "fetch many": 25, "fetch head": "12345", "fetch events": ["0", "1", "2"], "undici": megabyte,
            "axios": megabyte, "axios 404": 404, "ws": ["text é", 300_000], "WebSocket": ["text é"],
            "trailers": "42", "continue": megabyte,
        });
        expect_fields(&answer, &expected)
    })
    .await
}
