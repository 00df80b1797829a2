//! One name in TLS, another in HTTP: domain fronting in each of its forms.

use exeat_e2e::{Case, Host};
use serde_json::{Value, json};

const FORBIDDEN: &str = "evil.example";

#[tokio::test]
async fn bypass_sni_other_than_host() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let allowed = Host::DATA.name;
        for version in ["--http1.1", "--http2"] {
            for attempt in [
                format!("-H 'Host: {FORBIDDEN}' https://{allowed}/"),
                format!("--connect-to {FORBIDDEN}:443:{allowed}:443 https://{FORBIDDEN}/"),
                format!("--connect-to {FORBIDDEN}:443:{allowed}:443 -H 'Host: {allowed}' https://{FORBIDDEN}/"),
            ] {
                agent.curl(&format!("{version} {attempt}")).await?.expect_refusal("HostMismatch")?;
            }
        }
        // The address of an allowed name is no way to a forbidden server either.
        agent
            .curl(&format!("--resolve {allowed}:443:{} https://{allowed}/", Host::EVIL.address))
            .await?
            .expect_refusal("HostMismatch")?;
        case.expect_nothing_forbidden().await
    })
    .await
}

#[tokio::test]
async fn bypass_absolute_form_inside_tls() -> anyhow::Result<()> {
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let ask = async |target: &str| {
            let place = format!("https://{}/", Host::DATA.name);
            agent.curl(&format!("--http1.1 --request-target '{target}' {place}")).await
        };
        ask(&format!("https://{}/same", Host::DATA.name)).await?.expect_status("200")?;
        ask(&format!("https://{FORBIDDEN}/")).await?.expect_refusal("HostMismatch")?;
        ask(&format!("http://{}/", Host::DATA.name)).await?.expect_refusal("HostMismatch")?;
        ask(&format!("https://{}@{FORBIDDEN}/", Host::DATA.name)).await?.expect_status("400")?;
        case.expect_nothing_forbidden().await
    })
    .await
}

#[tokio::test]
async fn bypass_authority_other_than_sni_under_http2() -> anyhow::Result<()> {
    let base =
        [(":method", "GET"), (":scheme", "https"), (":authority", "data.example"), (":path", "/")];
    // The normal request, with some headers changed and some added.
    let request = |changed: &[(&str, &str)], added: &[(&str, &str)]| -> Value {
        let kept = base.map(|(name, value)| {
            let other = changed.iter().find(|(changed, _)| *changed == name);
            json!([name, other.map_or(value, |(_, value)| *value)])
        });
        let added = added.iter().map(|(name, value)| json!([name, value]));
        json!({"headers": kept.into_iter().chain(added).collect::<Vec<_>>()})
    };
    let fronted = json!({"headers": [[":method", "GET"], [":scheme", "https"], [":path", "/"], ["host", FORBIDDEN]]});
    let attempts = [
        ("nothing", request(&[], &[]), "200"),
        ("the same host again", request(&[], &[("host", "data.example")]), "200"),
        ("another authority", request(&[(":authority", FORBIDDEN)], &[]), "403"),
        ("another port", request(&[(":authority", "data.example:8443")], &[]), "403"),
        ("user information", request(&[(":authority", "data.example@evil.example")], &[]), "400"),
        ("another scheme", request(&[(":scheme", "http")], &[]), "403"),
        ("another host header", request(&[], &[("host", FORBIDDEN)]), "403"),
        ("two host headers", request(&[], &[("host", "data.example"), ("host", FORBIDDEN)]), "400"),
        ("two authorities", request(&[], &[(":authority", FORBIDDEN)]), "reset"),
        ("a host header alone", fronted, "403"),
        ("a URL as the path", request(&[(":path", "https://evil.example/")], &[]), "reset"),
        (
            "CONNECT",
            json!({"headers": [[":method", "CONNECT"], [":authority", "evil.example:443"]]}),
            "403",
        ),
        ("a request in a header", request(&[], &[("x", "1\r\nhost: evil.example")]), "goaway"),
        (
            "a request in the path",
            request(&[(":path", "/ HTTP/1.1\r\nhost: evil.example")], &[]),
            "reset",
        ),
        ("a connection header", request(&[], &[("connection", "x"), ("x", "1")]), "reset"),
    ];
    Case::run(include_str!("agent.yaml"), async |case| {
        let agent = case.agent("agent").await?;
        let requests: Vec<&Value> = attempts.iter().map(|(_, request, _)| request).collect();
        let job = json!({"host": "data.example", "requests": requests});
        let answers: Vec<(String, String)> = agent.python(include_str!("http2.py"), &job).await?;
        for ((what, _, expected), (status, body)) in attempts.iter().zip(&answers) {
            anyhow::ensure!(status == expected, "{what}: expected {expected}, got {status} {body}");
        }
        case.expect_nothing_forbidden().await
    })
    .await
}
