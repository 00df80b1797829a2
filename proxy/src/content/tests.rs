use super::*;
use exeat_policy::Code;
use exeat_policy::body::BodyPatterns;
use http_body::Frame;
use http_body_util::{Full, StreamBody};

fn terms(framing: Framing) -> Terms {
    let body = Some(BodyPatterns::compile(&["secret".to_owned()]).unwrap());
    let media = match framing {
        Framing::Whole => Media::default(),
        Framing::Messages => Media::of("application/grpc"),
    };
    let rules = vec![Arc::new(Content { body, ..Content::default() })];
    let refuse = Some(Box::new(|_: &Found| stop().unwrap()) as Refuse);
    Terms { rules, media, framing, strict: true, refuse }
}

fn stop() -> Option<Refusal> {
    let (code, reason) = (Code::BodyPattern, "no".to_owned());
    Some(Refusal::Content { code, rule: None, reason })
}

type Chunks = Vec<Bytes>;

fn stream(chunks: Chunks) -> impl Body<Data = Bytes, Error = std::io::Error> + Unpin + Send {
    StreamBody::new(futures::stream::iter(chunks.into_iter().map(|chunk| Ok(Frame::data(chunk)))))
}

/// What leaves of a body, and whether it was cut off.
async fn send(mut inspected: Inspected) -> Result<Vec<u8>, Vec<u8>> {
    let mut out: Vec<u8> = inspected.chunks.iter().flatten().copied().collect();
    let Some(rest) = &mut inspected.rest else { return Ok(out) };
    while let Some(chunk) = rest.recv().await {
        match chunk {
            Ok(chunk) => out.extend_from_slice(&chunk),
            Err(_) => return Err(out),
        }
    }
    Ok(out)
}

