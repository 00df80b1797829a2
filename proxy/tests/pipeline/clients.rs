//! What ordinary clients do every day: it passes, and ends when they leave.

use crate::world::{API_AT, World, allow, talk};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const RULE: &str = "http://api.example.com/**";

fn at() -> String {
    format!("{API_AT}:80")
}

fn careful() -> serde_json::Value {
    let mut careful = allow(RULE);
    careful["denyBodyPatterns"] = serde_json::json!(["password"]);
    careful
}

/// Reads to the end of a head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Waits until the records say something.
async fn recorded(world: &World, what: &str) -> String {
    let mut records = String::new();
    for _ in 0..60 {
        records = world.records().await;
        if records.contains(what) {
            break;
        }
    }
    records
}

#[tokio::test]
async fn an_upload_goes_on_for_as_long_as_bytes_move() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        head(&mut stream).await;
        let mut body = [0; 40];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    });
    let mut stream = world.connect(&at()).await;
    let request = "POST /up HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 40\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    tokio::time::pause();
    for _ in 0..40 {
        sleep(Duration::from_secs(60)).await;
        stream.write_all(b"x").await.unwrap();
    }
    tokio::time::resume();
    let answer = talk(stream, b"").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_request_ends_when_its_client_leaves() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    let mut stream = world.connect(&at()).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    head(&mut upstream).await;
    drop(stream);
    // The server, which thinks on, is told.
    let ended = timeout(Duration::from_secs(10), upstream.read(&mut [0; 8])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    let records = recorded(&world, "\"code\":\"Abandoned\"").await;
    assert!(records.contains("\"code\":\"Abandoned\""), "{records}");
}

#[tokio::test]
async fn a_client_that_only_ends_its_side_is_answered_however_late() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    let mut stream = world.connect(&at()).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    head(&mut upstream).await;
    // Long enough for the proxy to have looked several times.
    sleep(Duration::from_secs(1)).await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("late"), "{answer}");
}

#[tokio::test]
async fn a_method_is_what_was_sent() {
    let mut get = allow(RULE);
    get["methods"] = serde_json::json!(["GET"]);
    let world = World::under(&[get]).await;
    let answer = world.raw(&at(), "get / HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "no Allow of GET is one of get: {answer}");
    assert_eq!(world.reached(), (0, 0));
    world.rules(exeat_policy::source::Mode::Enforce, &[allow(RULE)]);
    let answer = world.raw(&at(), "Report /x HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await;
    assert!(answer.contains("Report /x HTTP/1.1\n"), "{answer}");
    let records = recorded(&world, "\"method\":\"Report\"").await;
    assert!(records.contains("\"method\":\"get\""), "{records}");
    assert!(records.contains("\"method\":\"Report\""), "{records}");
}

#[tokio::test]
async fn many_header_lines_and_long_heads_pass() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        loop {
            let lines =
                head(&mut stream).await.lines().filter(|line| line.starts_with("x-")).count();
            let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nlines: {lines}\r\n");
            for n in 0..200 {
                answer.push_str(&format!("y-{n}: {}\r\n", "v".repeat(1250)));
            }
            answer.push_str("\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let lines: String = (0..200).map(|n| format!("X-{n}: v\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: api.example.com\r\n{lines}\r\n");
    let answer = world.raw(&at(), &request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{}", &answer[..answer.len().min(600)]);
    assert!(answer.contains("lines: 200"));
    assert_eq!(answer.matches("\r\ny-").count(), 200);
    let lines: String = (0..257).map(|n| format!("X-{n}: v\r\n")).collect();
    let request = format!("GET / HTTP/1.1\r\nHost: api.example.com\r\n{lines}\r\n");
    assert!(world.raw(&at(), &request).await.starts_with("HTTP/1.1 400"), "bounded all the same");
}

#[tokio::test]
async fn trailers_arrive_without_what_a_head_decides_by() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let head = head(&mut stream).await;
        let mut body = Vec::new();
        while !body.ends_with(b"\r\n\r\n") {
            body.push(stream.read_u8().await.unwrap());
        }
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
                      2\r\nok\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        head + std::str::from_utf8(&body).unwrap()
    });
    let request = "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\
                   TE: trailers\r\nTrailer: X-Digest, Authorization, X_HTTP_Method_Override\r\n\r\n\
                   2\r\nok\r\n0\r\nX-Digest: 1\r\nAuthorization: Bearer x\r\n\
                   X_HTTP_Method_Override: DELETE\r\nConnection: close\r\n\r\n";
    let answer = world.raw(&at(), request).await;
    assert!(answer.contains("x-sum: 7") && !answer.contains("a=b"), "{answer}");
    let got = serving.await.unwrap();
    assert!(got.contains("trailer: x-digest\r\n"), "{got}");
    assert!(got.ends_with("0\r\nx-digest: 1\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn trailers_arrive_over_http2() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        let (stream, _) = server.accept().await.unwrap();
        let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
            let got = request.into_body().collect().await.unwrap();
            let mut trailers = got.trailers().cloned().unwrap_or_default();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let frames = [Frame::data(Bytes::from_static(b"ok")), Frame::trailers(trailers)];
            let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Infallible>)));
            Ok::<_, Infallible>(http::Response::new(body))
        });
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    });
    let stream = TokioIo::new(world.connect(&at()).await);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = made.unwrap();
    tokio::spawn(connection);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-digest", HeaderValue::from_static("1"));
    trailers.insert("cookie", HeaderValue::from_static("a=b"));
    let frames = [Frame::data(Bytes::from_static(b"hi")), Frame::trailers(trailers)];
    let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, io::Error>)));
    let request = http::Request::post("http://api.example.com/").body(body).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap();
    let trailers = answer.trailers().unwrap();
    assert_eq!(trailers.get("grpc-status").unwrap(), "0");
    assert_eq!(trailers.get("x-digest").unwrap(), "1");
    assert!(!trailers.contains_key("cookie"), "{trailers:?}");
}

