//! Connections to the address of a name that no rule allows: refused in words wherever they can be
//! read, and never dialled, whatever rules say of addresses.

use crate::world::{API_AT, UNKNOWN_AT, World, allow, rule, talk};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

const NAME: &str = "unknown.example.net";

/// Rules that are about something else, or about the addresses that stand for names.
fn rules() -> Vec<serde_json::Value> {
    let connect = |resource| rule("Allow", "network.connect", resource);
    [
        allow("https://unknown.example.org/**"),
        connect("tcp://198.18.0.0/15:*"),
        connect("tcp://0.0.0.0/0:*"),
        connect("tls://[fd65:7865:6174::]/96:*"),
        connect("tcp://*.example.org:*"),
        allow("https://198.18.0.0/15/**"),
        allow("http://198.18.0.0/15:*/**"),
        allow("*://0.0.0.0/0:*/**"),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, mut rule)| {
        rule["name"] = format!("r{n}").into();
        rule
    })
    .collect()
}

fn request() -> String {
    format!("GET /path HTTP/1.1\r\nHost: {NAME}\r\n\r\n")
}

#[tokio::test]
async fn a_request_reads_why() {
    let world = World::under(&rules()).await;
    for port in [80, 8080, 9999] {
        let host = if port == 80 { NAME.to_owned() } else { format!("{NAME}:{port}") };
        let request = format!("GET /path HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = world.raw(&format!("{UNKNOWN_AT}:{port}"), &request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(answer.contains("\"code\":\"DefaultDeny\""), "{answer}");
        assert!(answer.contains("no rule allows this"), "{answer}");
    }
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn a_request_inside_tls_reads_why_and_which_rule_is_near() {
    let world = World::under(&[allow("https://unknwn.example.net/**")]).await;
    let stream = world.connect_tls(&format!("{UNKNOWN_AT}:443"), NAME, &["http/1.1"]).await;
    let answer = talk(stream, request().as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("allows https://unknwn.example.net/**"), "{answer}");
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn http2_reads_why() {
    let world = World::under(&rules()).await;
    let stream = world.connect_tls(&format!("{UNKNOWN_AT}:443"), NAME, &["h2"]).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("https://{NAME}/path")).body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 403);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("\"code\":\"DefaultDeny\""));
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn what_is_no_http_is_reset() {
    let world = World::under(&rules()).await;
    for (port, bytes) in [(22, "SSH-2.0-OpenSSH_9.2\r\n"), (5432, "\0\0\0\x08\x04\x7f\x16\x2f")] {
        assert_eq!(world.raw(&format!("{UNKNOWN_AT}:{port}"), bytes).await, "");
    }
    assert_eq!(world.reached(), (0, 0));
    let records = world.records().await;
    assert!(records.contains(&format!("tcp://{NAME}:22")), "{records}");
    assert!(records.contains("\"code\":\"Opaque\""), "{records}");
}

/// `excludedCidrs`: no name leads there, whatever rules allow the name; who names the address may.
#[tokio::test]
async fn no_name_leads_into_an_excluded_range() {
    let world = World::under(&[]).await;
    let mut by_address = allow("http://203.0.113.0/24/**");
    by_address["name"] = "address".into();
    let rules = [allow("http://api.example.com/**"), by_address];
    world.rules_without(&rules, &["203.0.113.0/28", "2001:db8::/32"]);
    let get = "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    let answer = world.raw(&format!("{API_AT}:80"), get).await;
    assert!(answer.contains("\"code\":\"ExcludedAddress\""), "{answer}");
    assert_eq!(world.reached(), (0, 0));
    assert!(world.records().await.contains("ExcludedAddress"));

    let get = "GET / HTTP/1.1\r\nHost: 203.0.113.10\r\n\r\n";
    assert!(world.raw("203.0.113.10:80", get).await.starts_with("HTTP/1.1 200"));
    world.rules_without(&rules, &["203.0.114.0/24"]);
    let get = "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    assert!(world.raw(&format!("{API_AT}:80"), get).await.starts_with("HTTP/1.1 200"));
}

/// An address of the range that stands for nothing is nobody's, whatever rules say.
#[tokio::test]
async fn no_rule_over_addresses_reaches_a_synthetic_one() {
    let world = World::under(&rules()).await;
    for original in ["198.18.9.9:443", "198.18.9.9:22"] {
        assert_eq!(world.raw(original, &request()).await, "");
    }
    // Were it taken for an address, it could not be dialled.
    assert_eq!(world.raw("[fd65:7865:6174::c612:909]:22", "SSH-2.0-x\r\n").await, "");
    assert_eq!(world.reached(), (0, 0));
}