#[tokio::test]
async fn a_good_body_goes_out_unchanged() {
    let memory = Memory::of(64 << 20);
    let held = hold(Full::from("hello"), terms(Framing::Whole), &memory);
    let held = held.await.unwrap();
    assert_eq!(
        held.digest.as_deref(),
        Some("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    );
    assert_eq!(send(held).await.unwrap(), b"hello");

    let chunks: Chunks = (0..100).map(|n| Bytes::from(format!("chunk {n} "))).collect();
    let whole = chunks.concat();
    let held = hold(stream(chunks), terms(Framing::Whole), &memory);
    assert_eq!(send(held.await.unwrap()).await.unwrap(), whole);
}

#[tokio::test]
async fn a_match_is_found_wherever_the_chunks_are_cut() {
    let memory = Memory::of(64 << 20);
    let text = b"{\"k\": \"my SeCrEt\"}";
    for at in 0..text.len() {
        let chunks = vec![Bytes::from(text[..at].to_vec()), Bytes::from(text[at..].to_vec())];
        let held = hold(stream(chunks), terms(Framing::Whole), &memory).await;
        assert_eq!(held.err(), stop(), "{at}");
    }
}

#[tokio::test]
async fn what_matches_late_never_leaves() {
    let memory = Memory::of(64 << 20);
    let mut chunks: Chunks = (0..12 * 16).map(|_| Bytes::from(vec![b'a'; STEP])).collect();
    let whole = chunks.concat();
    let held = hold(stream(chunks.clone()), terms(Framing::Whole), &memory);
    assert_eq!(send(held.await.unwrap()).await.unwrap(), whole);

    chunks.push(Bytes::from_static(b"sec"));
    chunks.push(Bytes::from_static(b"ret"));
    let held = hold(stream(chunks), terms(Framing::Whole), &memory);
    let sent = send(held.await.unwrap()).await.unwrap_err();
    assert!(sent.len() <= whole.len() - LAG + STEP, "{}", sent.len());
    assert!(!sent.windows(3).any(|three| three == b"sec"));
}

#[tokio::test]
async fn the_budget_is_given_back() {
    let memory = Memory::of(64 << 20);
    for _ in 0..20 {
        let chunks: Chunks = (0..9 * 16).map(|_| Bytes::from(vec![b'a'; STEP])).collect();
        let held = hold(stream(chunks), terms(Framing::Whole), &memory).await.unwrap();
        send(held).await.unwrap();
    }
    // The task behind the last body may end a moment after its last byte was read.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(memory.is_free());
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_refuses() {
    let memory = Memory::of(64 << 20);
    let _all = memory.take(memory.total()).await.unwrap();
    let held = hold(Full::from("hello"), terms(Framing::Whole), &memory).await;
    assert_eq!(held.err(), Some(Refusal::Overloaded));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_refused() {
    let memory = Memory::of(64 << 20);
    let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
    let held = hold(never, terms(Framing::Whole), &memory).await;
    assert_eq!(held.err(), Some(Refusal::BodyTimeout));
}

fn message(text: &[u8]) -> Bytes {
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
    message.extend_from_slice(text);
    message.into()
}

/// A body that a test writes to while it is read.
fn written()
-> (mpsc::UnboundedSender<Bytes>, impl Body<Data = Bytes, Error = std::io::Error> + Unpin + Send) {
    let (writer, mut chunks) = mpsc::unbounded_channel();
    let chunks = futures::stream::poll_fn(move |cx| chunks.poll_recv(cx));
    let frames = futures::StreamExt::map(chunks, |chunk| Ok(Frame::data(chunk)));
    (writer, StreamBody::new(frames))
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_for_ten_minutes_is_a_body() {
    let (writer, body) = written();
    tokio::spawn(async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            writer.send(Bytes::from_static(b"a")).unwrap();
        }
    });
    let memory = Memory::of(64 << 20);
    let held = hold(body, terms(Framing::Whole), &memory);
    assert_eq!(send(held.await.unwrap()).await.unwrap(), b"aaaaaaaaaa");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_between_messages_is_read_burst_by_burst() {
    let (writer, body) = written();
    let memory = Memory::of(64 << 20);
    let held = hold(body, terms(Framing::Messages), &memory);
    writer.send(message(b"ping 1")).unwrap();
    let mut rest = held.await.unwrap().rest.unwrap();
    assert_eq!(rest.recv().await.unwrap().unwrap(), message(b"ping 1"));
    // Half of a message is not passed on, however long it takes.
    let second = message(b"ping 2");
    writer.send(second.slice(..7)).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(rest.try_recv().is_err());
    writer.send(second.slice(7..)).unwrap();
    let mut got = Vec::new();
    while got.len() < second.len() {
        got.extend_from_slice(&rest.recv().await.unwrap().unwrap());
    }
    assert_eq!(got, second);
    // Nor is anything of a burst that holds what must not leave.
    writer.send(message(b"harmless")).unwrap();
    writer.send(message(b"my sec")).unwrap();
    writer.send(message(b"a secret")).unwrap();
    assert_eq!(rest.recv().await.unwrap().err(), stop());
    assert!(rest.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_sent_at_once_is_held_whole() {
    let memory = Memory::of(64 << 20);
    let call = vec![message(b"one"), message(b"two")];
    let whole = call.concat();
    let held = hold(stream(call), terms(Framing::Messages), &memory);
    let held = held.await.unwrap();
    assert!(held.rest.is_none() && held.digest.is_some());
    assert_eq!(send(held).await.unwrap(), whole);
    let call = vec![Bytes::from_static(b"\x01\0\0\0\x01z")];
    let held = hold(stream(call), terms(Framing::Messages), &memory);
    assert!(matches!(held.await.err(), Some(Refusal::Encoding(_))), "compressed");
}

/// What is compressed is read as what it stands for, and goes out as it came.
#[tokio::test]
async fn what_is_compressed_is_decoded_to_be_read() {
    use std::io::Write;
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        Bytes::from(encoder.finish().unwrap())
    };
    let memory = Memory::of(64 << 20);
    let terms = || Terms {
        media: Media { content_encoding: Some("gzip".to_owned()), ..Media::default() },
        ..terms(Framing::Whole)
    };
    let good = gzip(b"harmless");
    let held = hold(Full::from(good.clone()), terms(), &memory).await.unwrap();
    assert_eq!(send(held).await.unwrap(), good);
    let held = hold(Full::from(gzip(b"my secret")), terms(), &memory).await;
    assert_eq!(held.err(), stop());
    let cut = gzip(b"my harmless words").slice(..20);
    let held = hold(Full::from(cut), terms(), &memory).await;
    assert!(matches!(held.err(), Some(Refusal::Encoding(what)) if what.contains("gzip")));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(memory.is_free());
}

/// Policies that observe let everything pass, and say what they would have refused.
#[tokio::test]
async fn what_nobody_refuses_is_noted() {
    let memory = Memory::of(64 << 20);
    let terms = Terms { refuse: None, ..terms(Framing::Whole) };
    let held = hold(Full::from("my secret"), terms, &memory).await.unwrap();
    assert!(matches!(&held.matched, Some(Matched::Found(found)) if found.place == "body"));
    assert_eq!(send(held).await.unwrap(), b"my secret");
}
