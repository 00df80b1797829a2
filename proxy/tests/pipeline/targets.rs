//! Request targets with bytes that URLs do not have: they arrive byte for byte, over both protocols,
//! on both sides, and nobody but the agent says what they are.

use crate::frames::{
    self, Blocks, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GO_AWAY, HEADERS, PREFACE,
    RESET, WHOLE, answer, frame, header, path, paths_of,
};
use crate::world::{API, API_AT, World, allow, rule, talk};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

const TARGETS: [&[u8]; 12] = [
    b"/query?query=up>0",
    b"/a<b>?q=<\"x\">",
    b"/`?`",
    b"/\"?\"",
    b"/caf\xe9?\xff\xfe",
    b"/a\xc3\xa9<",
    b"/%3C<%3c",
    b"/a%2Fb<",
    b"/?<",
    b"/[]{}|^\\<",
    b"/plain",
    "/é?é".as_bytes(),
];

/// What reached a server, one head (HTTP/1) or target after the other.
type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A server that answers every request with 200 and keeps its head.
async fn serve_http1<T: AsyncRead + AsyncWrite + Unpin>(mut stream: T, seen: Seen) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            seen.lock().unwrap().push(std::mem::take(&mut head));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    }
}

/// Servers behind port 443 that speak one protocol.
async fn servers(world: &World, http2: bool) -> (Seen, Blocks) {
    let (seen, blocks) = (Seen::default(), Blocks::default());
    let listener = world.server(443).await;
    let mut config = world.server_config(API);
    config.alpn_protocols = vec![if http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (heads, of_http2) = (seen.clone(), blocks.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, seen, blocks) = (acceptor.clone(), heads.clone(), of_http2.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                match http2 {
                    true => frames::serve(stream, blocks).await,
                    false => serve_http1(stream, seen).await,
                }
            });
        }
    });
    (seen, blocks)
}

/// The targets that reached either server. No marker did.
fn targets(seen: &Seen, blocks: &Blocks) -> Vec<Vec<u8>> {
    let heads = std::mem::take(&mut *seen.lock().unwrap());
    let of_heads = heads.iter().map(|head| {
        let text = String::from_utf8_lossy(head).to_lowercase();
        assert!(!text.contains("exeat-target"), "{text}");
        head.split(|byte| *byte == b' ').nth(1).unwrap().to_vec()
    });
    let blocks = std::mem::take(&mut *blocks.lock().unwrap());
    of_heads.chain(blocks.iter().flat_map(|block| paths_of(block))).collect()
}

fn get(target: &[u8], lines: &[u8]) -> Vec<u8> {
    [b"GET ", target, b" HTTP/1.1\r\nHost: api.example.com\r\n", lines, b"\r\n"].concat()
}

fn block(fields: &[&[u8]]) -> Vec<u8> {
    [&frames::get("https", API)[..], &fields.concat()].concat()
}

/// Asks over HTTP/2 and returns what is said to each block.
async fn ask_http2(world: &World, blocks: &[Vec<u8>]) -> Vec<Frame> {
    let mut stream = world.connect_tls(&format!("{API_AT}:443"), API, &["h2"]).await;
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b"")].concat()).await.unwrap();
    let mut answers = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let id = 2 * at as u32 + 1;
        stream.write_all(&frame(HEADERS, WHOLE, id, block)).await.unwrap();
        answers.push(answer(&mut stream, id).await);
    }
    answers
}

async fn ask_http1(world: &World, requests: &[u8]) -> String {
    let mut stream = world.connect_tls(&format!("{API_AT}:443"), API, &["http/1.1"]).await;
    stream.write_all(requests).await.unwrap();
    // The first answer may take long on a busy machine.
    let first = timeout(Duration::from_secs(10), stream.read_u8()).await;
    let Ok(Ok(first)) = first else { return String::new() };
    char::from(first).to_string() + &talk(stream, b"").await
}

fn is_ok(answer: &Frame) -> bool {
    answer.kind == HEADERS && answer.payload.first() == Some(&0x88)
}

