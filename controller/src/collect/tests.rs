//! The whole API, without a socket.

use super::*;
use crate::identity::{IdentityError, Reviewer, User};
use axum::body::Body;
use exeat_api::audiences;
use exeat_audit::batch::Acknowledged;
use exeat_audit::batch::json::JsonBatch;
use exeat_audit::chain::{ChainWriter, Entry};
use exeat_audit::head::SignedHead;
use exeat_audit::key::SigningKey;
use exeat_audit::record::{Genesis, Record};
use exeat_audit::time;
use futures::future::BoxFuture;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// `proxy-N` is the proxy of the pod `uid-N`; `auditor` may read everything, `agents-only` one
/// namespace.
struct Fake;

impl Reviewer for Fake {
    fn user<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<User>, IdentityError>> {
        Box::pin(async move {
            let mut user = User { username: token.to_owned(), ..User::default() };
            match (token.strip_prefix("proxy-"), audiences) {
                (Some(number), [audiences::PROXY]) => {
                    user.username = "system:serviceaccount:agents:research".to_owned();
                    let key = |name: &str| format!("authentication.kubernetes.io/{name}");
                    user.extra.insert(key("pod-name"), vec![format!("research-{number}")]);
                    user.extra.insert(key("pod-uid"), vec![format!("uid-{number}")]);
                    Ok(Some(user))
                }
                (None, [audiences::AUDIT]) if token != "unknown" => Ok(Some(user)),
                _ => Ok(None),
            }
        })
    }

    fn may_read_audit<'a>(
        &'a self,
        user: &'a User,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, IdentityError>> {
        Box::pin(async move {
            Ok(user.username == "auditor"
                || (user.username == "agents-only" && namespace == Some("agents")))
        })
    }
}

mod binary;

struct Collector {
    state: CollectState,
    directory: tempfile::TempDir,
}

/// A pod's side.
struct Proxy {
    number: u32,
    writer: ChainWriter,
    key: SigningKey,
    ids: u64,
}

