//! Credentials that a rule adds: swapped in their place, denied or reported anywhere else, and never
//! seen by the agent.

use crate::world::{API, API_AT, SEED, World, allow, talk};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use exeat_api::credentials::{Delivered, Reason, Set, State, Value};
use exeat_policy::credential::{Placeholder, SecretKey};
use exeat_policy::source::Mode;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value as Json, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio_rustls::TlsAcceptor;

const VALUE: &str = "sk-live/s3cr3t+value";
type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

fn placeholder() -> String {
    let secret =
        SecretKey { namespace: "agents".into(), name: "model".into(), key: "token".into() };
    Placeholder::of(SEED, &secret).unwrap().shaped_for(API)
}

fn with(mut credential: Json) -> Json {
    credential["secretRef"] = json!({"name": "model", "key": "token"});
    let mut rule = allow("https://api.example.com/v1/**");
    rule["name"] = json!("model");
    rule["credential"] = credential;
    rule
}

fn bearer() -> Json {
    with(json!({"header": "Authorization", "template": "Bearer {value}"}))
}

fn required() -> Json {
    let mut rule = bearer();
    rule["credential"]["placeholder"] = json!("Required");
    rule
}

fn give(world: &World, state: State) {
    let one = Delivered { secret: "model".into(), key: "token".into(), state };
    world.credentials().replace(Set { pod_uid: "pod-1".into(), credentials: vec![one] });
}

fn value(text: &str) -> State {
    State::Value(Value::of(text.as_bytes()).unwrap())
}

/// What the server got, and what it answers.
#[derive(Default)]
struct Server {
    got: Mutex<Vec<String>>,
    answer: Mutex<Vec<(&'static str, String)>>,
    chunks: Mutex<Vec<String>>,
}

impl Server {
    /// Takes the place of the world's server at port 443.
    async fn stand(world: &World) -> Arc<Self> {
        let server = Arc::new(Self::default());
        let listener = world.server(443).await;
        let acceptor = TlsAcceptor::from(Arc::new(world.server_config(API)));
        let all = server.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, server) = (acceptor.clone(), all.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.take(request).await) }
                    });
                    let builder =
                        hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        server
    }

    async fn take(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let mut text = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
        for (name, value) in &parts.headers {
            text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
        }
        let body = body.collect().await.unwrap().to_bytes();
        text.push_str(&String::from_utf8_lossy(&body));
        self.got.lock().unwrap().push(text);
        let chunks = self.chunks.lock().unwrap().clone();
        let body = match chunks.as_slice() {
            [] => Full::new(Bytes::from("fine")).boxed(),
            [one] => Full::new(Bytes::from(one.clone())).boxed(),
            _ => {
                let frames = chunks.into_iter().map(|it| Ok(Frame::data(Bytes::from(it))));
                StreamBody::new(futures::stream::iter(frames)).boxed()
            }
        };
        let mut response = Response::new(body);
        for (name, value) in &*self.answer.lock().unwrap() {
            response.headers_mut().append(*name, value.parse().unwrap());
        }
        response
    }

    fn last(&self) -> String {
        self.got.lock().unwrap().pop().unwrap_or_default()
    }
}

async fn ask(world: &World, target: &str, lines: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: api.example.com\r\n{lines}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    let stream = world.connect_tls(&format!("{API_AT}:443"), API, &["http/1.1"]).await;
    talk(stream, request.as_bytes()).await
}

