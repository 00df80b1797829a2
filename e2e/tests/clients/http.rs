//! What HTTP/1.1 allows a server, as curl and Python's own client see it.

use super::{ask, each, with_clients};

#[tokio::test]
async fn clients_http_semantics() -> anyhow::Result<()> {
    let url = "https://edge.example";
    let get = |what: &str, path: &str, prints: &str| {
        ask(what, format!("curl -sS -w ' %{{http_code}}' {url}{path}"), prints)
    };
    let asks = [
        get("204", "/no-content", "204"),
        get("304", "/not-modified", "304"),
        get("205", "/reset-content", "205"),
        get("a body that ends with the connection", "/close", "until the end 200"),
        get("an HTTP/1.0 server", "/http10", "from an old server 200"),
        get("early hints", "/early-hints", "after hints 200"),
        get("a chunked body with a trailer", "/trailers", "hello world 200"),
        get("200 header lines", "/lines/200", "many lines 200"),
        get("a header line of 48 KiB", "/head/49152", "a long line 200"),
        // Over HTTP/2 this curl takes 128 KiB at most.
        get("a head of 256 KiB", "/large-head --http1.1", "a large head 200"),
        ask(
            "HEAD of a long body",
            format!(
                "curl -sS -I {url}/length | tr -d '\\r' | grep -io '^content-length.*' | tr A-Z a-z"
            ),
            "content-length: 12345",
        ),
        ask(
            "HEAD, then GET on the same connection",
            format!("curl -sS -I -o /dev/null {url}/length --next -sS {url}/length | wc -c"),
            "12345",
        ),
        ask(
            "304 and 204, then GET on the same connection",
            format!("curl -sS {url}/not-modified {url}/no-content {url}/close"),
            "until the end",
        ),
        ask(
            "an HTTP/1.0 client",
            format!("curl -sS --no-alpn --http1.0 {url}/length | wc -c"),
            "12345",
        ),
        ask(
            "200 header lines from the client",
            format!(
                "lines=$(for n in $(seq 200); do printf -- '-HX-Line-%s:%s ' $n $n; done); \
                 curl -sS --http1.1 $lines {url}/echo | grep -oi 'x-line-[0-9]*' | sort -u | wc -l"
            ),
            "200",
        ),
        ask(
            "OPTIONS",
            format!("curl -sS -X OPTIONS {url}/echo | grep -o '\"method\": \"OPTIONS\"'"),
            "\"method\": \"OPTIONS\"",
        ),
        ask(
            "OPTIONS *",
            format!(
                "curl -sS -X OPTIONS --request-target '*' {url}/ | grep -o '\"target\": \"[*]\"'"
            ),
            "\"target\": \"*\"",
        ),
        ask(
            "a compressed answer is passed as it came",
            format!(
                "curl -sS --compressed -H 'Accept-Encoding: gzip, br, zstd' {url}/echo | grep -o 'gzip, br, zstd'"
            ),
            "gzip, br, zstd",
        ),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}

/// Trailers of requests and of answers, over HTTP/1.1.
#[tokio::test]
async fn clients_http_trailers() -> anyhow::Result<()> {
    let program = include_str!("trailers.py");
    with_clients(async |agent| {
        let seen: serde_json::Value = agent.python(program, &"edge.example".into()).await?;
        anyhow::ensure!(seen["request"] == serde_json::json!([["X-Sum", "7"]]), "{seen}");
        anyhow::ensure!(seen["response"] == "x-checksum: 42", "{seen}");
        Ok(())
    })
    .await
}
