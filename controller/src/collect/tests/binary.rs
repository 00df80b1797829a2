//! Binary batches, through the whole API.

use super::*;
use exeat_audit::batch::{self, CONTENT_TYPE, MAX_BATCH_BYTES};
use exeat_audit::chain::Link;
use exeat_audit::head::Seal;
use exeat_audit::time::Stamp;

impl Collector {
    async fn send(&self, token: &str, body: Vec<u8>) -> (StatusCode, Value) {
        let request = Request::post("/v1/audit").header("content-type", CONTENT_TYPE);
        self.call(token, request.body(body.into()).unwrap()).await
    }
}

/// Body of a batch of these entries after `previous`, signed over the link that they come to.
fn body(proxy: &Proxy, first: u64, previous: Link, entries: &[Entry]) -> Vec<u8> {
    let chain = proxy.writer.chain();
    let mut link = previous;
    for (seq, entry) in (first..).zip(entries) {
        link = link.next(seq, entry.record.as_bytes());
    }
    let last = (first + entries.len() as u64).wrapping_sub(1);
    let seal = Seal::sign(chain, last, link, Stamp::new(now()), &proxy.key);
    let records = entries.iter().map(|entry| entry.record.as_bytes());
    batch::compress(&batch::encode(chain, first, previous, records, &seal).unwrap()).unwrap()
}

fn start(proxy: &Proxy) -> Link {
    Link::start(proxy.writer.chain())
}

fn link(entry: &Entry) -> Link {
    entry.link.parse().unwrap()
}

#[tokio::test]
async fn a_binary_batch_is_stored_once_with_the_links_of_its_chain() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let mut entries = proxy.begin().entries;
    for _ in 0..2 {
        let sent = collector.send("proxy-1", body(&proxy, 0, start(&proxy), &entries)).await;
        assert_eq!((sent.0, seq(&sent.1).seq), (StatusCode::OK, Some(2)), "{}", sent.1);
    }
    assert_eq!(collector.state.metrics.collect_entries.get(), 3);

    // What was sent already, from its middle on, and something new.
    entries.push(proxy.intent("Deny", "https://evil.example.net/2"));
    let again = body(&proxy, 1, link(&entries[0]), &entries[1..]);
    let (status, answer) = collector.send("proxy-1", again).await;
    assert_eq!((status, seq(&answer).seq), (StatusCode::OK, Some(3)), "{answer}");
    assert_eq!(collector.state.metrics.collect_entries.get(), 4);

    let (_, answer) = collector.get("auditor", "/v1/chains/uid-1/entries").await;
    let stored: Vec<Entry> = serde_json::from_value(answer["entries"].clone()).unwrap();
    assert_eq!(stored, entries);
    let (_, answer) = collector.get("auditor", "/v1/chains/uid-1/head").await;
    let head: SignedHead = serde_json::from_value(answer).unwrap();
    assert_eq!(head.verify(&proxy.key.public()), Ok(link(&entries[3])));
}

#[tokio::test]
async fn a_chain_that_began_in_json_goes_on_in_binary() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let begun = proxy.begin();
    assert_eq!(collector.post("proxy-1", &begun).await.0, StatusCode::OK);
    let next = proxy.intent("Allow", "https://api.example.com/v2");
    let sent = body(&proxy, 3, link(&begun.entries[2]), &[next]);
    let (status, answer) = collector.send("proxy-1", sent).await;
    assert_eq!((status, seq(&answer).seq), (StatusCode::OK, Some(3)), "{answer}");
}

#[tokio::test]
async fn a_batch_without_entries_is_a_sign_of_life() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let entries = proxy.begin().entries;
    collector.send("proxy-1", body(&proxy, 0, start(&proxy), &entries)).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    let (_, before) = collector.get("auditor", "/v1/chains/uid-1/head").await;
    let (status, answer) = collector.send("proxy-1", body(&proxy, 3, link(&entries[2]), &[])).await;
    assert_eq!((status, seq(&answer).seq), (StatusCode::OK, Some(2)), "{answer}");
    let (_, after) = collector.get("auditor", "/v1/chains/uid-1/head").await;
    assert!(before["time"].as_str() < after["time"].as_str(), "{before} {after}");

    let next = proxy.intent("Allow", "https://api.example.com/v2");
    let (status, _) = collector.send("proxy-1", body(&proxy, 4, link(&next), &[])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "it covers what is not stored");
}