#[tokio::test]
async fn the_value_goes_out_in_its_place_and_nothing_of_the_agents_beside_it() {
    let ph = placeholder();
    let basic = |password: &str| STANDARD.encode(format!("me:{password}"));
    let own = "Authorization: Bearer own\r\n".to_owned();
    let header = with(json!({"header": "X-Api-Key"}));
    let query = with(json!({"query": "key"}));
    let user = with(json!({"basic": "bot"}));
    let in_basic = format!("authorization: Basic {}", STANDARD.encode(format!("bot:{VALUE}")));
    let in_query = "/v1/a?b=1&key=sk-live%2Fs3cr3t%2Bvalue";
    let authorization = format!("authorization: Bearer {VALUE}\n");
    for (rule, target, lines, seen) in [
        (bearer(), "/v1/a".to_owned(), String::new(), authorization.clone()),
        (
            bearer(),
            "/v1/a".to_owned(),
            format!("Authorization: Bearer {ph}\r\n"),
            authorization.clone(),
        ),
        (
            bearer(),
            "/v1/a".to_owned(),
            format!("AUTHORIZATION: bearer {ph}\r\n"),
            authorization.clone(),
        ),
        (bearer(), "/v1/a".to_owned(), own.clone(), authorization.clone()),
        (bearer(), "/v1/a".to_owned(), format!("{own}{own}"), authorization.clone()),
        (
            required(),
            "/v1/a".to_owned(),
            format!("Authorization: Bearer {ph}\r\n"),
            authorization.clone(),
        ),
        (
            header,
            "/v1/a".to_owned(),
            "X_Api_Key: own\r\n".to_owned(),
            format!("x-api-key: {VALUE}\n"),
        ),
        (query.clone(), format!("/v1/a?b=1&key={ph}"), String::new(), in_query.to_owned()),
        (
            query.clone(),
            format!("/v1/a?k%65y=%{:02x}{}&b=1", ph.as_bytes()[0], &ph[1..]),
            String::new(),
            in_query.to_owned(),
        ),
        (query, "/v1/a?b=1&key=own".to_owned(), String::new(), in_query.to_owned()),
        (
            user.clone(),
            "/v1/a".to_owned(),
            format!("Authorization: Basic {}\r\n", basic(&ph)),
            in_basic.clone(),
        ),
        (user, "/v1/a".to_owned(), String::new(), in_basic),
    ] {
        let world = World::under(&[rule]).await;
        let server = Server::stand(&world).await;
        give(&world, value(VALUE));
        let answer = ask(&world, &target, &lines, "hello").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{target} {lines}: {answer}");
        let got = server.last();
        assert!(got.contains(&seen) && got.ends_with("hello"), "{target} {lines}: {got}");
        assert!(!got.contains("own") && !got.contains(&ph), "{got}");
        assert!(got.contains("accept-encoding: identity\n"), "{got}");
        assert!(!world.records().await.contains("s3cr3t"));
    }
}

#[tokio::test]
async fn a_placeholder_anywhere_else_is_denied_and_reported() {
    let ph = placeholder();
    let other = allow("https://api.example.com/other/**");
    let plain = allow("http://api.example.com/**");
    let world = World::under(&[bearer(), other, plain]).await;
    let server = Server::stand(&world).await;
    give(&world, value(VALUE));
    let right = format!("Authorization: Bearer {ph}\r\n");
    let nested = json!({"a": [STANDARD.encode(format!("x {ph}"))]}).to_string();
    for (target, lines, body) in [
        ("/other/a", right.clone(), String::new()),
        ("/v1/a", format!("X-Note: {ph}\r\n"), String::new()),
        ("/v1/a", format!("Authorization: {ph}\r\n"), String::new()),
        (
            "/v1/a",
            format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("u:{ph}"))),
            String::new(),
        ),
        ("/v1/a", format!("{right}{right}"), String::new()),
        ("/v1/a", format!("{right}Cookie: a={ph}\r\n"), String::new()),
        ("/v1/a", right.clone(), format!("my key is {ph}.")),
        ("/v1/a", right.clone(), ph.to_uppercase()),
        ("/v1/a", String::new(), nested.clone()),
        ("/v1/a", String::new(), hex::encode(&ph)),
        (&format!("/v1/a?q={ph}"), String::new(), String::new()),
        (&format!("/v1/{ph}"), String::new(), String::new()),
    ] {
        let answer = ask(&world, target, &lines, &body).await;
        let code = "\"code\":\"PlaceholderElsewhere\"";
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains(code),
            "{target} {lines} {body}: {answer}"
        );
        assert_eq!(server.last(), "", "{target} {lines} {body}");
    }
    // To another scheme, in the clear.
    let request = format!("GET / HTTP/1.1\r\nHost: api.example.com\r\n{right}\r\n");
    let answer = world.raw(&format!("{API_AT}:80"), &request).await;
    assert!(answer.contains("PlaceholderElsewhere"), "{answer}");
    let counted = world.metrics.render();
    assert!(counted.contains("code=\"PlaceholderElsewhere\""), "{counted}");
    assert!(world.records().await.contains("PlaceholderElsewhere"));
    // What cannot be decoded passes: no rule requires that it be read.
    let answer = ask(&world, "/other/a", "Content-Encoding: gzip\r\n", "no gzip").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn what_is_required_and_not_there_is_denied() {
    let world = World::under(&[required()]).await;
    let server = Server::stand(&world).await;
    give(&world, value(VALUE));
    let other = format!("exeat_placeholder_{}", "0".repeat(40));
    for lines in [
        String::new(),
        "Authorization: Bearer own\r\n".to_owned(),
        format!("Authorization: Bearer {other}\r\n"),
        format!("X_Authorization: Bearer {}\r\n", "own"),
    ] {
        let answer = ask(&world, "/v1/a", &lines, "").await;
        assert!(answer.contains("\"code\":\"CredentialRequired\""), "{lines}: {answer}");
    }
    assert_eq!(server.last(), "");
}