impl Collector {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = open(&directory);
        Self { state, directory }
    }

    fn reopened(self) -> Self {
        let state = open(&self.directory);
        Self { state, directory: self.directory }
    }

    async fn call(&self, token: &str, request: Request<Body>) -> (StatusCode, Value) {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let request = Request::from_parts(parts, body);
        let response = router(self.state.clone()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, token: &str, path: &str) -> (StatusCode, Value) {
        self.call(token, Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, token: &str, batch: &JsonBatch) -> (StatusCode, Value) {
        let body = serde_json::to_vec(batch).unwrap();
        self.call(token, Request::post("/v1/audit").body(body.into()).unwrap()).await
    }

    fn rejected(&self, reason: &str) -> u64 {
        self.state.metrics.collect_rejected.with_label_values(&[reason]).get()
    }
}

fn open(directory: &tempfile::TempDir) -> CollectState {
    let config = CollectConfig { database: directory.path().join("audit.db") };
    let identities = Arc::new(Identities::judged_by(Arc::new(Fake)));
    CollectState::open(&config, Metrics::new().unwrap(), identities).unwrap()
}

impl Proxy {
    fn new(number: u32) -> Self {
        let chain = format!("uid-{number}").parse().unwrap();
        let key = SigningKey::from_seed(&[u8::try_from(number).unwrap(); 32]);
        Self { number, writer: ChainWriter::start(chain), key, ids: 0 }
    }

    fn token(&self) -> String {
        format!("proxy-{}", self.number)
    }

    fn genesis(&mut self) -> Entry {
        let genesis = Genesis {
            pod_uid: format!("uid-{}", self.number),
            pod_name: format!("research-{}", self.number),
            namespace: "agents".to_owned(),
            service_account: "research".to_owned(),
            node: "node-1".to_owned(),
            image: "exeat-proxy:test".to_owned(),
            public_key: self.key.public().to_hex(),
            policy: String::new(),
        };
        self.writer.append(&Record::genesis(time::rfc3339(now()), genesis)).unwrap()
    }

    fn intent(&mut self, effect: &str, resource: &str) -> Entry {
        self.ids += 1;
        let mut record = Record::intent(
            time::rfc3339(now()),
            self.ids,
            "network.request",
            resource,
            effect,
            "Rule",
        );
        record.rule = Some("Namespaced/agents/research/some-rule".to_owned());
        self.writer.append(&record).unwrap()
    }

    fn batch(&self, entries: Vec<Entry>) -> JsonBatch {
        let head = self.writer.head(&time::rfc3339(now()), &self.key).unwrap();
        JsonBatch { chain: format!("uid-{}", self.number), entries, head }
    }

    fn begin(&mut self) -> JsonBatch {
        let entries = vec![
            self.genesis(),
            self.intent("Allow", "https://api.example.com/v1"),
            self.intent("Deny", "https://evil.example.net:8443/up?"),
        ];
        self.batch(entries)
    }
}

fn seq(answer: &Value) -> Acknowledged {
    serde_json::from_value(answer.clone()).unwrap()
}

#[tokio::test]
async fn what_is_delivered_is_stored_once_and_found_again() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let (status, answer) = collector.get("proxy-1", "/v1/audit/head").await;
    assert_eq!((status, seq(&answer).seq), (StatusCode::OK, None));

    let first = proxy.begin();
    for _ in 0..2 {
        let (status, answer) = collector.post("proxy-1", &first).await;
        assert_eq!((status, seq(&answer).seq), (StatusCode::OK, Some(2)), "{answer}");
    }
    assert_eq!(collector.state.metrics.collect_entries.get(), 3);
    let denied = collector.state.metrics.collect_denied.with_label_values(&["network.request"]);
    assert_eq!(denied.get(), 1, "a repetition counts once");

    // A longer batch that begins with what is known adds the rest.
    let mut entries = first.entries.clone();
    entries.push(proxy.intent("Deny", "https://evil.example.net/2"));
    let (status, answer) = collector.post("proxy-1", &proxy.batch(entries)).await;
    assert_eq!((status, seq(&answer).seq), (StatusCode::OK, Some(3)), "{answer}");

    let collector = collector.reopened();
    let (_, answer) = collector.get("proxy-1", "/v1/audit/head").await;
    assert_eq!(seq(&answer).seq, Some(3));
    let path = "/v1/records?filter=action:network%20effect:Deny&last=1";
    let (_, answer) = collector.get("auditor", path).await;
    let found = answer["records"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["record"]["resource"], "https://evil.example.net/2");
    assert_eq!((&found[0]["pod"], &found[0]["seq"]), (&"research-1".into(), &3.into()));
}

#[tokio::test]
async fn filters_mean_the_same_in_sql_as_in_memory() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    collector.post("proxy-1", &proxy.begin()).await;
    for (filter, number) in [
        ("", 3),
        ("action:network", 2),
        ("action:net", 0),
        ("action:network.request", 2),
        ("host:evil.example.net", 1),
        ("host:*.example.com", 1),
        ("host:*.api.example.com", 0),
        ("rule:some-rule", 2),
        ("rule:research/some-rule", 2),
        ("rule:rule", 0),
        ("rule:%25", 0),
        ("kind:genesis", 1),
        ("pod:research-1 namespace:agents code:Rule", 2),
        ("since:1h effect:deny", 1),
        ("-action:network", 1),
        ("kind:intent -effect:deny", 1),
        ("-host:*.example.com", 2),
    ] {
        let path = format!("/v1/records?filter={}", filter.replace(' ', "+"));
        let (_, answer) = collector.get("auditor", &path).await;
        assert_eq!(answer["records"].as_array().unwrap().len(), number, "{filter}");
    }
    let (status, answer) = collector.get("auditor", "/v1/records?filter=verb:GET").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["detail"].as_str().unwrap().contains("keys are action"), "{answer}");
}

