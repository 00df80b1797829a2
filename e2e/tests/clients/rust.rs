//! Rust's reqwest (`images/clients/rust`).

use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

#[tokio::test]
async fn clients_rust_reqwest() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let output = agent.sh("rust-client data.example edge.example live.example").await?;
        let answer: Map<String, Value> = serde_json::from_str(&output.expect_success()?.stdout)?;
        let expected = json!({
            "get": ["HTTP/2.0", "GET", "/v1/things"],
            "upload": [16_777_216, true],
            "at once": 40,
            "targets": 4,
            "head": [200, "12345"],
            "events": "0 1 2",
        });
        expect_fields(&answer, &expected)
    })
    .await
}