#[tokio::test]
async fn a_value_that_changes_is_used_at_once_and_one_that_is_gone_denies() {
    let world = World::under(&[bearer()]).await;
    let server = Server::stand(&world).await;
    for (state, seen) in [
        (None, Err("not read yet")),
        (Some(value("first-value")), Ok("Bearer first-value")),
        (Some(value("second-value")), Ok("Bearer second-value")),
        (Some(State::Unavailable(Reason::NoSecret)), Err("does not exist")),
        (Some(State::Unavailable(Reason::Forbidden)), Err("no Role")),
    ] {
        if let Some(state) = state {
            give(&world, state);
        }
        let answer = ask(&world, "/v1/a", "", "").await;
        match seen {
            Ok(seen) => assert!(server.last().contains(seen), "{answer}"),
            Err(why) => {
                assert!(answer.contains("\"code\":\"CredentialUnavailable\""), "{answer}");
                assert!(answer.contains(why), "{answer}");
                assert_eq!(server.last(), "");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_echoes_the_value_is_masked() {
    let world = World::under(&[bearer()]).await;
    let server = Server::stand(&world).await;
    give(&world, value(VALUE));
    *server.answer.lock().unwrap() = vec![("x-echo", format!("<{VALUE}>"))];
    let whole = format!("got {VALUE} and {}", STANDARD.encode(VALUE));
    for chunks in [
        vec![whole.clone()],
        whole.chars().map(String::from).collect(),
        vec![whole[..9].to_owned(), whole[9..].to_owned()],
        vec!["ends open: sk-li".to_owned(), "ve/s3cr3".to_owned()],
    ] {
        *server.chunks.lock().unwrap() = chunks.clone();
        let answer = ask(&world, "/v1/a", "Range: bytes=5-\r\n", "").await;
        assert!(!server.last().contains("range:"), "half of it would be none");
        assert!(answer.contains(&format!("x-echo: <{}>", "*".repeat(VALUE.len()))), "{answer}");
        assert!(!answer.contains("s3cr3t") && !answer.contains("c2stbGl2ZS9z"), "{answer}");
        match chunks.len() {
            1 => assert!(answer.ends_with('*') || answer.ends_with('='), "{answer}"),
            2 if chunks[0].starts_with("ends") => assert!(answer.contains("s3cr3"), "{answer}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_answer_that_could_hide_the_value_is_refused() {
    let world = World::under(&[bearer()]).await;
    let server = Server::stand(&world).await;
    give(&world, value(VALUE));
    *server.answer.lock().unwrap() = vec![("content-encoding", "gzip".to_owned())];
    let answer = ask(&world, "/v1/a", "Accept-Encoding: gzip\r\n", "").await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("encoded"), "{answer}");
}

#[tokio::test]
async fn over_http2_it_is_the_same() {
    let world = World::under(&[bearer()]).await;
    let server = Server::stand(&world).await;
    give(&world, value(VALUE));
    *server.chunks.lock().unwrap() = vec!["got sk-live/s3c".into(), "r3t+value.".into()];
    let stream = world.connect_tls(&format!("{API_AT}:443"), API, &["h2"]).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let uri = "https://api.example.com/v1/a";
    for lines in [vec![], vec![("authorization", format!("Bearer {}", placeholder()))]] {
        let mut request = Request::get(uri);
        for (name, value) in lines {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("got {}.", "*".repeat(VALUE.len())));
        let got = server.last();
        assert!(got.contains(&format!("authorization: Bearer {VALUE}\n")), "{got}");
        assert!(got.contains("HTTP/2.0"), "{got}");
    }
}

#[tokio::test]
async fn policies_that_observe_add_nothing() {
    let world = World::under(&[]).await;
    let server = Server::stand(&world).await;
    world.rules(Mode::Observe, &[required()]);
    give(&world, value(VALUE));
    let lines = format!("Authorization: Bearer {}\r\n", placeholder());
    let answer = ask(&world, "/v1/a", &lines, &placeholder()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.last().contains(&placeholder()));
}
