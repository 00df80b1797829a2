//! HTTP/2 towards servers: connections that requests share, and what servers refuse.

use crate::world::{API, API_AT, World, allow, rule, talk};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// An HTTP/2 server behind port 443 that takes so many streams a connection, and answers once it is
/// told to.
struct Server {
    connections: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    go: watch::Sender<bool>,
}

async fn server(world: &World, streams: u32, go: bool) -> Server {
    let listener = world.server(443).await;
    let acceptor = TlsAcceptor::from(Arc::new(world.server_config(API)));
    let (connections, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (go, going) = watch::channel(go);
    let server = Server { connections: connections.clone(), asked: asked.clone(), go };
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            let (acceptor, asked, going) = (acceptor.clone(), asked.clone(), going.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = service_fn(move |_| {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let mut going = going.clone();
                    async move {
                        let _ = going.wait_for(|go| *go).await;
                        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from("ok"))))
                    }
                });
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder.max_concurrent_streams(streams);
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    server
}

/// So many clients ask at once, each over its own connection.
async fn ask(world: &World, clients: usize) -> Vec<tokio::task::JoinHandle<String>> {
    let mut asked = Vec::new();
    for _ in 0..clients {
        let mut stream = world.connect_tls(&format!("{API_AT}:443"), API, &["http/1.1"]).await;
        asked.push(tokio::spawn(async move {
            let get = b"GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
            stream.write_all(get).await.unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            answer
        }));
    }
    asked
}

async fn until(what: impl Fn() -> bool) {
    let waited = timeout(Duration::from_secs(20), async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it never happens");
}

#[tokio::test]
async fn many_first_requests_make_one_connection() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let server = server(&world, 100, false).await;
    let asked = ask(&world, 20).await;
    until(|| server.asked.load(Ordering::SeqCst) == 20).await;
    server.go.send_replace(true);
    for one in asked {
        assert!(one.await.unwrap().starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn where_streams_run_out_there_is_another_connection() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let server = server(&world, 10, true).await;
    // The server's limit is known from now on.
    assert!(ask(&world, 1).await.remove(0).await.unwrap().starts_with("HTTP/1.1 200 OK"));
    server.go.send_replace(false);
    let asked = ask(&world, 40).await;
    until(|| server.asked.load(Ordering::SeqCst) == 41).await;
    let connections = server.connections.load(Ordering::SeqCst);
    assert!((4..=5).contains(&connections), "{connections}");
    server.go.send_replace(true);
    for one in asked {
        assert!(one.await.unwrap().starts_with("HTTP/1.1 200 OK"));
    }
}

/// Posts over HTTP/2 in the clear.
async fn post(world: &World, body: &'static str) -> (u16, String) {
    let stream = TokioIo::new(world.connect(&format!("{API_AT}:80")).await);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = made.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://api.example.com/a");
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answer = timeout(Duration::from_secs(10), sender.send_request(request)).await;
    let answer = answer.expect("no answer").unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Answers with the body of the request.
async fn echo(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
) -> usize {
    let mut body = request.into_body();
    let mut got = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        got.extend_from_slice(&data);
    }
    let length = got.len();
    let mut send = respond.send_response(http::Response::new(()), false).unwrap();
    send.send_data(got.into(), true).unwrap();
    length
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_whatever_the_method() {
    let mut careful = allow("http://api.example.com/**");
    for rules in [allow("http://api.example.com/**"), {
        careful["denyBodyPatterns"] = serde_json::json!(["password"]);
        careful
    }] {
        let world = World::under(&[rules]).await;
        let server = world.server(80).await;
        tokio::spawn(async move {
            let mut refused = 0;
            loop {
                let (stream, _) = server.accept().await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    if refused < 2 {
                        refused += 1;
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                        continue;
                    }
                    tokio::spawn(echo(request, respond));
                }
            }
        });
        assert_eq!(post(&world, "pay once").await, (200, "pay once".to_owned()));
        let records = world.records().await;
        assert_eq!(records.matches("\"kind\":\"Intent\"").count(), 1, "{records}");
        assert_eq!(records.matches("\"kind\":\"Outcome\"").count(), 1, "{records}");
    }
}

#[tokio::test]
async fn what_a_leaving_server_did_not_process_is_sent_again() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let server = world.server(80).await;
    tokio::spawn(async move {
        // SETTINGS, and GOAWAY that names no stream as processed.
        let (mut stream, _) = server.accept().await.unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let mut got = vec![0; 4096];
        let mut length = 0;
        // A HEADERS frame has come.
        while !got[..length].windows(4).any(|four| four[..2] == [1, 4] && four[2..] == [0, 0]) {
            length += stream.read(&mut got[length..]).await.unwrap();
        }
        stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let (next, _) = server.accept().await.unwrap();
        drop(stream);
        let mut connection = h2::server::handshake(next).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(echo(request, respond));
        }
    });
    assert_eq!(post(&world, "pay once").await, (200, "pay once".to_owned()));
}

#[tokio::test]
async fn what_a_server_may_have_processed_is_not_sent_again() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let server = world.server(80).await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = server.accept().await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                respond.send_reset(h2::Reason::INTERNAL_ERROR);
            }
        }
    });
    assert_eq!(post(&world, "pay once").await.0, 502);
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_denied_path_leaves_the_connections_of_a_place_alone() {
    let secret = rule("Deny", "network.request", "http://203.0.113.10/secret/**");
    let world = World::under(&[allow("http://api.example.com/**"), secret]).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
    for (path, status) in [("/a", "200"), ("/secret/b", "403"), ("/c", "200")] {
        let stream = world.connect(&format!("{API_AT}:80")).await;
        let answer = talk(stream, get(path).as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    assert_eq!(world.reached().1, 1);
}

#[tokio::test]
async fn a_server_is_not_pinged_while_nothing_moves() {
    let world = World::under(&[allow("http://api.example.com/**")]).await;
    let server = world.server(80).await;
    let serving = tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got).await;
        got
    });
    let stream = TokioIo::new(world.connect(&format!("{API_AT}:80")).await);
    let made = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = made.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://api.example.com/poll");
    let asked = sender.send_request(request.body(Full::<Bytes>::default()).unwrap());
    let asked = tokio::spawn(asked);
    tokio::time::sleep(Duration::from_millis(200)).await;
    tokio::time::pause();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    tokio::time::resume();
    assert!(!asked.is_finished(), "it still waits");
    asked.abort();
    connection.abort();
    drop(sender);
    let got = timeout(Duration::from_secs(60), serving).await.unwrap().unwrap();
    let mut frames = &got[24..];
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *frames {
        kinds.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]) as usize + 9;
        frames = &frames[length.min(frames.len())..];
    }
    assert!(kinds.contains(&1) && !kinds.contains(&6), "{kinds:?}");
}