/// A POST whose client waits for leave.
const WAITS: &str = "POST /up HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 4\r\n\
                     Expect: 100-continue\r\n\r\n";

#[tokio::test]
async fn the_servers_leave_is_passed_on_and_no_other() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    let mut stream = world.connect(&at()).await;
    stream.write_all(WAITS.as_bytes()).await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    assert!(head(&mut upstream).await.contains("expect: 100-continue"));
    let early = timeout(Duration::from_millis(300), stream.read_u8()).await;
    assert!(early.is_err(), "nobody has said 100 yet");
    upstream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    assert_eq!(head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    let mut body = [0; 4];
    upstream.read_exact(&mut body).await.unwrap();
    upstream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let got = head(&mut stream).await;
    assert!(got.starts_with("HTTP/1.1 201") && !got.contains("close"), "{got}");
}

#[tokio::test]
async fn a_server_that_answers_early_gets_no_body() {
    let world = World::under(&[allow(RULE)]).await;
    for status in ["417 Expectation Failed", "401 Unauthorized", "200 OK"] {
        let server = world.server(80).await;
        let mut stream = world.connect(&at()).await;
        stream.write_all(WAITS.as_bytes()).await.unwrap();
        let (mut upstream, _) = server.accept().await.unwrap();
        head(&mut upstream).await;
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno");
        upstream.write_all(answer.as_bytes()).await.unwrap();
        let got = head(&mut stream).await;
        assert!(got.starts_with(&format!("HTTP/1.1 {status}")), "{got}");
        assert!(
            got.contains("connection: close\r\n"),
            "the client learns that nothing follows: {got}"
        );
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(5), upstream.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty(), "{rest:?}");
    }
    let records = recorded(&world, "\"status\":200").await;
    assert!(records.contains("\"status\":417") && records.contains("\"status\":401"), "{records}");
    assert!(!records.contains("\"code\":\"Malformed\""), "{records}");
}

