//! Connections that are relayed as they are.

use crate::world::{API, API_AT, World, allow, hello, rule, talk};
use exeat_policy::source::Mode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn connect(resource: &str) -> serde_json::Value {
    rule("Allow", "network.connect", resource)
}

/// Says hello first, then echoes.
fn greet(server: TcpListener) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(b"hello ").await;
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
}

#[tokio::test]
async fn opaque_bytes_need_a_rule() {
    let world = World::under(&[allow("https://**"), allow("http://**")]).await;
    let answer = world.raw(&format!("{API_AT}:5432"), "\0\0\0\x08\x04\x7f\x16\x2f").await;
    assert_eq!(answer, "");
    assert_eq!(world.reached(), (0, 0));
    assert!(world.records().await.contains("\"code\":\"Opaque\""));

    world.rules(Mode::Enforce, &[connect("tcp://api.example.com:5432")]);
    greet(world.server(5432).await);
    let answer = world.raw(&format!("{API_AT}:5432"), "\0\0\0\x08\x04\x7f\x16\x2f").await;
    assert_eq!(answer, "hello \0\0\0\x08\x04\x7f\x16/");
    let records = world.records().await;
    assert!(records.contains("tcp://api.example.com:5432"), "{records}");
}

#[tokio::test]
async fn a_server_may_speak_first() {
    let world = World::under(&[connect("tcp://api.example.com:25")]).await;
    greet(world.server(25).await);
    let mut stream = world.connect(&format!("{API_AT}:25")).await;
    let mut hello = [0; 6];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello ");
    assert_eq!(talk(stream, b"EHLO me\r\n").await, "EHLO me\r\n");
}

#[tokio::test]
async fn silence_does_not_make_requests_opaque() {
    let world = World::under(&[
        connect("tcp://api.example.com:80"),
        rule("Deny", "network.request", "http://api.example.com/admin/**"),
    ])
    .await;
    greet(world.server(80).await);
    let mut stream = world.connect(&format!("{API_AT}:80")).await;
    let mut hello = [0; 6];
    stream.read_exact(&mut hello).await.unwrap();
    let answer = talk(stream, b"GET /admin/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn tls_that_passes_through_is_held_to_its_name() {
    let world = World::under(&[connect("tls://api.example.com:443")]).await;
    for name in ["evil.example.com", "203.0.113.10"] {
        let stream = world.connect(&format!("{API_AT}:443")).await;
        assert_eq!(talk(stream, &hello(name)).await, "", "{name}");
    }
    assert_eq!(world.reached(), (0, 0));
    assert!(world.records().await.contains("HostMismatch"));
    let stream = world.connect(&format!("{API_AT}:443")).await;
    assert!(talk(stream, &hello(API)).await.starts_with('\x16'));
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn a_policy_change_cuts_what_it_denies() {
    let world = World::under(&[connect("tcp://api.example.com:5432")]).await;
    greet(world.server(5432).await);
    let mut stream = world.connect(&format!("{API_AT}:5432")).await;
    stream.write_all(b"\0\x08").await.unwrap();
    let mut hello = [0; 8];
    stream.read_exact(&mut hello).await.unwrap();
    world.rules(Mode::Enforce, &[connect("tcp://api.example.com:5432"), allow("https://**")]);
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    world.rules(Mode::Enforce, &[allow("https://**")]);
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut hello)).await;
    assert!(matches!(ended.unwrap(), Ok(0) | Err(_)));
    assert!(world.records().await.contains("PolicyChanged"));
}
