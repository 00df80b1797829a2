//! What the records say of a request, however it ends and whatever the agent writes into it.

use crate::world::{API_AT, World, allow, talk};
use bytes::Bytes;
use exeat_policy::snapshot::{AuditSettings, OnFailure};
use exeat_policy::source::Mode;
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

const RULE: &str = "http://api.example.com/**";

async fn two(world: &World) -> SendRequest<BoxBody<Bytes, io::Error>> {
    let stream = TokioIo::new(world.connect(&format!("{API_AT}:80")).await);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (sender, connection) = made.unwrap();
    tokio::spawn(connection);
    sender
}

/// An HTTP/2 server that counts what it reads, and answers at once or never.
async fn reads_on(world: &World, answers: bool) -> Arc<AtomicUsize> {
    let server = world.server(80).await;
    let got = Arc::new(AtomicUsize::new(0));
    let counter = got.clone();
    tokio::spawn(async move {
        let (stream, _) = server.accept().await.unwrap();
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let counter = counter.clone();
            let mut body = request.into_body();
            tokio::spawn(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    let read = frame.data_ref().map_or(0, Bytes::len);
                    counter.fetch_add(read, Ordering::SeqCst);
                }
            });
            async move {
                if !answers {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"ok"))))
            }
        });
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    });
    got
}

/// Waits until something holds of the records.
async fn recorded(world: &World, holds: impl Fn(&str) -> bool) -> String {
    let mut records = world.records().await;
    for _ in 0..60 {
        if holds(&records) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        records = world.records().await;
    }
    records
}

fn count(records: &str, kind: &str) -> usize {
    records.matches(&format!("\"kind\":\"{kind}\"")).count()
}

#[tokio::test]
async fn the_outcome_waits_for_a_body_that_goes_on_behind_the_answer() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut buffer = [0; 65536];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    });
    let mut stream = world.connect(&format!("{API_AT}:80")).await;
    let head = "POST /up HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 100000000\r\n\r\nx";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 15]).await.unwrap();
    sleep(Duration::from_millis(200)).await;
    stream.write_all(&[b's'; 500_000]).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    assert_eq!(count(&world.records().await, "Outcome"), 0, "the body goes on");
    drop(stream);
    let records = recorded(&world, |records| count(records, "Outcome") == 1).await;
    assert!(records.contains("\"bytesOut\":500001"), "{records}");
    assert!(records.contains("\"status\":200"), "{records}");
    assert_eq!(count(&records, "Outcome"), 1, "{records}");
}

#[tokio::test]
async fn the_same_over_http2() {
    let world = World::under(&[allow(RULE)]).await;
    let got = reads_on(&world, true).await;
    let mut sender = two(&world).await;
    let (body, stream) = futures::channel::mpsc::unbounded::<Result<Frame<Bytes>, io::Error>>();
    let send = |bytes: Vec<u8>| drop(body.unbounded_send(Ok(Frame::data(bytes.into()))));
    send(vec![b'x']);
    let request = http::Request::post("http://api.example.com/up");
    let request = request.body(BodyExt::boxed(StreamBody::new(stream))).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "ok");
    send(vec![b's'; 200_000]);
    sleep(Duration::from_millis(300)).await;
    drop(body);
    let records = recorded(&world, |records| count(records, "Outcome") == 1).await;
    let sent = got.load(Ordering::SeqCst);
    assert!(records.contains(&format!("\"bytesOut\":{sent}")), "{sent}: {records}");
    assert_eq!(count(&records, "Outcome"), 1, "{records}");
    assert!(world.metrics.render().contains(&format!("direction=\"out\"}} {sent}\n")));
}

#[tokio::test]
async fn a_request_that_its_agent_abandons_has_an_outcome() {
    let world = World::under(&[allow(RULE)]).await;
    let got = reads_on(&world, false).await;
    let mut sender = two(&world).await;
    let body = Full::new(Bytes::from(vec![b's'; 1 << 20])).map_err(|e| match e {}).boxed();
    let request = http::Request::post("http://api.example.com/up").body(body).unwrap();
    let asked = timeout(Duration::from_secs(1), sender.send_request(request)).await;
    assert!(asked.is_err());
    assert_eq!(got.load(Ordering::SeqCst), 1 << 20);
    let records = recorded(&world, |records| count(records, "Outcome") == 1).await;
    assert_eq!((count(&records, "Intent"), count(&records, "Outcome")), (1, 1), "{records}");
    assert!(records.contains("\"bytesOut\":1048576"), "{records}");
    assert!(records.contains("\"code\":\"Abandoned\""), "{records}");
    assert!(world.metrics.render().contains("direction=\"out\"} 1048576\n"));
}

#[tokio::test]
async fn no_moment_to_leave_at_leaves_an_intent_open() {
    let world = World::under(&[allow(RULE)]).await;
    let _got = reads_on(&world, false).await;
    let mut sender = two(&world).await;
    for n in 0..60_u64 {
        let body = Full::default().map_err(|e| match e {}).boxed();
        let request = http::Request::get("http://api.example.com/").body(body).unwrap();
        let asked = sender.send_request(request);
        let _ = timeout(Duration::from_micros(n * 100), asked).await;
    }
    let even = |records: &str| {
        let intents = count(records, "Intent");
        intents > 0 && intents == count(records, "Outcome")
    };
    sleep(Duration::from_millis(300)).await;
    let records = recorded(&world, even).await;
    assert!(even(&records), "{} {}", count(&records, "Intent"), count(&records, "Outcome"));
}

#[tokio::test]
async fn words_too_long_for_a_record_are_cut() {
    let mut careful = allow(RULE);
    careful["denyBodyPatterns"] = serde_json::json!(["password"]);
    let world = World::under(&[careful]).await;
    let head = "POST /probe HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 1\r\n";
    let mut request = format!("{head}Content-Encoding: ").into_bytes();
    request.extend(std::iter::repeat_n(0xff, 30_000));
    request.extend_from_slice(b"\r\n\r\nx");
    let answer = talk(world.connect(&format!("{API_AT}:80")).await, &request).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.len() < 2000, "{answer}");
    let records = world.records().await;
    assert!(records.contains("http://api.example.com/probe"), "{records}");
    assert!(records.contains("\"code\":\"Encoding\""), "{records}");
}

#[tokio::test]
async fn a_long_method_is_refused_and_recorded() {
    for on_failure in [OnFailure::Deny, OnFailure::Allow] {
        let world = World::under(&[]).await;
        let audit = AuditSettings { on_failure, ..AuditSettings::default() };
        world.rules_and_audit(Mode::Enforce, &[allow(RULE)], audit);
        let method = "M".repeat(65_400);
        let request = format!(
            "GET /a HTTP/1.1\r\nHost: api.example.com\r\n\r\n\
             {method} /secret HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
        );
        let answer = world.raw(&format!("{API_AT}:80"), &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
        assert!(!answer.contains("/secret"), "{answer}");

        let method = http::Method::from_bytes("M".repeat(33).as_bytes()).unwrap();
        let body = Full::default().map_err(|e| match e {}).boxed();
        let request = http::Request::builder().method(method).uri("http://api.example.com/secret");
        let answer = two(&world).await.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 400);

        let records = world.records().await;
        let cut = format!("\"method\":\"{}…\"", "M".repeat(32));
        assert!(records.contains(&cut), "{records}");
        assert_eq!(world.denials(2).await, 2);
    }
}