#[tokio::test]
async fn a_server_that_never_says_100_gets_the_body_after_a_while() {
    let world = World::under(&[allow(RULE)]).await;
    let server = world.server(80).await;
    let mut stream = world.connect(&at()).await;
    stream.write_all(WAITS.as_bytes()).await.unwrap();
    let (mut upstream, _) = server.accept().await.unwrap();
    head(&mut upstream).await;
    assert_eq!(head(&mut stream).await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").await.unwrap();
    upstream.read_exact(&mut [0; 4]).await.unwrap();
    upstream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 201"));
}

#[tokio::test]
async fn a_slow_upload_under_a_content_rule_passes() {
    let world = World::under(&[careful()]).await;
    let mut stream = world.connect(&at()).await;
    let request = "POST /up HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 10\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    tokio::time::pause();
    for _ in 0..10 {
        sleep(Duration::from_secs(60)).await;
        stream.write_all(b"x").await.unwrap();
    }
    tokio::time::resume();
    let answer = talk(stream, b"").await;
    assert!(answer.contains("10 bytes: xxxxxxxxxx"), "{answer}");
}

fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[0][..], &length, text.as_bytes()].concat().into()
}

/// A server that answers each message as it comes, as a bidirectional stream does.
async fn echoes(server: tokio::net::TcpListener) {
    let (stream, _) = server.accept().await.unwrap();
    let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
        Ok::<_, Infallible>(http::Response::new(request.into_body()))
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

#[tokio::test]
async fn a_bidirectional_stream_under_a_content_rule_is_read_message_by_message() {
    let world = World::under(&[careful()]).await;
    tokio::spawn(echoes(world.server(80).await));
    let stream = TokioIo::new(world.connect(&at()).await);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = made.unwrap();
    tokio::spawn(connection);
    let (messages, mut written) = mpsc::unbounded_channel::<Bytes>();
    let frames = futures::stream::poll_fn(move |cx| written.poll_recv(cx));
    let frames = futures::StreamExt::map(frames, |data| Ok::<_, io::Error>(Frame::data(data)));
    let request = http::Request::post("http://api.example.com/chat.Chat/Talk")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    messages.send(message("hello")).unwrap();
    let request = request.body(StreamBody::new(frames)).unwrap();
    let answered = timeout(Duration::from_secs(10), sender.send_request(request)).await;
    let mut answer = answered.expect("it waits for its answer").unwrap().into_body();
    let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, message("hello"));
    messages.send(message("again")).unwrap();
    let second = answer.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(second, message("again"));
    messages.send(message("the password is")).unwrap();
    assert!(matches!(answer.frame().await, None | Some(Err(_))), "cut");
    let records = recorded(&world, "BodyPattern").await;
    assert!(records.contains("BodyPattern"), "{records}");
    assert!(records.contains("\"bytesOut\":20"), "{records}");
}

#[tokio::test]
async fn messages_that_cannot_be_decompressed_are_refused_at_once_under_a_content_rule() {
    let world = World::under(&[careful()]).await;
    let request = "POST /chat.Chat/Talk HTTP/1.1\r\nHost: api.example.com\r\n\
                   Content-Type: application/grpc+proto\r\nContent-Length: 6\r\n";
    for (encoding, body) in
        [("grpc-encoding: gzip\r\n", "\x01\0\0\0\x01a"), ("grpc-encoding: identity\r\n", "")]
    {
        let request = format!("{request}{encoding}\r\n{body}");
        let answer = world.raw(&at(), &request).await;
        assert_eq!(answer.contains("\"code\":\"Encoding\""), !body.is_empty(), "{answer}");
    }
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn the_pipeline_runs_over_any_stream() {
    let world = World::under(&[allow(RULE)]).await;
    let (client, stream) = tokio::io::duplex(16 << 10);
    let original = at().parse().unwrap();
    tokio::spawn(world.front.clone().serve(exeat_proxy::wire::Io::new(stream), original));
    let request = "POST /a HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 30000\r\n\r\n";
    let answer = talk(client, format!("{request}{}", "x".repeat(30_000)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("30000 bytes"), "{answer}");
}
