//! TLS on both sides.

use crate::world::{API, API_AT, World, allow, talk};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};

fn https() -> String {
    format!("{API_AT}:443")
}

const GET: &[u8] = b"GET /v1/a HTTP/1.1\r\nHost: api.example.com\r\n\r\n";

#[tokio::test]
async fn https_is_decided_by_path() {
    let world = World::under(&[allow("https://api.example.com/v1/**")]).await;
    let stream = world.connect_tls(&https(), API, &["http/1.1"]).await;
    let answer = talk(stream, GET).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // Between the proxy and this server it is HTTP/2.
    assert!(answer.contains("https://api.example.com/v1/a HTTP/2.0"), "{answer}");
    let stream = world.connect_tls(&https(), API, &[]).await;
    let answer = talk(stream, b"GET /v2 HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await;
    assert!(answer.contains("\"code\":\"DefaultDeny\""), "{answer}");
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn the_server_name_must_be_the_connections_own() {
    let world = World::under(&[allow("https://**"), allow("https://203.0.113.10/**")]).await;
    for (original, name) in
        [(https(), "evil.example.com"), ("203.0.113.10:443".to_owned(), "api.example.com")]
    {
        let stream = world.connect_tls(&original, name, &["http/1.1"]).await;
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n");
        let answer = talk(stream, request.as_bytes()).await;
        assert!(answer.contains("\"code\":\"HostMismatch\""), "{name}: {answer}");
    }
    // A handshake that names nobody.
    let mut config = world.client_config(&["http/1.1"]);
    config.enable_sni = false;
    let stream = world.connect(&https()).await;
    let name = API.try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let answer = talk(stream, GET).await;
    assert!(answer.contains("\"code\":\"HostMismatch\""), "{answer}");
    assert_eq!(world.reached(), (0, 0));
    assert!(world.records().await.contains("HostMismatch"));
}

#[tokio::test]
async fn an_address_that_a_rule_names_is_served_as_an_address() {
    let world = World::under(&[allow("https://203.0.113.20/v1/**")]).await;
    for (path, status) in [("/v1/", "502"), ("/v2/", "403")] {
        let stream = world.connect_tls("203.0.113.20:443", "203.0.113.20", &["http/1.1"]).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: 203.0.113.20\r\n\r\n");
        let answer = talk(stream, request.as_bytes()).await;
        // The test's server has a certificate for another name: verification holds here too.
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn every_http2_request_names_the_connections_host() {
    let world = World::under(&[allow("https://**")]).await;
    let stream = world.connect_tls(&https(), API, &["h2"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    for (uri, host, status) in [
        ("https://evil.example.com/", None, 403),
        ("https://api.example.com/", Some("evil.example.com"), 403),
        ("https://api.example.com:8443/", None, 403),
        ("http://api.example.com/", None, 403),
        ("https://api.example.com/", None, 200),
    ] {
        let mut request = http::Request::builder().uri(uri);
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let request = request.body(Full::<Bytes>::default()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), status, "{uri} {host:?}");
    }
    assert_eq!(world.reached(), (1, 1));
}

#[tokio::test]
async fn a_server_that_is_not_who_it_should_be_gets_nothing() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let server = world.server(443).await;
    let config = Arc::new(world.server_config("other.example.com"));
    let served = tokio::spawn(async move {
        let (stream, _) = server.accept().await.unwrap();
        TlsAcceptor::from(config).accept(stream).await.is_ok()
    });
    let stream = world.connect_tls(&https(), API, &["http/1.1"]).await;
    let answer = talk(stream, GET).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(answer.contains("\"code\":\"UpstreamTls\""), "{answer}");
    assert!(!served.await.unwrap());
}
