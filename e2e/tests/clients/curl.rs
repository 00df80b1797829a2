//! curl, with HTTP/1.1 and HTTP/2.

use super::{Ask, ask, each, with_clients};

/// SHA-256 of 16 MiB of zeros.
const ZEROS: &str = "080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e";

#[tokio::test]
async fn clients_curl() -> anyhow::Result<()> {
    with_clients(async |agent| {
        each(agent, &asks("--http1.1", "1.1")).await?;
        each(agent, &asks("--http2", "2")).await
    })
    .await
}

fn asks(flag: &str, version: &str) -> Vec<Ask> {
    let curl = format!("curl -sS {flag}");
    let url = "https://data.example";
    let status = "-o /dev/null -w '%{http_code} '";
    vec![
        ask(
            "a page",
            format!("{curl} -o /dev/null -w '%{{http_code}} %{{http_version}}' {url}/"),
            format!("200 {version}"),
        ),
        ask("a large download", format!("{curl} {url}/bytes/67108864 | wc -c"), "67108864"),
        ask(
            "a large upload of unknown length",
            format!("head -c 16M /dev/zero | {curl} -T - {url}/up | grep -o {ZEROS}"),
            ZEROS,
        ),
        ask(
            "a form with a file",
            format!(
                "head -c 3M /dev/zero >file && {curl} -F a=1 -F file=@file {url}/ | grep -c 'form-data; boundary='"
            ),
            "1",
        ),
        ask(
            "forty at once",
            format!("{curl} -Z -o 'many_#1' '{url}/bytes/[1-40]' && cat many_* | wc -c"),
            "820",
        ),
        ask("HEAD", format!("{curl} -I {status} {url}/"), "200"),
        ask(
            "statuses",
            format!("for n in 201 301 404 418 500 503; do {curl} {status} {url}/status/$n; done"),
            "201 301 404 418 500 503",
        ),
    ]
}

/// What servers may do with a client that asks whether it may send its body (RFC 9110, 10.1.1).
#[tokio::test]
async fn clients_curl_expects_100_continue() -> anyhow::Result<()> {
    let post =
        "curl -sS --http1.1 -H 'Expect: 100-continue' --expect100-timeout 5 --data-binary @body";
    let asked = |what: &str, path: &str, prints: &str| {
        let print = "-w ' %{http_code}' -o answer";
        let length = "grep -o '\"bodyBytes\": [0-9]*' answer || cat answer";
        let command = format!(
            "head -c 2M /dev/zero >body; {post} {print} https://edge.example{path}; echo; {length}"
        );
        ask(what, command, prints)
    };
    let asks = [
        asked("a server that says 100", "/continue", "200\n\"bodyBytes\": 2097152"),
        asked("a server that never says 100", "/never-continue", "200\n\"bodyBytes\": 2097152"),
        asked("a server that says 417", "/no-expectations", "417\nno expectations"),
        asked("a server that answers early", "/early", "413\ntoo large"),
    ];
    with_clients(async |agent| each(agent, &asks).await).await
}