#[tokio::test]
async fn odd_targets_arrive_byte_for_byte_over_http2() {
    for http2 in [false, true] {
        let world = World::under(&[allow("https://api.example.com/**")]).await;
        let (seen, blocks) = servers(&world, http2).await;
        let asked: Vec<_> = TARGETS.iter().map(|target| block(&[&path(0, target)])).collect();
        let answers = ask_http2(&world, &asked).await;
        assert!(answers.iter().all(is_ok), "to HTTP/2: {http2}");
        assert_eq!(targets(&seen, &blocks), TARGETS, "to HTTP/2: {http2}");
    }
}

#[tokio::test]
async fn odd_targets_arrive_byte_for_byte_over_http1() {
    for http2 in [false, true] {
        let world = World::under(&[allow("https://api.example.com/**")]).await;
        let (seen, blocks) = servers(&world, http2).await;
        let requests: Vec<_> = TARGETS.iter().map(|target| get(target, b"")).collect();
        let answer = ask_http1(&world, &requests.concat()).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), TARGETS.len(), "{answer}");
        assert_eq!(targets(&seen, &blocks), TARGETS, "to HTTP/2: {http2}");
    }
}

/// Some clients put paths into the dynamic table and name them by their place there.
#[tokio::test]
async fn odd_targets_in_the_table_of_a_client_arrive_too() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let (seen, blocks) = servers(&world, false).await;
    let kept = |target: &[u8]| block(&[&path(0x40, target)]);
    let indexed = |index: u8| block(&[&[0x80 | index]]);
    let mut asked =
        vec![kept(b"/1"), kept(b"/2<"), kept(b"/3"), indexed(62), indexed(63), indexed(64)];
    let mut expected: Vec<Vec<u8>> =
        ["/1", "/2<", "/3", "/3", "/2<", "/1"].map(|path| path.as_bytes().to_vec()).to_vec();
    // The name of an entry with another value, and more than fits into the table.
    asked.push(block(&[&[&[0x0f, 62 - 15][..], &frames::text(b"/4\xff")].concat()]));
    expected.push(b"/4\xff".to_vec());
    for at in 0..200 {
        let target = format!("/many<{at}").into_bytes();
        asked.extend([kept(&target), indexed(62)]);
        expected.extend([target.clone(), target]);
    }
    let answers = ask_http2(&world, &asked).await;
    assert!(answers.iter().all(is_ok));
    assert_eq!(targets(&seen, &blocks), expected);
}

#[tokio::test]
async fn nobody_but_the_target_says_what_a_target_is() {
    let deny = rule("Deny", "network.request", "https://api.example.com/admin/**");
    let rules = [allow("https://api.example.com/**"), deny];
    for http2 in [false, true] {
        let world = World::under(&rules).await;
        let (seen, blocks) = servers(&world, http2).await;
        let mut expected: Vec<Vec<u8>> = Vec::new();
        let mut requests = Vec::new();
        for (name, value) in [
            ("exeat-target", &b"/admin/x"[..]),
            ("Exeat-Target", b"/admin/x"),
            ("EXEAT-TARGET", b"/admin/<"),
            ("exeat-target", b"/a<"),
            ("exeat-target", b""),
        ] {
            let line = [name.as_bytes(), b": ", value, b"\r\n"].concat();
            for target in [&b"/a"[..], b"/b<"] {
                requests.extend(get(target, &[&line[..], &line].concat()));
                expected.push(target.to_vec());
            }
        }
        // This is no lie: both are the same target.
        requests.extend(get(b"/c%3C", b"exeat-target: /c<\r\n"));
        expected.push(b"/c<".to_vec());
        let answer = ask_http1(&world, &requests).await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), expected.len(), "{answer}");
        assert_eq!(targets(&seen, &blocks), expected, "over HTTP/1");

        let forged = |value: &[u8]| header("exeat-target", value);
        let asked = [
            block(&[&path(0, b"/a"), &forged(b"/admin/x")]),
            block(&[&path(0, b"/b<"), &forged(b"/admin/<"), &forged(b"/admin/x")]),
            block(&[&path(0, b"/c%3C"), &forged(b"/c<")]),
        ];
        assert!(ask_http2(&world, &asked).await.iter().all(is_ok));
        assert_eq!(targets(&seen, &blocks), [&b"/a"[..], b"/b<", b"/c<"], "over HTTP/2");

        // And a target that is denied is denied.
        let answer = ask_http1(&world, &get(b"/admin/<", b"exeat-target: /a<\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        let asked = [block(&[&path(0, b"/admin/<"), &forged(b"/a<")])];
        assert!(ask_http2(&world, &asked).await.iter().all(|answer| !is_ok(answer)));
        assert_eq!(targets(&seen, &blocks).len(), 0);
    }
}

