use super::*;
use http_body::Frame;
use http_body_util::{Full, StreamBody};

fn patterns(list: &[&str]) -> Vec<Arc<BodyPatterns>> {
    let list: Vec<String> = list.iter().map(|one| (*one).to_owned()).collect();
    vec![Arc::new(BodyPatterns::compile(&list).unwrap())]
}

fn stop() -> Option<Refusal> {
    Some(Refusal::BodyPattern { rule: None, reason: "no".to_owned() })
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
    let budget = Budget::default();
    let held = hold(Full::from("hello"), patterns(&["secret"]), &budget, stop());
    let held = held.await.unwrap();
    assert_eq!(
        held.digest.as_deref(),
        Some("sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    );
    assert_eq!(send(held).await.unwrap(), b"hello");

    let chunks: Chunks = (0..100).map(|n| Bytes::from(format!("chunk {n} "))).collect();
    let whole = chunks.concat();
    let held = hold(stream(chunks), patterns(&["secret"]), &budget, stop());
    assert_eq!(send(held.await.unwrap()).await.unwrap(), whole);
}

#[tokio::test]
async fn a_match_is_found_wherever_the_chunks_are_cut() {
    let budget = Budget::default();
    let text = b"{\"k\": \"my SeCrEt\"}";
    for at in 0..text.len() {
        let chunks = vec![Bytes::from(text[..at].to_vec()), Bytes::from(text[at..].to_vec())];
        let held = hold(stream(chunks), patterns(&["secret"]), &budget, stop()).await;
        assert_eq!(held.err(), stop(), "{at}");
    }
}

#[tokio::test]
async fn what_matches_late_never_leaves() {
    let budget = Budget::default();
    let mut chunks: Chunks = (0..12 * 16).map(|_| Bytes::from(vec![b'a'; UNIT])).collect();
    let whole = chunks.concat();
    let held = hold(stream(chunks.clone()), patterns(&["secret"]), &budget, stop());
    assert_eq!(send(held.await.unwrap()).await.unwrap(), whole);

    chunks.push(Bytes::from_static(b"sec"));
    chunks.push(Bytes::from_static(b"ret"));
    let held = hold(stream(chunks), patterns(&["secret"]), &budget, stop());
    let sent = send(held.await.unwrap()).await.unwrap_err();
    assert!(sent.len() <= whole.len() - LAG + UNIT, "{}", sent.len());
    assert!(!sent.windows(3).any(|three| three == b"sec"));
}

#[tokio::test]
async fn the_budget_is_given_back() {
    let budget = Budget::default();
    for _ in 0..20 {
        let chunks: Chunks = (0..9 * 16).map(|_| Bytes::from(vec![b'a'; UNIT])).collect();
        let held = hold(stream(chunks), patterns(&["secret"]), &budget, stop()).await.unwrap();
        send(held).await.unwrap();
    }
    // The task behind the last body may end a moment after its last byte was read.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(budget.0.available_permits(), BUDGET_UNITS);
}

#[tokio::test]
async fn an_empty_budget_refuses() {
    let budget = Budget::default();
    let _all = budget.take(BUDGET_UNITS * UNIT).await.unwrap();
    let held = hold(Full::from("hello"), patterns(&["secret"]), &budget, stop()).await;
    assert_eq!(held.err(), Some(Refusal::Overloaded));
}

#[tokio::test]
async fn a_body_that_stalls_is_refused() {
    let budget = Budget::default();
    let never = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, std::io::Error>>());
    let held = hold(never, patterns(&["secret"]), &budget, stop()).await;
    assert_eq!(held.err(), Some(Refusal::BodyTimeout));
}
