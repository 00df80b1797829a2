//! A second request hidden in a first, and protocols hidden in HTTP: raw bytes inside TLS.

use exeat_e2e::Case;
use serde_json::json;

const HOST: &str = "Host: data.example\r\n";
/// What must never be seen as a request of its own.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: data.example\r\n\r\n";

#[tokio::test]
async fn bypass_request_smuggling() -> anyhow::Result<()> {
    let post = |headers: &str, body: &str| format!("POST /a HTTP/1.1\r\n{HOST}{headers}\r\n{body}");
    let get = |headers: &str| format!("GET /a HTTP/1.1\r\n{headers}\r\n");
    let refused = [
        ("both lengths", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("two lengths", post("Content-Length: 3\r\nContent-Length: 0\r\n", "abc")),
        ("a signed length", post("Content-Length: +3\r\n", "abc")),
        ("an unknown coding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        ("a coding before", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n")),
        ("a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
        ("an underscore", post("Transfer_Encoding: chunked\r\n", "0\r\n\r\n")),
        ("a folded line", post("X: y\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("a bare LF", post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        ("a bare CR", get(&format!("{HOST}X: y\rHost: evil.example\r\n"))),
        ("a chunk extension", post("Transfer-Encoding: chunked\r\n", "1;x=y\r\na\r\n0\r\n\r\n")),
        ("a chunk in 0x", post("Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n")),
        ("a chunk that ends in LF", post("Transfer-Encoding: chunked\r\n", "1\na\n0\n\n")),
        ("two hosts", get(&format!("{HOST}Host: evil.example\r\n"))),
        ("no host", get("")),
        (
            "another method by a header",
            post("Content-Length: 0\r\nX_HTTP-Method-Override: DELETE\r\n", ""),
        ),
        ("another path by a header", get(&format!("{HOST}X-Original-URL: /admin\r\n"))),
        ("HTTP/0.9", "GET /a\r\n".to_owned()),
        ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let jobs = refused.iter().map(
            |(_, bytes)| json!({"host": "data.example", "port": 443, "parts": [format!("{bytes}{HIDDEN}")]}),
        );
        let answers: Vec<String> = agent.python(include_str!("raw.py"), &jobs.collect()).await?;
        for ((what, _), answer) in refused.iter().zip(&answers) {
            anyhow::ensure!(statuses(answer) == ["400"], "{what}: {answer}");
            anyhow::ensure!(!answer.contains("\"path\""), "{what} reached the server: {answer}");
        }
        case.expect_nothing_forbidden().await
    })
    .await
}

#[tokio::test]
async fn bypass_methods_and_upgrades() -> anyhow::Result<()> {
    let upgrade = |to: &str, more: &str| {
        format!("GET /a HTTP/1.1\r\n{HOST}Connection: Upgrade{more}\r\nUpgrade: {to}\r\n")
    };
    let attempts = [
        (
            "CONNECT to another",
            format!("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n{HIDDEN}"),
            ["403", "200"],
        ),
        (
            "CONNECT to itself",
            format!("CONNECT data.example:443 HTTP/1.1\r\nHost: data.example:443\r\n\r\n{HIDDEN}"),
            ["403", "200"],
        ),
        ("TRACE", format!("TRACE / HTTP/1.1\r\n{HOST}\r\n{HIDDEN}"), ["403", "200"]),
        ("TRACE in small", format!("trace / HTTP/1.1\r\n{HOST}\r\n{HIDDEN}"), ["403", "200"]),
        (
            "a WebSocket without a rule",
            format!(
                "{}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{HIDDEN}",
                upgrade("websocket", "")
            ),
            ["403", "200"],
        ),
        // Stays HTTP/1.1: what follows is read as the request it is.
        (
            "h2c",
            format!(
                "{}HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n{HIDDEN}",
                upgrade("h2c", ", HTTP2-Settings")
            ),
            ["200", "200"],
        ),
        (
            "a second request to another",
            format!("GET /1 HTTP/1.1\r\n{HOST}\r\nGET /2 HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            ["200", "403"],
        ),
    ];
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let jobs = attempts
            .iter()
            .map(|(_, bytes, _)| json!({"host": "data.example", "port": 443, "parts": [bytes]}));
        let answers: Vec<String> = agent.python(include_str!("raw.py"), &jobs.collect()).await?;
        for ((what, _, expected), answer) in attempts.iter().zip(&answers) {
            anyhow::ensure!(statuses(answer) == *expected, "{what}: {answer}");
        }
        case.expect_nothing_forbidden().await
    })
    .await
}

/// The statuses of the responses, in their order.
fn statuses(answer: &str) -> Vec<&str> {
    answer.split("HTTP/1.1 ").skip(1).map(|rest| rest.get(..3).unwrap_or(rest)).collect()
}
