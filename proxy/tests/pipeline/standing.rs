//! A policy that changes is asked of what goes on as it is of what begins.

use crate::world::{API_AT, INSIDE_AT, World, allow, rule, talk};
use exeat_policy::source::Mode;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const RULE: &str = "http://api.example.com/**";

fn connect(resource: &str) -> serde_json::Value {
    rule("Allow", "network.connect", resource)
}

fn careful(resource: &str, patterns: &[&str]) -> serde_json::Value {
    let mut rule = allow(resource);
    rule["denyBodyPatterns"] = serde_json::json!(patterns);
    rule
}

/// Reads and repeats, behind `first` once a head was read where there is one.
fn repeat(server: TcpListener, first: &'static str) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            tokio::spawn(async move {
                if !first.is_empty() {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    stream.write_all(first.as_bytes()).await.unwrap();
                }
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
}

async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn an_address_that_is_denied_now_is_left() {
    let open = connect("tcp://api.example.com:5432");
    let world = World::under(std::slice::from_ref(&open)).await;
    repeat(world.server(5432).await, "");
    let mut stream = world.connect(&format!("{API_AT}:5432")).await;
    stream.write_all(b"\0\0").await.unwrap();
    stream.read_exact(&mut [0; 2]).await.unwrap();
    let other = rule("Deny", "network.connect", "tcp://203.0.113.11:5432");
    world.rules(Mode::Enforce, &[open.clone(), other]);
    stream.write_all(b"\0\0").await.unwrap();
    stream.read_exact(&mut [0; 2]).await.unwrap();
    let deny = rule("Deny", "network.connect", "tcp://203.0.113.10:5432");
    world.rules(Mode::Enforce, &[open, deny]);
    assert!(ended(&mut stream).await);
    assert!(world.records().await.contains("PolicyChanged"));
}

#[tokio::test]
async fn a_private_range_that_is_taken_away_is_left() {
    let rules = [allow("http://inside.example.com/**"), connect("tcp://10.0.0.0/8:80")];
    let world = World::under(&rules).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(b"tick").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    let mut stream = world.connect(&format!("{INSIDE_AT}:80")).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: inside.example.com\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 200]).await.unwrap();
    world.rules(Mode::Enforce, &rules[..1]);
    assert!(ended(&mut stream).await);
    assert!(world.records().await.contains("PolicyChanged"));
}

#[tokio::test]
async fn patterns_that_come_while_a_body_goes_out_stop_it() {
    let world = World::under(&[allow(RULE)]).await;
    let head = "POST /a HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 18\r\n\r\n1234567890";
    for (rules, passes) in [
        (vec![allow(RULE), allow("http://other.example.com/**")], true),
        (vec![careful(RULE, &["password"])], false),
    ] {
        let mut stream = world.connect(&format!("{API_AT}:80")).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        sleep(Duration::from_millis(200)).await;
        world.rules(Mode::Enforce, &rules);
        let answer = talk(stream, b"password").await;
        assert_eq!(answer.contains("18 bytes: 1234567890password"), passes, "{answer}");
        assert_eq!(answer.contains("PolicyChanged"), !passes, "{answer}");
    }
}

#[tokio::test]
async fn a_body_goes_on_under_the_patterns_that_it_was_held_to() {
    for (mode, patterns, passes) in [
        (Mode::Enforce, &["secret"][..], true),
        (Mode::Enforce, &["password", "token"], false),
        // There a match would not have stopped it.
        (Mode::Observe, &["secret"], false),
    ] {
        let world = World::under(&[]).await;
        world.rules(mode, &[careful(RULE, &["password", "secret"])]);
        let mut stream = world.connect(&format!("{API_AT}:80")).await;
        let length = 12 << 20;
        let head = format!(
            "POST /a HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'a'; length / 2 + length / 4]).await.unwrap();
        sleep(Duration::from_millis(200)).await;
        world.rules(Mode::Enforce, &[careful(RULE, patterns)]);
        let answer = talk(stream, &vec![b'a'; length / 4]).await;
        assert_eq!(answer.contains(&format!("{length} bytes")), passes, "{patterns:?}: {answer}");
        if !passes {
            assert!(world.records().await.contains("PolicyChanged"));
        }
    }
}

#[tokio::test]
async fn a_websocket_ends_when_what_it_carries_must_be_read() {
    let resource = "ws://api.example.com:8080/feed";
    let world = World::under(&[allow(resource)]).await;
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
                  Upgrade: websocket\r\n\r\n";
    repeat(world.server(8080).await, switch);
    let upgrade = "GET /feed HTTP/1.1\r\nHost: api.example.com:8080\r\n\
                   Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut stream = world.connect(&format!("{API_AT}:8080")).await;
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"ok").await.unwrap();
    stream.read_exact(&mut [0; 2]).await.unwrap();
    world.rules(Mode::Enforce, &[careful(resource, &["password"])]);
    assert!(ended(&mut stream).await);
    assert!(world.records().await.contains("PolicyChanged"));
}

#[tokio::test]
async fn requests_in_a_tunnel_end_when_requests_are_decided() {
    let open = connect("tcp://api.example.com:80");
    let secret = rule("Deny", "network.request", "http://api.example.com/admin/**");
    let world = World::under(std::slice::from_ref(&open)).await;
    repeat(world.server(80).await, "");
    // One that speaks HTTP, one whose client is silent, and one whose first bytes were neither
    // HTTP nor TLS: a new one of that kind would pass too.
    let get = b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    let mut speaks = world.connect(&format!("{API_AT}:80")).await;
    let mut silent = world.connect(&format!("{API_AT}:80")).await;
    let mut other = world.connect(&format!("{API_AT}:80")).await;
    speaks.write_all(get).await.unwrap();
    speaks.read_exact(&mut vec![0; get.len()]).await.unwrap();
    other.write_all(b"\0\x08").await.unwrap();
    other.read_exact(&mut [0; 2]).await.unwrap();
    // Until the silent one is relayed.
    sleep(Duration::from_millis(1900)).await;
    assert_eq!(world.reached().0, 3);
    world.rules(Mode::Enforce, &[open, secret]);
    assert!(ended(&mut speaks).await);
    assert!(ended(&mut silent).await);
    other.write_all(b"\0\x08").await.unwrap();
    other.read_exact(&mut [0; 2]).await.unwrap();
    assert_eq!(world.records().await.matches("PolicyChanged").count(), 2);
}
