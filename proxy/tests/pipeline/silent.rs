//! Connections that do not say what they want leave a record, and no port that nothing could be
//! allowed on seems open.

use crate::world::{API, API_AT, UNKNOWN_AT, World, allow, rule};
use bytes::Bytes;
use exeat_proxy::entry::own_ports;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sends, leaves, and waits until the proxy has left too.
async fn say_and_leave(world: &World, original: &str, words: &[u8]) {
    let mut stream = world.connect(original).await;
    stream.write_all(words).await.unwrap();
    stream.shutdown().await.unwrap();
    // An end or a reset: either way the proxy is done.
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn wait_for(world: &World, text: &str) -> String {
    for _ in 0..60 {
        let records = world.records().await;
        if records.contains(text) {
            return records;
        }
    }
    panic!("no record has {text}: {}", world.records().await);
}

#[tokio::test]
async fn a_look_at_a_port_is_recorded_and_no_denial() {
    for words in [&b""[..], b"G", b"GET / HTTP/1.1\r\nHost: api.exam"] {
        let world = World::under(&[allow("http://api.example.com/**")]).await;
        say_and_leave(&world, &format!("{API_AT}:80"), words).await;
        let records = wait_for(&world, "\"code\":\"Silent\"").await;
        assert!(records.contains("tcp://api.example.com:80"), "{records}");
        let metrics = world.metrics.render();
        assert!(metrics.contains("exeat_proxy_denied_total{action=\"network.connect\"} 0"));
        assert_eq!(world.reached(), (0, 0));
    }
}

/// HTTP/2 that begins and asks for nothing, in the clear and within TLS, and TLS without a request.
#[tokio::test]
async fn a_connection_without_a_request_is_recorded() {
    const BEGINS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    say_and_leave(&world, &format!("{API_AT}:80"), BEGINS).await;
    let records = wait_for(&world, "\"code\":\"Silent\"").await;
    assert!(records.contains("tcp://api.example.com:80"), "{records}");
    for (alpn, words) in [("h2", BEGINS), ("http/1.1", b"GET / HT"), ("http/1.1", b"")] {
        let world = World::under(&[allow("https://api.example.com/**")]).await;
        let mut stream = world.connect_tls(&format!("{API_AT}:443"), API, &[alpn]).await;
        stream.write_all(words).await.unwrap();
        drop(stream);
        let records = wait_for(&world, "\"code\":\"Silent\"").await;
        assert!(records.contains("tls://api.example.com:443"), "{records}");
        assert_eq!(world.denials(1).await, 1);
        assert_eq!(world.reached(), (0, 0));
    }
}

/// A request that was answered is all that there is to record.
#[tokio::test]
async fn a_connection_with_a_request_is_not_silent() {
    for alpn in ["h2", "http/1.1"] {
        let world = World::under(&[allow("https://api.example.com/**")]).await;
        let stream = world.connect_tls(&format!("{API_AT}:443"), API, &[alpn]).await;
        let io = TokioIo::new(stream);
        let request = Request::get("https://api.example.com/").header("host", API);
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let status = if alpn == "h2" {
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap().status()
        } else {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap().status()
        };
        assert_eq!(status, 200);
        let records = wait_for(&world, "\"kind\":\"Outcome\"").await;
        assert!(!records.contains("Silent"), "{records}");
    }
}

#[tokio::test]
async fn who_said_something_is_not_silent() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
    say_and_leave(&world, &format!("{API_AT}:80"), get.as_bytes()).await;
    say_and_leave(&world, &format!("{API_AT}:80"), b"GET / HTTP/1.1\r\n  bad\r\n\r\n").await;
    let records = wait_for(&world, "http://api.example.com").await;
    assert!(!records.contains("Silent"), "{records}");
}

#[tokio::test]
async fn what_nothing_could_allow_is_refused_as_it_is_accepted() {
    let world = World::under(&[
        allow("https://api.example.com/**"),
        rule("Allow", "network.connect", "tcp://203.0.113.20:5432"),
    ])
    .await;
    for port in [22, 5433, 8080] {
        // Nothing is said.
        let mut stream = world.connect(&format!("203.0.113.20:{port}")).await;
        let ended = stream.read(&mut [0]).await.unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::ConnectionReset, "{port}");
        let records = wait_for(&world, &format!("tcp://203.0.113.20:{port}")).await;
        assert!(records.contains("\"code\":\"DirectIp\""), "{records}");
    }
    assert_eq!(world.denials(3).await, 3);
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn a_scan_is_one_record_with_its_number() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    for _ in 0..20 {
        let mut stream = world.connect("203.0.113.20:22").await;
        let _ = stream.read(&mut [0]).await;
    }
    assert_eq!(world.denials(20).await, 20);
}

/// Where clients speak HTTP they are told why.
#[tokio::test]
async fn an_address_is_told_why_on_the_ports_of_http() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let get = "GET / HTTP/1.1\r\nHost: 203.0.113.20\r\n\r\n";
    let answer = world.raw("203.0.113.20:80", get).await;
    assert!(answer.contains("\"code\":\"DirectIp\""), "{answer}");
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn silence_where_nothing_is_allowed_is_a_denial() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    say_and_leave(&world, &format!("{UNKNOWN_AT}:80"), b"GE").await;
    let records = wait_for(&world, "tcp://unknown.example.net:80").await;
    assert!(!records.contains("Silent"), "{records}");
    assert_eq!(world.denials(1).await, 1);
}

#[tokio::test]
async fn a_connection_to_a_port_of_the_proxy_is_recorded_counted_and_reset() {
    let world = World::under(&[]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    tokio::spawn(own_ports::refuse(world.gate(), listener));
    let mut stream = TcpStream::connect(own).await.unwrap();
    let ended = stream.read(&mut [0]).await.unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::ConnectionReset);
    let records = wait_for(&world, &format!("tcp://{own}")).await;
    assert!(records.contains("\"code\":\"DirectIp\""), "{records}");
    assert!(world.metrics.render().contains("exeat_proxy_rejected_connections_total 1"));
}
