//! A client with reqwest, with nothing set: what it prints is compared by the case.
//!
//! `rust-client ECHO_HOST EDGE_HOST LIVE_HOST`

use anyhow::{Context, Result, ensure};
use futures::stream::{self, StreamExt};
use reqwest::{Body, Client};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::env;
use std::fmt::Write;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let hosts: Vec<String> = env::args().skip(1).map(|host| format!("https://{host}")).collect();
    let [echo, edge, live] = hosts.as_slice() else {
        anyhow::bail!("usage: rust-client ECHO_HOST EDGE_HOST LIVE_HOST");
    };
    let client = Client::new();
    let mut results = Map::new();
    let mut note = |name: &str, result: Result<Value>| {
        let value = result.unwrap_or_else(|error| json!(format!("failed: {error:#}")));
        results.insert(name.to_owned(), value);
    };
    note("get", get(&client, echo).await);
    note("upload", upload(&client, echo).await);
    note("at once", at_once(&client, echo).await);
    note("targets", targets(&client, edge).await);
    note("head", head(&client, edge).await);
    note("events", events(&client, live).await);
    println!("{}", Value::Object(results));
    Ok(())
}

async fn get(client: &Client, echo: &str) -> Result<Value> {
    let response = client.get(format!("{echo}/v1/things?x=1")).send().await?.error_for_status()?;
    let version = format!("{:?}", response.version());
    let seen: Value = response.json().await?;
    Ok(json!([version, seen["method"], seen["path"]]))
}

/// Of unknown length, so that it is chunked where HTTP/1.1 is spoken.
async fn upload(client: &Client, echo: &str) -> Result<Value> {
    let piece = b"0123456789abcdef".repeat(1 << 12);
    let mut digest = Sha256::new();
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = (0..256)
        .map(|_| {
            digest.update(&piece);
            Ok(piece.clone())
        })
        .collect();
    let sum = digest.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let body = Body::wrap_stream(stream::iter(pieces));
    let response = client.post(format!("{echo}/upload")).body(body).send().await?;
    let seen: Value = response.error_for_status()?.json().await?;
    Ok(json!([seen["bodyBytes"], seen["bodySha256"] == sum]))
}

async fn at_once(client: &Client, echo: &str) -> Result<Value> {
    let all = (0..40).map(|n| async move {
        let response = client.get(format!("{echo}/v1/{n}")).send().await?.error_for_status()?;
        let seen: Value = response.json().await?;
        ensure!(seen["path"] == format!("/v1/{n}"), "{seen}");
        Ok(())
    });
    let done: Vec<Result<()>> = stream::iter(all).buffer_unordered(40).collect().await;
    let count = done.len();
    done.into_iter().collect::<Result<Vec<()>>>()?;
    Ok(json!(count))
}

/// As the `url` crate writes them.
async fn targets(client: &Client, edge: &str) -> Result<Value> {
    let mut seen = Vec::new();
    for target in ["/target/@types%2fnode", "/target/a;b=1", "/target/a//b", "/target/?a=[1]&b={c}|d"] {
        let response = client.get(format!("{edge}{target}")).send().await?.error_for_status()?;
        let text = response.text().await?;
        ensure!(text == target, "{target} arrived as {text}");
        seen.push(text);
    }
    Ok(json!(seen.len()))
}

async fn head(client: &Client, edge: &str) -> Result<Value> {
    let response = client.head(format!("{edge}/length")).send().await?;
    let length = response.headers().get("content-length").context("no Content-Length")?;
    Ok(json!([response.status().as_u16(), length.to_str()?]))
}

async fn events(client: &Client, live: &str) -> Result<Value> {
    let response = client.get(format!("{live}/events?count=3&pause=0.2")).send().await?;
    let mut body = response.error_for_status()?.bytes_stream();
    let mut text = String::new();
    while let Some(piece) = body.next().await {
        text.push_str(std::str::from_utf8(&piece?)?);
    }
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    Ok(json!(data.join(" ")))
}
