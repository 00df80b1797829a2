//! Bodies are masked on their way, in either direction.

use crate::world::{API_AT, World, allow};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;

const CARD: &str = "4111111111111111";

fn masking(direction: &str) -> serde_json::Value {
    let mut rule = allow("http://api.example.com/**");
    rule["mask"] = serde_json::json!([{"detectors": ["credit-card"], "direction": direction}]);
    rule
}

/// Answers every request with these pieces, a little apart; gives out what it was asked.
async fn server(
    world: &World,
    pieces: Vec<Vec<u8>>,
    pause: u64,
) -> mpsc::UnboundedReceiver<String> {
    let server = world.server(80).await;
    let (sender, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            let request = read(&mut stream).await;
            sender.send(request).unwrap();
            for piece in &pieces {
                let _ = stream.write_all(piece).await;
                sleep(Duration::from_millis(pause)).await;
            }
        }
    });
    asked
}

/// A request, to the end of its body.
async fn read(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        all.push(stream.read_u8().await.unwrap());
        let text = String::from_utf8_lossy(&all).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        if body.len() >= length {
            return String::from_utf8(all).unwrap();
        }
    }
}

async fn ask(world: &World, method: &str, lines: &str, body: &str) -> Vec<u8> {
    let mut stream = world.connect(&format!("{API_AT}:80")).await;
    let length = body.len();
    let request = format!(
        "{method} / HTTP/1.1\r\nHost: api.example.com\r\n{lines}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

fn answer(lines: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{lines}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The body of a chunked answer.
fn dechunked(answer: &[u8]) -> Vec<u8> {
    let at = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    let (mut rest, mut body) = (&answer[at..], Vec::new());
    loop {
        let line = rest.windows(2).position(|it| it == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_the_server_answers_is_masked_and_its_head_fits() {
    let world = World::under(&[masking("Response")]).await;
    let body = gzip(format!("{{\"card\": \"{CARD}\", \"n\": 1}}").as_bytes());
    let lines = "Content-Type: application/json\r\nContent-Encoding: gzip\r\nETag: \"a\"\r\n\
                 Content-MD5: x\r\nContent-Digest: x\r\nAccept-Ranges: bytes\r\n";
    let mut asked = server(&world, vec![answer(lines, &body)], 0).await;
    let sent = "Accept-Encoding: gzip, dcb\r\nRange: bytes=0-9\r\n";
    let answer = ask(&world, "GET", sent, "").await;
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(head.contains("etag: w/\"a\"") && head.contains("content-encoding: gzip"), "{head}");
    for gone in ["content-length", "content-md5", "digest", "accept-ranges"] {
        assert!(!head.contains(gone), "{gone} in {head}");
    }
    let mut text = String::new();
    GzDecoder::new(&dechunked(&answer)[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "{\"card\": \"[exeat:credit-card]\", \"n\": 1}");
    let asked = asked.recv().await.unwrap().to_lowercase();
    assert!(asked.contains("accept-encoding: gzip\r\n") && !asked.contains("range:"), "{asked}");
    let records = world.records().await;
    assert!(records.contains("\"masked\":{\"Response/credit-card\":1}"), "{records}");
    let metrics = world.metrics.render();
    let series = "exeat_proxy_masked_total{detector=\"credit-card\",direction=\"Response\"} 1\n";
    assert!(metrics.contains(series), "{metrics}");
}

#[tokio::test]
async fn a_value_split_over_thirty_events_is_masked_whole() {
    let world = World::under(&[masking("Both")]).await;
    let event = |text: &str| format!("data: {{\"delta\":\"{text}\"}}\n\n");
    let pieces: Vec<&str> = (0..30)
        .map(|at| CARD.get(at / 2..at / 2 + 1).filter(|_| at % 2 == 0).unwrap_or(""))
        .collect();
    let pieces = [&["pay "], &pieces[..], &["1 now"]].concat();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    let mut parts = vec![head.as_bytes().to_vec()];
    parts.extend(pieces.iter().map(|piece| event(piece).into_bytes()));
    let _asked = server(&world, parts, 20).await;
    let answer = ask(&world, "GET", "", "").await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert!(body.contains("{\"delta\":\"[exeat:credit-card]\"}"), "{text}");
    assert!(!body.contains("\"4\"") && !body.contains("\"1\""), "{text}");
    assert!(body.contains(" now\""), "{text}");
}

#[tokio::test]
async fn answers_without_a_body_are_none() {
    let world = World::under(&[masking("Response")]).await;
    // The next one has a server of its own, so no connection is kept.
    let lines = "HTTP/1.1 304 Not Modified\r\nConnection: close\r\nETag: \"a\"\r\nContent-Encoding: lzma\r\n\r\n";
    let _asked = server(&world, vec![lines.as_bytes().to_vec()], 0).await;
    let answer = ask(&world, "GET", "", "").await;
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(text.starts_with("http/1.1 304") && text.contains("w/\"a\""), "{text}");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 16\r\n\r\n";
    let _asked = server(&world, vec![head.as_bytes().to_vec()], 0).await;
    let answer = ask(&world, "HEAD", "", "").await;
    let text = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(text.starts_with("http/1.1 200") && !text.contains("content-length: 16"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_masked_is_refused() {
    let world = World::under(&[masking("Response")]).await;
    for (answer, why) in [
        (answer("Content-Encoding: lzma\r\n", b"a"), "lzma: is not known"),
        (answer("Content-Type: application/grpc\r\n", b"a"), "grpc message"),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\na".to_vec(), "part of a whole"),
    ] {
        let _asked = server(&world, vec![answer], 0).await;
        let got = ask(&world, "GET", "", "").await;
        let text = String::from_utf8_lossy(&got).into_owned();
        assert!(text.starts_with("HTTP/1.1 502") && text.contains(why), "{why}: {text}");
    }
    let damaged = answer("Content-Encoding: gzip\r\n", b"\x1f\x8bnot gzip at all");
    let _asked = server(&world, vec![damaged], 0).await;
    let got = ask(&world, "GET", "", "").await;
    assert!(!String::from_utf8_lossy(&got).ends_with("0\r\n\r\n"));
    let records = world.records().await;
    assert!(records.contains("gzip: is damaged"), "{records}");
}

#[tokio::test]
async fn what_the_agent_sends_is_masked() {
    let world = World::under(&[masking("Request")]).await;
    let mut asked = server(&world, vec![answer("", CARD.as_bytes())], 0).await;
    let lines = "Content-Type: application/json\r\nContent-Digest: x\r\n";
    let got = ask(&world, "POST", lines, &format!("{{\"a\":{CARD},\"b\":\"{CARD}\"}}")).await;
    let sent = asked.recv().await.unwrap();
    assert!(sent.ends_with("{\"a\":1000000000000000,\"b\":\"[exeat:credit-card]\"}"), "{sent}");
    assert!(!sent.to_lowercase().contains("digest"), "{sent}");
    assert!(String::from_utf8_lossy(&got).ends_with(CARD));
    let got = ask(&world, "POST", "Content-Type: application/grpc\r\n", "a").await;
    assert!(String::from_utf8_lossy(&got).contains("\"code\":\"Encoding\""));
    let records = world.records().await;
    assert!(records.contains("\"masked\":{\"Request/credit-card\":2}"), "{records}");
}
