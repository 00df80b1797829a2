//! Requests: what passes, what is refused, and that a refusal reaches nobody.

use crate::world::{API_AT, INSIDE_AT, REBOUND_AT, World, allow, rule, talk};
use bytes::Bytes;
use exeat_policy::source::Mode;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn at(address: &str) -> String {
    format!("{address}:80")
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
}

fn post(body: &str, headers: &str) -> String {
    format!(
        "POST /a HTTP/1.1\r\nHost: api.example.com\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_allowed_request_passes_and_is_recorded() {
    let world = World::under(&[allow("http://api.example.com/v1/**")]).await;
    let answer = world.raw(&at(API_AT), &get("/v1/%61/../b?q=secret")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("GET /v1/%61/../b?q=secret HTTP/1.1\n"), "{answer}");
    let records = world.records().await;
    assert!(records.contains("\"resource\":\"http://api.example.com/v1/a/../b\""), "{records}");
    assert!(records.contains("\"effect\":\"Allow\"") && records.contains("\"kind\":\"Outcome\""));
    assert!(records.contains("\"status\":200") && records.contains("203.0.113.10:80"));
    assert!(!records.contains("q=secret"), "queries are digested: {records}");
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn kept_connections_are_reused_on_both_sides() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    for _ in 0..3 {
        let requests = [get("/1"), get("/2"), post("hello", "")].concat();
        let answer = world.raw(&at(API_AT), &requests).await;
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 3, "{answer}");
        assert!(answer.contains("5 bytes: hello"), "{answer}");
    }
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn what_the_policy_denies_reaches_nobody() {
    let mut get_only = allow("http://api.example.com/**");
    get_only["methods"] = serde_json::json!(["GET"]);
    let mut secret = rule("Deny", "network.request", "http://api.example.com/admin/**");
    secret["reason"] = "the admin pages are not for agents".into();
    let world = World::under(&[get_only, secret]).await;
    for (request, code, text) in [
        (post("x", ""), "DefaultDeny", "no rule allows this"),
        (get("/admin/x"), "RuleDeny", "the admin pages are not for agents"),
        (get("/x/../admin/"), "RuleDeny", "not for agents"),
        (get("/%61dmin/x"), "RuleDeny", "not for agents"),
        (get("/x%2f..%2fadmin"), "RuleDeny", "not for agents"),
        ("TRACE / HTTP/1.1\r\nHost: api.example.com\r\n\r\n".into(), "Malformed", "TRACE"),
        ("CONNECT evil.com:443 HTTP/1.1\r\nHost: evil.com:443\r\n\r\n".into(), "Malformed", ""),
        ("GET / HTTP/1.1\r\nHost: evil.example.com\r\n\r\n".into(), "HostMismatch", ""),
        (
            "GET http://evil.example.com/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n".into(),
            "HostMismatch",
            "",
        ),
    ] {
        let answer = world.raw(&at(API_AT), &request).await;
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{request}: {answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains(text), "{request}: {answer}");
    }
    assert_eq!(world.reached(), (0, 0));
    assert_eq!(world.denials(9).await, 9);
    let metrics = world.metrics.render();
    assert!(metrics.contains("exeat_proxy_denied_total{action=\"network.request\"} 9"));
}

#[tokio::test]
async fn addresses_are_refused_unless_named() {
    let world = World::under(&[
        allow("http://**"),
        allow("http://203.0.113.10/**"),
        allow("http://127.0.0.1/**"),
    ])
    .await;
    let ask = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for (original, host, code) in [
        ("203.0.113.99:80", "203.0.113.99", "DirectIp"),
        ("169.254.169.254:80", "169.254.169.254", "DirectIp"),
        ("127.0.0.1:80", "127.0.0.1", "AddressClass"),
        (&at(REBOUND_AT), "rebound.example.com", "AddressClass"),
        (&at(INSIDE_AT), "inside.example.com", "AddressClass"),
    ] {
        let answer = world.raw(original, &ask(host)).await;
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{original}: {answer}");
        assert!(!answer.contains("10.1.2.3") && !answer.contains("203.0.113.11"), "{answer}");
    }
    // An address that stands for no name (any more) is not even spoken to.
    assert_eq!(world.raw("198.18.7.7:80", &ask("api.example.com")).await, "");
    assert_eq!(world.reached(), (0, 0));
    let answer = world.raw("203.0.113.10:80", &ask("203.0.113.10")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn a_private_address_that_a_rule_names_is_dialled() {
    let named = rule("Allow", "network.connect", "tcp://10.0.0.0/8:80");
    let world = World::under(&[allow("http://inside.example.com/**"), named]).await;
    let request = "GET / HTTP/1.1\r\nHost: inside.example.com\r\n\r\n";
    let answer = world.raw(&at(INSIDE_AT), request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn bodies_are_read_before_anything_is_dialled() {
    let mut careful = allow("http://api.example.com/**");
    careful["denyBodyPatterns"] = serde_json::json!(["password", "api_key"]);
    let world = World::under(&[careful]).await;
    for (request, code) in [
        (post("my PassWord is", ""), "BodyPattern"),
        (post("a=1&p%61ssword=2", ""), "BodyPattern"),
        (post("{\"p\\u0061ssword\":1}", ""), "BodyPattern"),
        (post("harmless", "Content-Encoding: gzip\r\n"), "Encoding"),
        (post("harmless", "Content-Encoding: identity\r\nContent-Encoding: br\r\n"), "Encoding"),
        (
            "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\npassw\r\n3\r\nord\r\n0\r\n\r\n"
                .into(),
            "BodyPattern",
        ),
    ] {
        let answer = world.raw(&at(API_AT), &request).await;
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{request}: {answer}");
        assert!(!answer.contains("api_key"), "an answer names no pattern: {answer}");
    }
    assert_eq!(world.reached(), (0, 0));
    let answer = world.raw(&at(API_AT), &post("harmless", "")).await;
    assert!(answer.contains("8 bytes: harmless"), "{answer}");
    let records = world.records().await;
    assert!(records.contains("\"bodyDigest\":\"sha256:"), "{records}");
    assert!(!records.to_lowercase().contains("my password"), "{records}");
    // Trailers would leave behind the body, unread.
    let answer = world
        .raw(
            &at(API_AT),
            "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nok\r\n0\r\nX-Leak: password\r\n\r\n",
        )
        .await;
    assert!(answer.contains("2 bytes: ok") && !answer.contains("x-leak"), "{answer}");
}

#[tokio::test]
async fn a_long_body_is_cut_before_what_must_not_leave() {
    let mut careful = allow("http://api.example.com/**");
    careful["denyBodyPatterns"] = serde_json::json!(["password"]);
    let world = World::under(&[careful]).await;
    let mut body = "a".repeat(10 << 20);
    let answer = world.raw(&at(API_AT), &post(&body, "")).await;
    assert!(answer.contains("10485760 bytes"), "{answer}");
    body.push_str("password");
    let answer = world.raw(&at(API_AT), &post(&body, "")).await;
    assert!(answer.contains("\"code\":\"BodyPattern\""), "{answer}");
    assert!(world.records().await.contains("BodyPattern"));
}

#[tokio::test]
async fn an_expectation_is_answered_only_where_the_request_passes() {
    let mut post_only = allow("http://api.example.com/**");
    post_only["methods"] = serde_json::json!(["POST"]);
    let world = World::under(&[post_only]).await;
    let mut stream = world.connect(&at(API_AT)).await;
    let head = "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 2\r\n\
                Expect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let answer = talk(stream, b"ok").await;
    assert!(answer.contains("2 bytes: ok"), "{answer}");
    let denied = world.raw(&at(API_AT), &head.replace("POST", "PUT")).await;
    assert!(denied.starts_with("HTTP/1.1 403"), "{denied}");
}

#[tokio::test]
async fn nothing_leaves_unrecorded() {
    // A spool that is full from the start.
    let world = World::with_spool(&[allow("http://api.example.com/**")], 1).await;
    let answer = world.raw(&at(API_AT), &get("/")).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("AuditUnavailable"), "{answer}");
    assert_eq!(world.reached().1, 0);
}

#[tokio::test]
async fn observe_passes_and_says_what_it_would_have_done() {
    let mut careful = allow("http://api.example.com/v1/**");
    careful["denyBodyPatterns"] = serde_json::json!(["password"]);
    let world = World::under(&[]).await;
    world.rules(Mode::Observe, &[careful]);
    let answer = world.raw(&at(API_AT), &get("/elsewhere")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let request = post("password", "").replace("/a", "/v1/a");
    assert!(world.raw(&at(API_AT), &request).await.contains("8 bytes: password"));
    let records = world.records().await;
    assert!(records.contains("\"observed\":\"Deny DefaultDeny\""), "{records}");
    assert!(records.contains("\"observed\":\"Deny BodyPattern\""), "{records}");
}

#[tokio::test]
async fn a_policy_change_reaches_a_kept_connection() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let mut stream = world.connect(&at(API_AT)).await;
    stream.write_all(get("/").as_bytes()).await.unwrap();
    let mut first = vec![0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, b"HTTP/1.1 200 OK");
    world.rules(Mode::Enforce, &[]);
    let answer = talk(stream, get("/").as_bytes()).await;
    assert!(answer.contains("\"code\":\"DefaultDeny\""), "{answer}");
}

#[tokio::test]
async fn nothing_passes_before_the_first_policy() {
    let world = World::before_any_policy(64 << 20).await;
    let answer = world.raw(&at(API_AT), &get("/")).await;
    assert!(answer.contains("\"code\":\"NoPolicy\""), "{answer}");
    assert_eq!(world.raw(&format!("{API_AT}:5432"), "\0\0").await, "");
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn a_websocket_needs_a_rule_of_its_own() {
    let upgrade = "GET /feed HTTP/1.1\r\nHost: api.example.com:8080\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let original = format!("{API_AT}:8080");
    let world = World::under(&[allow("http://api.example.com:8080/**")]).await;
    let answer = world.raw(&original, upgrade).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(world.reached(), (0, 0));

    world.rules(Mode::Enforce, &[allow("ws://api.example.com:8080/feed")]);
    let server = world.server(8080).await;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nwelcome";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).await.unwrap();
        let ended = stream.read(&mut [0; 8]).await;
        (String::from_utf8(head).unwrap(), said, ended)
    });
    let mut stream = world.connect(&original).await;
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"welcome") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    // Bytes that are not HTTP pass now, as they are.
    stream.write_all(b"\x81\0\n\r").await.unwrap();
    // A policy that denies it ends it.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    world.rules(Mode::Enforce, &[]);
    assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    let (head, said, ended) = serving.await.unwrap();
    assert_eq!(&said, b"\x81\0\n\r");
    assert!(head.to_lowercase().contains("upgrade: websocket"), "{head}");
    assert!(matches!(ended, Ok(0) | Err(_)));
}

#[tokio::test]
async fn http2_by_prior_knowledge_is_http() {
    let world = World::under(&[allow("http://api.example.com/v1/**")]).await;
    let stream = world.connect(&at(API_AT)).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    for (uri, status) in [
        ("http://api.example.com/v1/a", 200),
        ("http://api.example.com/v2/a", 403),
        ("http://evil.example.com/v1/a", 403),
        ("http://api.example.com/v1/%2e%2e/v2", 403),
    ] {
        let request = http::Request::builder().uri(uri).body(Full::<Bytes>::default()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status, "{uri}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty());
    }
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn a_client_may_end_its_side_and_still_read() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let mut stream = world.connect(&at(API_AT)).await;
    stream.write_all(get("/").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = talk(stream, b"").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_stream_is_cut_when_the_policy_denies_it() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
        loop {
            if stream.write_all(b"data: tick\n\n").await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let mut stream = world.connect(&at(API_AT)).await;
    stream.write_all(get("/events").as_bytes()).await.unwrap();
    let mut some = [0; 400];
    stream.read_exact(&mut some).await.unwrap();
    world.rules(Mode::Enforce, &[]);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), async {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        rest
    });
    let rest = answer.await.expect("the stream goes on");
    assert!(!rest.ends_with(b"0\r\n\r\n"), "cut, not ended in order");
    assert!(world.records().await.contains("PolicyChanged"));
}
