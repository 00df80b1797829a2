//! Messages that two servers read differently. None of them reaches one.

use crate::world::{API_AT, World, allow, talk};

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: api.example.com\r\n\r\n";

#[tokio::test]
async fn smuggling_shapes_are_answered_and_reach_nobody() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let host = "Host: api.example.com\r\n";
    for head in [
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 0\r\nContent-Length: 0\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 0\r\nContent-Length: 44\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 0, 44\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: +0\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding:\x0bchunked\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding : chunked\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer_Encoding: chunked\r\n"),
        format!("POST / HTTP/1.1\r\n{host}X: y\r\n Transfer-Encoding: chunked\r\n"),
        format!("POST / HTTP/1.1\r\n{host}X: y\nTransfer-Encoding: chunked\r\n"),
        format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{host}"),
        format!("GET / HTTP/1.1\r\n{host}Host: evil.example.com\r\n"),
        "GET / HTTP/1.1\r\nX: y\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{host}\0: y\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X: a\rb\r\n"),
        format!("GET  / HTTP/1.1\r\n{host}"),
        format!("GET / HTTP/1.9\r\n{host}"),
        format!("X-EXEAT-REFUSED /0 HTTP/1.1\r\n{host}"),
    ] {
        let answer = world.raw(&format!("{API_AT}:80"), &format!("{head}\r\n{HIDDEN}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{head:?}: {answer}");
        assert!(answer.contains("\"code\":\"Malformed\""), "{head:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head:?}: {answer}");
    }
    assert_eq!(world.reached(), (0, 0));
}

#[tokio::test]
async fn a_bad_chunk_ends_the_request_and_the_connection() {
    let mut careful = allow("http://api.example.com/**");
    careful["denyBodyPatterns"] = serde_json::json!(["password"]);
    let world = World::under(&[careful]).await;
    let head = "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in
        ["3;x=y\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "zz\r\n", "3\r\nabcXX0\r\n\r\n"]
    {
        let request = format!("{head}{body}{HIDDEN}");
        let answer = world.raw(&format!("{API_AT}:80"), &request).await;
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{body:?}: {answer}");
        assert!(!answer.contains("200 OK"), "{body:?}: {answer}");
    }
    assert_eq!(world.reached(), (0, 0));
}

/// Without a content rule the head has left by then; the agent is told that the fault is its own.
#[tokio::test]
async fn a_bad_chunk_of_a_streamed_body_is_not_blamed_on_the_server() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let head = "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = world.raw(&format!("{API_AT}:80"), &format!("{head}zz\r\n{HIDDEN}")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("broke off or was malformed"), "{answer}");
}

#[tokio::test]
async fn requests_before_a_malformed_one_are_answered_first() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let good = "GET /1 HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    let stream = world.connect(&format!("{API_AT}:80")).await;
    let answer =
        talk(stream, format!("{good}{good}GET / HTTP/1.1\r\n\r\n{HIDDEN}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
    assert!(!answer.contains("/hidden"), "{answer}");
    assert_eq!(world.reached(), (1, 1));
}