#[tokio::test]
async fn another_continuation_than_the_stored_one_is_a_fork() {
    for first in [0, 1, 3] {
        let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
        let entries = proxy.begin().entries;
        collector.send("proxy-1", body(&proxy, 0, start(&proxy), &entries)).await;
        // The chain's own key, over something that follows another link than is stored.
        let mut other = Proxy::new(1);
        let mut forged = vec![other.genesis()];
        forged.push(other.intent("Allow", "https://other.example/1"));
        forged.push(other.intent("Allow", "https://other.example/2"));
        forged.push(other.intent("Allow", "https://other.example/3"));
        let previous = match first {
            0 => start(&other),
            _ => Link::from([9; 32]),
        };
        let sent = body(&other, first as u64, previous, &forged[first..]);
        let (status, answer) = collector.send("proxy-1", sent).await;
        assert_eq!(status, StatusCode::CONFLICT, "{first}: {answer}");
        let (_, answer) = collector.get("auditor", "/v1/chains").await;
        assert_eq!(
            (&answer["chains"][0]["broken"], &answer["chains"][0]["entries"]),
            (&true.into(), &3.into())
        );
    }
}

#[tokio::test]
async fn a_binary_batch_that_does_not_verify_is_not_stored() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let entries = proxy.begin().entries;
    let good = body(&proxy, 0, start(&proxy), &entries);
    let edited = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = batch::decompress(&good, batch::Limits::COLLECTOR).unwrap();
        edit(&mut bytes);
        batch::compress(&bytes).unwrap()
    };
    let replaced = edited(|it| {
        let place = it.windows(5).position(|text| text == b"Allow").unwrap();
        it[place..place + 5].copy_from_slice(b"Alloy");
    });
    let cases = [
        ("record", replaced),
        ("link before", edited(|it| it[24] ^= 1)),
        ("signature", edited(|it| *it.last_mut().unwrap() ^= 1)),
        ("not UTF-8", edited(|it| it[70] = 0xff)),
        ("without start", body(&proxy, 1, link(&entries[0]), &entries[1..])),
        ("dropped", body(&proxy, 0, start(&proxy), &entries[1..])),
    ];
    let number = cases.len() as u64;
    for (name, sent) in cases {
        let (status, answer) = collector.send("proxy-1", sent).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {answer}");
    }
    assert_eq!(collector.rejected("unverified"), number);
    let (status, _) = collector.send("proxy-2", good.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(collector.send("proxy-1", good).await.0, StatusCode::OK);

    let lost = proxy.intent("Allow", "https://lost.example/");
    let kept = proxy.intent("Allow", "https://kept.example/");
    let (status, answer) = collector.send("proxy-1", body(&proxy, 4, link(&lost), &[kept])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["detail"], "entry 3 comes next");
}

#[tokio::test]
async fn folded_denials_are_counted_one_by_one() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let mut entries = proxy.begin().entries;
    let until = now() - 1000;
    let mut record = Record::intent(
        time::rfc3339(until - 5000),
        9,
        "network.request",
        "https://flood.example/",
        "Deny",
        "Rule",
    );
    record.rule = Some("Namespaced/agents/flooded/some-rule".to_owned());
    (record.count, record.until) = (Some(7), Some(time::rfc3339(until)));
    entries.push(proxy.writer.append(&record).unwrap());
    let (status, answer) =
        collector.send("proxy-1", body(&proxy, 0, start(&proxy), &entries)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let denied = collector.state.metrics.collect_denied.with_label_values(&["network.request"]);
    assert_eq!(denied.get(), 8);
    assert_eq!(collector.state.metrics.collect_entries.get(), 4);
    let key = PolicyKey::of_rule("Namespaced/agents/flooded/some-rule").unwrap();
    let last = collector.state.last_denials().of(&key).unwrap();
    assert_eq!(last.time, time::rfc3339(until), "the last one's time");
    let path = format!("/v1/records?filter=since:{}+effect:Deny", time::rfc3339(until));
    let (_, answer) = collector.get("auditor", &path).await;
    let found = answer["records"].as_array().unwrap();
    assert!(found.iter().any(|it| it["record"]["count"] == 7), "{answer}");
}

#[tokio::test]
async fn bodies_of_other_forms_are_refused() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let batch = serde_json::to_vec(&proxy.begin()).unwrap();
    let bomb = batch::compress(&vec![0; MAX_BATCH_BYTES + 1]).unwrap();
    for (kind, body, status) in [
        ("text/plain", batch.clone(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (CONTENT_TYPE, batch.clone(), StatusCode::BAD_REQUEST),
        (CONTENT_TYPE, batch::compress(&batch).unwrap(), StatusCode::BAD_REQUEST),
        (CONTENT_TYPE, bomb, StatusCode::PAYLOAD_TOO_LARGE),
        ("Application/JSON; charset=utf-8", batch, StatusCode::OK),
    ] {
        let request = Request::post("/v1/audit").header("content-type", kind);
        let (got, answer) = collector.call("proxy-1", request.body(body.into()).unwrap()).await;
        assert_eq!(got, status, "{kind}: {answer}");
    }
    assert_eq!(collector.rejected("malformed"), 4);
}
