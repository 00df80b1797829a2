//! What a rule does not let out is found wherever it stands in a request, and in whatever encoding.

use crate::world::{API_AT, World, allow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CARD: &str = "4111 1111 1111 1111";

fn careful() -> serde_json::Value {
    let mut rule = allow("http://api.example.com/**");
    rule["denyPatterns"] = serde_json::json!(["project zeus"]);
    rule["denyDetectors"] = serde_json::json!(["credit-card", "private-key"]);
    rule["denyBodyPatterns"] = serde_json::json!(["password"]);
    rule
}

fn request(target: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: api.example.com\r\n{lines}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn ask(world: &World, request: &[u8]) -> String {
    let mut stream = world.connect(&format!("{API_AT}:80")).await;
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_must_not_leave_is_found_wherever_it_stands() {
    let json = |text: &str| serde_json::json!({"messages": [{"content": text}]}).to_string();
    let inner = json(&format!("card {CARD}"));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let typed = "Content-Type: application/json\r\n";
    let zipped = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}", "MIIBVgIBADANBgkqhkiG9w0B".repeat(4));
    let world = World::under(&[careful()]).await;
    for (request, code, place) in [
        (request("/a/Project%20Zeus", "", b""), "ContentPattern", "path"),
        (request("/?q=project+zeus", "", b""), "ContentPattern", "query"),
        (request("/", "X-Note: project zeus\r\n", b""), "ContentPattern", "header x-note"),
        (request("/", "Cookie: a=project%20zeus\r\n", b""), "ContentPattern", "header cookie"),
        (request("/?c=4111111111111111", "", b""), "Detected", "query"),
        (request("/", "", "ｐｒｏｊｅｃｔ zeus".as_bytes()), "ContentPattern", "body"),
        (request("/", "", "pr\u{200b}oject zeus".as_bytes()), "ContentPattern", "body"),
        (request("/", form, b"a=1&card=4111+1111+1111+1111"), "Detected", "body"),
        (request("/", typed, inner.as_bytes()), "Detected", "body"),
        (request("/", typed, json(&inner).as_bytes()), "Detected", "body"),
        (request("/", typed, json(&STANDARD.encode(&inner)).as_bytes()), "Detected", "(base64)"),
        (request("/", zipped, &gzip(inner.as_bytes())), "Detected", "(gzip)"),
        (request("/", "", &gzip(inner.as_bytes())), "Detected", "(gzip)"),
        (request("/", zipped, &gzip(b"{\"password\": 1}")), "BodyPattern", "(gzip)"),
        (request("/", "", key.as_bytes()), "Detected", "body"),
        (request("/", zipped, b"{}"), "Encoding", "gzip"),
    ] {
        let answer = ask(&world, &request).await;
        let asked = String::from_utf8_lossy(&request);
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{asked}: {answer}");
        assert!(answer.contains(place), "{place} in {asked}: {answer}");
        assert!(!answer.to_lowercase().contains("zeus") && !answer.contains("4111"), "{answer}");
    }
    assert_eq!(world.reached(), (0, 0));
    let records = world.records().await;
    assert!(!records.contains("4111") && records.contains("Detected"), "{records}");
}

/// Words that are forbidden in a body alone, and everything else, passes.
#[tokio::test]
async fn ordinary_requests_pass_as_they_are() {
    let world = World::under(&[careful()]).await;
    let zipped = gzip(b"0032want 4111111111111112 a card's number but for its last digit");
    let token = "Authorization: Bearer AAAAB3NzaC1yc2EAAAADAQABAAABgQ\r\n";
    for (request, seen) in [
        (request("/?password=1", "X-Password: password\r\n", b"{}"), "2 bytes: {}".to_owned()),
        (request("/", token, b"{\"max_tokens\": 4096}"), "20 bytes".to_owned()),
        (request("/", "Content-Encoding: gzip\r\n", &zipped), format!("{} bytes", zipped.len())),
    ] {
        let answer = ask(&world, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains(&seen), "{seen}: {answer}");
    }
}