#[tokio::test]
async fn a_fork_is_refused_and_marks_the_chain() {
    let collector = Collector::new();
    let (mut one, mut other) = (Proxy::new(1), Proxy::new(1));
    let batch = one.begin();
    collector.post("proxy-1", &batch).await;

    let entries = vec![other.genesis(), other.intent("Allow", "https://other.example/")];
    let (status, _) = collector.post("proxy-1", &other.batch(entries)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(collector.rejected("fork"), 1);
    let (_, answer) = collector.get("auditor", "/v1/chains").await;
    assert_eq!(answer["chains"][0]["broken"], true);
    assert_eq!(answer["chains"][0]["entries"], 3, "what was stored first stays");
    collector.state.count_chains().await.unwrap();
    let broken = collector.state.metrics.collect_chains.with_label_values(&["broken"]);
    assert_eq!(broken.get(), 1);
}

#[tokio::test]
async fn what_does_not_verify_is_not_stored() {
    let collector = Collector::new();
    let good = Proxy::new(1).begin();
    type Edit = (&'static str, fn(&mut JsonBatch));
    let edits: [Edit; 6] = [
        ("edited", |it| it.entries[1].record = it.entries[1].record.replace("Allow", "Deny")),
        ("dropped", |it| drop(it.entries.remove(1))),
        ("reordered", |it| it.entries.swap(1, 2)),
        ("cut", |it| it.entries.truncate(2)),
        ("without start", |it| drop(it.entries.remove(0))),
        ("signed by nobody", |it| it.head.signature = "00".repeat(64)),
    ];
    for (name, edit) in edits {
        let mut batch = good.clone();
        edit(&mut batch);
        let (status, answer) = collector.post("proxy-1", &batch).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {answer}");
    }
    assert_eq!(collector.rejected("unverified"), 6);
    let (_, answer) = collector.get("proxy-1", "/v1/audit/head").await;
    assert_eq!(seq(&answer).seq, None);
    assert_eq!(collector.post("proxy-1", &good).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_gap_is_refused_with_what_comes_next() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    collector.post("proxy-1", &proxy.begin()).await;
    proxy.intent("Allow", "https://lost.example/");
    let entries = vec![proxy.intent("Allow", "https://kept.example/")];
    let (status, answer) = collector.post("proxy-1", &proxy.batch(entries)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["detail"], "entry 3 comes next");
}

#[tokio::test]
async fn nobody_writes_anothers_chain() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    let batch = proxy.begin();
    assert_eq!(collector.post("proxy-2", &batch).await.0, StatusCode::FORBIDDEN);
    assert_eq!(collector.post("auditor", &batch).await.0, StatusCode::UNAUTHORIZED);
    let renamed = JsonBatch {
        chain: "uid-2".to_owned(),
        head: SignedHead { chain: "uid-2".to_owned(), ..batch.head.clone() },
        ..batch
    };
    assert_eq!(collector.post("proxy-2", &renamed).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(proxy.token(), "proxy-1");
}

#[tokio::test]
async fn people_see_what_they_may() {
    let (collector, mut proxy) = (Collector::new(), Proxy::new(1));
    collector.post("proxy-1", &proxy.begin()).await;
    for (token, path, status) in [
        ("unknown", "/v1/records", StatusCode::UNAUTHORIZED),
        ("proxy-1", "/v1/records", StatusCode::UNAUTHORIZED),
        ("agents-only", "/v1/records", StatusCode::FORBIDDEN),
        ("agents-only", "/v1/chains?namespace=other", StatusCode::FORBIDDEN),
        ("agents-only", "/v1/records?namespace=agents", StatusCode::OK),
        ("agents-only", "/v1/chains/uid-1/head?namespace=agents", StatusCode::OK),
        ("auditor", "/v1/chains/uid-1/entries?after=0&limit=1", StatusCode::OK),
        ("auditor", "/v1/chains/uid-1/head?namespace=other", StatusCode::NOT_FOUND),
        ("auditor", "/v1/chains/uid-9/head", StatusCode::NOT_FOUND),
        ("auditor", "/v1/records?last=many", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(collector.get(token, path).await.0, status, "{token} {path}");
    }
    let (_, answer) = collector.get("auditor", "/v1/chains/uid-1/entries?after=0&limit=1").await;
    assert_eq!(answer["entries"][0]["seq"], 1);
}

#[tokio::test]
async fn bodies_that_are_no_batch_are_refused() {
    let collector = Collector::new();
    for (body, status) in [
        (Vec::new(), StatusCode::BAD_REQUEST),
        (b"{\"chain\":1}".to_vec(), StatusCode::BAD_REQUEST),
        (vec![b' '; 5 * 1024 * 1024], StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let request = Request::post("/v1/audit").body(body.into()).unwrap();
        assert_eq!(collector.call("proxy-1", request).await.0, status);
    }
    assert_eq!(collector.rejected("malformed"), 3);
}

#[tokio::test]
async fn many_at_once_are_all_stored() {
    let collector = Collector::new();
    let mut calls = Vec::new();
    for number in 1..=12 {
        let batch = Proxy::new(number).begin();
        let state = collector.state.clone();
        calls.push(tokio::spawn(async move {
            let body = serde_json::to_vec(&batch).unwrap();
            let request = Request::post("/v1/audit")
                .header("authorization", format!("Bearer proxy-{number}"))
                .body(Body::from(body))
                .unwrap();
            router(state).oneshot(request).await.unwrap().status()
        }));
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    collector.state.count_chains().await.unwrap();
    let open = collector.state.metrics.collect_chains.with_label_values(&["open"]);
    assert_eq!(open.get(), 12);
    let key = PolicyKey::of_rule("Namespaced/agents/research/some-rule").unwrap();
    assert_eq!(collector.state.last_denials().of(&key).unwrap().resource, "evil.example.net");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Version(99))));
}

#[tokio::test]
async fn bodies_that_are_sent_slowly_shut_nobody_else_out() {
    let collector = Collector::new();
    let never = || Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let mut held = Vec::new();
    for number in 10..30 {
        let request = Request::post("/v1/audit")
            .header("authorization", format!("Bearer proxy-{number}"))
            .body(never())
            .unwrap();
        let call = router(collector.state.clone()).oneshot(request);
        held.push(tokio::spawn(async move { call.await.unwrap().status() }));
    }
    for _ in 0..200 {
        if collector.state.bodies.available_permits() == BODIES_BYTES / BODY_UNIT - held.len() * 64
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (status, answer) = collector.post("proxy-1", &Proxy::new(1).begin()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let request = Request::post("/v1/audit").body(never()).unwrap();
    let second = tokio::time::timeout(Duration::from_secs(5), collector.call("proxy-10", request));
    assert_eq!(second.await.unwrap().0, StatusCode::TOO_MANY_REQUESTS, "one at a time");
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_clock_that_runs_ahead_owns_neither_the_newest_records_nor_a_status() {
    let (collector, mut ahead, mut honest) = (Collector::new(), Proxy::new(9), Proxy::new(1));
    let genesis = ahead.genesis();
    let mut record = Record::intent(
        "9999-12-31T23:59:59.999Z",
        1,
        "network.request",
        "https://forged.example/",
        "Deny",
        "Rule",
    );
    record.rule = Some("Namespaced/agents/research/some-rule".to_owned());
    let forged = ahead.writer.append(&record).unwrap();
    let batch = ahead.batch(vec![genesis, forged]);
    assert_eq!(collector.post("proxy-9", &batch).await.0, StatusCode::OK);
    let key = PolicyKey::of_rule("Namespaced/agents/research/some-rule").unwrap();
    let shown = time::parse(&collector.state.last_denials().of(&key).unwrap().time).unwrap();
    assert!(shown <= now(), "the time of receipt is shown");

    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(collector.post("proxy-1", &honest.begin()).await.0, StatusCode::OK);
    assert_eq!(collector.state.last_denials().of(&key).unwrap().resource, "evil.example.net");
    let (_, answer) = collector.get("auditor", "/v1/records?filter=effect:deny&last=1").await;
    assert_eq!(answer["records"][0]["pod"], "research-1");
    let (_, answer) = collector.get("auditor", "/v1/chains/uid-9/entries?after=0").await;
    let kept = answer["entries"][0]["record"].as_str().unwrap();
    assert!(kept.contains("9999-12-31T23:59:59.999Z"), "what was signed stays: {kept}");
}

#[test]
fn queries_are_read_as_clients_write_them() {
    use axum::extract::Query;
    use exeat_api::messages::{PageQuery, RecordsQuery};
    let records = RecordsQuery {
        filter: "host:*.example.com rule:a/b -code:x+y&last=1#%".to_owned(),
        last: Some(3),
        namespace: Some("agents".to_owned()),
    };
    let Query(read) = Query::try_from_uri(&records.request().parse().unwrap()).unwrap();
    assert_eq!(records, read);
    for after in [None, Some(u64::MAX)] {
        let page = PageQuery { after, limit: Some(1), namespace: None };
        let request = page.request(&paths::chain_entries("uid-1"));
        let Query(read) = Query::try_from_uri(&request.parse().unwrap()).unwrap();
        assert_eq!(page, read);
    }
}
