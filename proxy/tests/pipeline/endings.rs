//! How things end that do not end by themselves: at a drain, at a limit, in a handshake.

use crate::world::{API, API_AT, World, allow, hello, talk};
use exeat_policy::snapshot::{AuditSettings, Durability};
use exeat_policy::source::Mode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

const RULE: &str = "http://api.example.com/**";

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

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn a_websocket_that_is_open_at_a_drain_has_its_outcome_before_its_connection_is_done() {
    let world = World::under(&[allow("ws://api.example.com/**")]).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        head(&mut stream).await;
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                      Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.read(&mut [0; 8]).await;
        sleep(Duration::from_secs(600)).await;
    });
    let (mut stream, served) = world.connect_watched(&format!("{API_AT}:80")).await;
    let upgrade = "GET /feed HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 101"));
    stream.write_all(b"\x81\x03abc").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    assert!(!served.is_finished(), "the proxy would not wait for it");
    world.drain();
    timeout(Duration::from_secs(10), served).await.expect("it outlasts the drain").unwrap();
    assert!(world.settled().await);
    let records = world.records().await;
    assert_eq!(records.matches("\"kind\":\"Outcome\"").count(), 1, "{records}");
    assert!(records.contains("\"status\":101") && records.contains("\"bytesOut\":5"), "{records}");
}

#[tokio::test]
async fn an_intent_that_was_not_acknowledged_in_time_says_that_nothing_was_sent() {
    let world = World::under(&[]).await;
    let audit = AuditSettings { durability: Durability::Acknowledged, ..AuditSettings::default() };
    world.rules_and_audit(Mode::Enforce, &[allow(RULE)], audit);
    let mut stream = world.connect(&format!("{API_AT}:80")).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    // Nobody acknowledges.
    tokio::time::pause();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 503"));
    tokio::time::resume();
    assert_eq!(world.reached(), (0, 0));
    let records = recorded(&world, "\"kind\":\"Outcome\"").await;
    let outcome = &records[records.find("\"kind\":\"Outcome\"").unwrap()..];
    assert!(outcome.contains("\"code\":\"AuditUnavailable\""), "{outcome}");
    assert!(outcome.contains("\"bytesOut\":0"), "{outcome}");
    assert!(outcome.contains("nothing leaves unrecorded"), "{outcome}");
}

#[tokio::test]
async fn heads_that_are_not_complete_share_one_bound() {
    // Room for two long heads.
    let world = World::with_memory(&[allow(RULE)], 256 << 10).await;
    let begun = format!("GET / HTTP/1.1\r\nHost: api.example.com\r\nX: {}", "x".repeat(30_000));
    let mut first = world.connect(&format!("{API_AT}:80")).await;
    let mut second = world.connect(&format!("{API_AT}:80")).await;
    for stream in [&mut first, &mut second] {
        stream.write_all(begun.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    let mut third = world.connect(&format!("{API_AT}:80")).await;
    third.write_all(begun.as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    tokio::time::pause();
    assert!(head(&mut third).await.starts_with("HTTP/1.1 503"));
    let answer = talk(third, b"").await;
    assert!(answer.contains("\"code\":\"Overload\""), "{answer}");
    tokio::time::resume();
    // A short head needs no room, and one that waits gets what another gives back.
    let at = format!("{API_AT}:80");
    let short = world.raw(&at, "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await;
    assert!(short.starts_with("HTTP/1.1 200 OK"));
    drop(first);
    let end = "\r\n\r\n";
    let answer = world.raw(&format!("{API_AT}:80"), &format!("{begun}{end}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{}", &answer[..60]);
    let metrics = world.metrics.render();
    assert!(metrics.contains("exeat_proxy_memory_refused_total 1\n"), "{metrics}");
    assert!(metrics.contains("exeat_proxy_memory_held_bytes 131072\n"), "{metrics}");
}

#[tokio::test]
async fn a_handshake_that_a_client_gives_up_is_recorded_with_its_name_and_cause() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let at = format!("{API_AT}:443");
    // It trusts nobody.
    let mut config = world.client_config(&["http/1.1"]);
    config = {
        let provider = config.crypto_provider().clone();
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    };
    let stream = world.connect(&at).await;
    let name = API.try_into().unwrap();
    assert!(TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_err());
    // It says hello, and leaves.
    let mut stream = world.connect(&at).await;
    stream.write_all(&hello(API)).await.unwrap();
    stream.shutdown().await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;

    assert_eq!(world.denials(2).await, 2);
    let records = world.records().await;
    assert!(records.contains("\"code\":\"ClientTls\""), "{records}");
    assert!(records.contains("tls://api.example.com:443"), "{records}");
    assert!(records.contains("it does not trust the pod's certificate authority"), "{records}");
    let metrics = world.metrics.render();
    for cause in ["unknown_authority", "closed"] {
        let series = format!("client_tls_failures_total{{cause=\"{cause}\"}} 1\n");
        assert!(metrics.contains(&series), "{metrics}");
    }
    assert!(metrics.contains("exeat_proxy_denied_total{action=\"network.connect\"} 0\n"));
}

#[tokio::test]
async fn what_breaks_its_protocol_is_counted() {
    let world = World::under(&[allow(RULE)]).await;
    let at = format!("{API_AT}:80");
    world.raw(&at, "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n").await;
    // A HEADERS frame on stream 0 (RFC 9113 §6.2).
    let mut stream = world.connect(&at).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    stream.write_all(b"\0\0\x01\x01\x04\0\0\0\0\x82").await.unwrap();
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
    sleep(Duration::from_millis(50)).await;
    let metrics = world.metrics.render();
    for protocol in ["http1", "http2"] {
        let series = format!("exeat_proxy_malformed_total{{protocol=\"{protocol}\"}} 1\n");
        assert!(metrics.contains(&series), "{metrics}");
    }
}
