//! The SDKs of model APIs, whole and streaming, in Python and in Node, against a server of their
//! wire format.

use serde_json::{Map, Value, json};

use super::{expect_fields, with_clients};

const TEXT: &str = "Nothing leaves without an exeat. Ünïcode 🙂";

#[tokio::test]
async fn clients_model_sdks_in_python() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let answer: Map<String, Value> =
            agent.python(include_str!("models.py"), &"models.example".into()).await?;
        expect_fields(&answer, &expected())
    })
    .await
}

#[tokio::test]
async fn clients_model_sdks_in_node() -> anyhow::Result<()> {
    with_clients(async |agent| {
        let program = ["node", "--input-type=commonjs", "-e", include_str!("models.js"), "--"];
        let command: Vec<&str> = program.into_iter().chain(["models.example"]).collect();
        let output = agent.exec("agent", &command).await?;
        let answer: Map<String, Value> = serde_json::from_str(&output.expect_success()?.stdout)?;
        expect_fields(&answer, &expected())
    })
    .await
}

fn expected() -> Value {
    // Eight pieces, none of which waits for another.
    let streamed = json!([TEXT, 8]);
    json!({
        "anthropic": TEXT, "anthropic stream": streamed, "anthropic wrong key": 401,
        "openai": TEXT, "openai stream": streamed, "openai wrong key": 401,
    })
}
