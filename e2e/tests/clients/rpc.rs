//! gRPC: unary calls, the three kinds of streams, errors with trailers.

use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

#[tokio::test]
async fn clients_grpc() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let job = json!({"host": "grpc.example", "silence": 0});
        let answer: Map<String, Value> = agent.python(include_str!("rpc.py"), &job).await?;
        let expected = json!({
            "unary": ["hello", "rpc"], "large": 3_000_000, "many": 100, "server stream": [0, 1, 2],
            "client stream": "50 50000", "both": ["0", "1", "2", "3", "4"],
            "error": ["NOT_FOUND", "there is no such thing", "asked-for"], "deadline": "DEADLINE_EXCEEDED",
            "keepalive": "hello",
        });
        expect_fields(&answer, &expected)
    })
    .await
}
