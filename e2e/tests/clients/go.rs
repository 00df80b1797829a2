//! Go's net/http (`images/clients/go`).

use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

#[tokio::test]
async fn clients_go_net_http() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let output = agent.sh("go-client data.example edge.example live.example").await?;
        let answer: Map<String, Value> = serde_json::from_str(&output.expect_success()?.stdout)?;
        let expected = json!({
            "get": "HTTP/2.0 GET /v1/things",
            "upload": "16777216 true",
            "request trailers": [["x-sum", "7"]],
            "response trailers": "hello world 42",
            "expect": 8,
            "early hints": "after hints true",
            "head": "200 12345",
            "events": "0 1 2",
        });
        expect_fields(&answer, &expected)
    })
    .await
}