#[tokio::test]
async fn a_marker_in_trailers_or_with_line_ends_goes_nowhere() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let (seen, blocks) = servers(&world, true).await;
    let chunked = b"Transfer-Encoding: chunked\r\nTrailer: exeat-target\r\n";
    let request = [
        &b"POST /a< HTTP/1.1\r\nHost: api.example.com\r\n"[..],
        chunked,
        b"\r\n1\r\nx\r\n0\r\nExeat-Target: /b<\r\nX-Sum: 1\r\n\r\n",
    ];
    let said = ask_http1(&world, &request.concat()).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    let mut stream = world.connect_tls(&format!("{API_AT}:443"), API, &["h2"]).await;
    let head = [&block(&[&path(0, b"/a<")])[..], &header("trailer", b"exeat-target")].concat();
    let trailers = [header("exeat-target", b"/b<"), header("x-sum", b"1")].concat();
    let request = [
        PREFACE.to_vec(),
        frame(4, 0, 0, b""),
        frame(HEADERS, END_HEADERS, 1, &head),
        frame(DATA, 0, 1, b"x"),
        frame(HEADERS, WHOLE, 1, &trailers),
    ];
    stream.write_all(&request.concat()).await.unwrap();
    assert!(is_ok(&answer(&mut stream, 1).await));
    assert_eq!(blocks.lock().unwrap().len(), 4, "two heads and two trailers");
    assert_eq!(targets(&seen, &blocks), [b"/a<", b"/a<"]);
    let answer = ask_http1(&world, &get(b"/a", b"exeat-target: /a\rb\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let line_end = block(&[&path(0, b"/a"), &header("exeat-target", b"/a\r\nx: y")]);
    assert!(!is_ok(&ask_http2(&world, &[line_end]).await[0]));
    assert_eq!(targets(&seen, &blocks).len(), 0);
}

#[tokio::test]
async fn what_no_target_may_have_is_refused_over_both() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let (seen, blocks) = servers(&world, false).await;
    for target in [&b"/a<\0"[..], b"/a<\r", b"/a<\n", b"/a <", b"/a<\x7f", b"/a<?\t", b"/a<%00"] {
        let answer = ask_http1(&world, &get(target, b"")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{target:?}: {answer}");
        let answers = ask_http2(&world, &[block(&[&path(0, target)])]).await;
        assert!(!is_ok(&answers[0]), "{target:?}");
    }
    assert_eq!(targets(&seen, &blocks).len(), 0);
    // What is behind `#` is for the client alone, over both.
    let answer = ask_http1(&world, &get(b"/a<?b#c<", b"")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(targets(&seen, &blocks), [b"/a<?b"]);
    assert!(is_ok(&ask_http2(&world, &[block(&[&path(0, b"/a<?b#c<")])]).await[0]));
    assert_eq!(targets(&seen, &blocks), [b"/a<?b"]);
}

#[tokio::test]
async fn a_path_that_is_collapsed_goes_out_in_its_known_form() {
    let world = World::under(&[allow("https://api.example.com/v1/**")]).await;
    let (seen, blocks) = servers(&world, false).await;
    let answer = ask_http1(&world, &get(b"//v1/../v1/a<?b<", b"")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(targets(&seen, &blocks), [b"/v1/a%3C?b%3C"]);
    assert!(world.records().await.contains("https://api.example.com/v1/a%3C\""));
}

#[tokio::test]
async fn as_many_headers_as_ever_and_no_more() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let (seen, blocks) = servers(&world, false).await;
    let lines = |count: usize| "x: y\r\n".repeat(count).into_bytes();
    // And the host makes 256.
    let answer = ask_http1(&world, &get(b"/a<", &lines(255))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(targets(&seen, &blocks), [b"/a<"]);
    for target in [&b"/a<"[..], b"/a"] {
        let answer = ask_http1(&world, &get(target, &lines(256))).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    // Near the limit of 64 KiB, most of it odd.
    let long = |length: usize| [b"/?".to_vec(), vec![b'<'; length]].concat();
    let answer = ask_http1(
        &world,
        &get(&long(21_000), &[b"x: ", &vec![b'y'; 44_000][..], b"\r\n"].concat()),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(targets(&seen, &blocks).len(), 1);
    assert_eq!(targets(&seen, &blocks).len(), 0);
}

#[tokio::test]
async fn a_websocket_is_asked_for_by_its_own_target() {
    let world = World::under(&[allow("wss://api.example.com/**")]).await;
    let (seen, blocks) = servers(&world, false).await;
    let lines = b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n";
    ask_http1(&world, &get(b"/socket?<\xff>", lines)).await;
    assert_eq!(targets(&seen, &blocks), [b"/socket?<\xff>"]);
}

#[tokio::test]
async fn what_a_server_did_not_process_is_sent_again_as_it_was() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let listener = world.server(443).await;
    let acceptor = TlsAcceptor::from(Arc::new(world.server_config(API)));
    let blocks = Blocks::default();
    let of_server = blocks.clone();
    tokio::spawn(async move {
        // The first connection refuses its first stream, and then its server has left.
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.unwrap();
        stream.write_all(&frame(4, 0, 0, b"")).await.unwrap();
        while let Some(got) = frames::read_frame(&mut stream).await {
            if got.kind == HEADERS {
                of_server.lock().unwrap().push(got.payload);
                let refused = frame(RESET, 0, got.stream, &7_u32.to_be_bytes());
                let leaving = frame(GO_AWAY, 0, 0, &[0; 8]);
                stream.write_all(&[refused, leaving].concat()).await.unwrap();
                break;
            }
        }
        let (stream, _) = listener.accept().await.unwrap();
        frames::serve(acceptor.accept(stream).await.unwrap(), of_server).await;
    });
    assert!(is_ok(&ask_http2(&world, &[block(&[&path(0, b"/a<\xff")])]).await[0]));
    assert_eq!(targets(&Seen::default(), &blocks), [b"/a<\xff", b"/a<\xff"]);
}

#[tokio::test]
async fn heads_over_the_limits_are_refused_for_their_length() {
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    let (seen, blocks) = servers(&world, false).await;
    let mut stream = world.connect_tls(&format!("{API_AT}:443"), API, &["h2"]).await;
    stream.write_all(&[PREFACE, &frame(4, 0, 0, b"")].concat()).await.unwrap();
    // An entry of 3 KiB, and a block that names it forty times.
    let entry = [&[0x40], &frames::text(b"x-long")[..], &frames::text(&[b'y'; 3000])].concat();
    let first = block(&[&path(0x40, b"/a<"), &entry]);
    stream.write_all(&frame(HEADERS, WHOLE, 1, &first)).await.unwrap();
    assert!(is_ok(&answer(&mut stream, 1).await));
    let bomb = block(&[&[0x80 | 63], &[0x80 | 62; 40][..]]);
    stream.write_all(&frame(HEADERS, WHOLE, 3, &bomb)).await.unwrap();
    let refused = answer(&mut stream, 3).await;
    assert!(!is_ok(&refused) && refused.kind != GO_AWAY, "{}", refused.kind);
    // The connection goes on.
    let next = block(&[&[0x80 | 63], &[0x80 | 62]]);
    let cut = next.len() / 2;
    let pieces = [
        frame(HEADERS, END_STREAM, 5, &next[..cut]),
        frame(CONTINUATION, END_HEADERS, 5, &next[cut..]),
    ];
    stream.write_all(&pieces.concat()).await.unwrap();
    assert!(is_ok(&answer(&mut stream, 5).await));
    assert_eq!(targets(&seen, &blocks), [b"/a<", b"/a<"]);
    // One that is itself too long ends it, for its table cannot be followed.
    let long = vec![0; 16 * 1024];
    let mut pieces = vec![frame(HEADERS, END_STREAM, 7, &long)];
    pieces.extend((0..5).map(|_| frame(CONTINUATION, 0, 7, &long)));
    let _ = stream.write_all(&pieces.concat()).await;
    assert!(!is_ok(&answer(&mut stream, 7).await));
    assert_eq!(targets(&seen, &blocks).len(), 0);
}
