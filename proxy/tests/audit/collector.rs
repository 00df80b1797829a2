//! Shipping to a collector over TLS: one that takes what is sent only if it continues the chain.

use crate::{POD, intent, open};
use bytes::Bytes;
use exeat_audit::batch::{self, CONTENT_TYPE, Limits};
use exeat_audit::chain::{ChainId, Link};
use exeat_audit::key::PublicKey;
use exeat_audit::record::{Kind, Record, RecordRef};
use exeat_policy::snapshot::{AuditSettings, Durability, Snapshot};
use exeat_proxy::control::{Client, ControlConfig, Roots, ship};
use exeat_proxy::dial::Resolver;
use exeat_proxy::metrics::ProxyMetrics;
use exeat_proxy::spool::{AuditLog, Shipping};
use exeat_proxy::state::PolicyState;
use http::header::CONTENT_TYPE as CONTENT_TYPE_HEADER;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What the collector does with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    /// Its store is away.
    Refuses,
    /// It is of the version before, and knows JSON alone.
    IsOld,
}

struct Stored {
    records: Vec<Record>,
    link: Link,
    key: Option<PublicKey>,
}

struct Collector {
    url: String,
    roots: String,
    mood: watch::Sender<Mood>,
    /// How many batches came, taken or not.
    asked: watch::Sender<u64>,
    stored: Mutex<Stored>,
}

impl Collector {
    async fn start(mood: Mood) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let start = Link::start(&POD.parse::<ChainId>().unwrap());
        let collector = Arc::new(Self {
            url: format!("https://{}", listener.local_addr().unwrap()),
            roots: certificate.pem(),
            mood: watch::Sender::new(mood),
            asked: watch::Sender::new(0),
            stored: Mutex::new(Stored { records: Vec::new(), link: start, key: None }),
        });
        let (serving, acceptor) = (Arc::clone(&collector), TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (collector, acceptor) = (Arc::clone(&serving), acceptor.clone());
                tokio::spawn(async move {
                    let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                    let service = service_fn(move |request| {
                        let collector = Arc::clone(&collector);
                        async move { Ok::<_, Infallible>(collector.answer(request).await) }
                    });
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(stream, service)
                        .await
                        .ok();
                });
            }
        });
        collector
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let post = request.method() == Method::POST;
        if post {
            assert_eq!(request.headers()[CONTENT_TYPE_HEADER], CONTENT_TYPE);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mood = *self.mood.borrow();
            let refused = match mood {
                Mood::Takes => None,
                Mood::Refuses => Some(StatusCode::SERVICE_UNAVAILABLE),
                Mood::IsOld => Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            };
            if refused.is_none() {
                self.take(&body);
            }
            self.asked.send_modify(|asked| *asked += 1);
            if let Some(status) = refused {
                return Response::builder().status(status).body(Full::default()).unwrap();
            }
        }
        let seq = self.stored.lock().unwrap().records.len().checked_sub(1);
        let answer = serde_json::json!({ "seq": seq });
        Response::new(Full::new(Bytes::from(answer.to_string())))
    }

    /// Panics where a batch does not continue the chain, which fails the call.
    fn take(&self, body: &[u8]) {
        let plain = batch::decompress(body, Limits::COLLECTOR).unwrap();
        let batch = batch::decode(&plain, Limits::COLLECTOR).unwrap();
        let mut stored = self.stored.lock().unwrap();
        let mut records = Vec::new();
        let mut link = stored.link;
        assert_eq!((batch.first, batch.previous), (stored.records.len() as u64, link));
        for (seq, record) in (batch.first..).zip(&batch.records) {
            link = link.next(seq, record);
            records.push(serde_json::from_slice::<Record>(record).unwrap());
        }
        let genesis = records.iter().find_map(|record| record.genesis.as_ref());
        let key = genesis.map(|genesis| PublicKey::from_hex(&genesis.public_key).unwrap());
        stored.key = stored.key.or(key);
        batch.head(link).verify(&stored.key.unwrap()).unwrap();
        stored.records.extend(records);
        stored.link = link;
    }

    fn kinds(&self) -> Vec<Kind> {
        self.stored.lock().unwrap().records.iter().map(|record| record.kind).collect()
    }

    /// Ships in the background, as a proxy does.
    fn ship(&self, dir: &Path, shipping: Shipping) -> JoinHandle<()> {
        let token = dir.join("token");
        std::fs::write(&token, "token").unwrap();
        let client = Client::new(ControlConfig {
            url: self.url.clone(),
            token,
            cluster_domain: "cluster.local".to_owned(),
            roots: Arc::new(Roots::new(&self.roots).unwrap()),
            // Asked for nothing: the collector is an address.
            resolver: Resolver::new(&[[127, 0, 0, 1].into()]).unwrap(),
        });
        let metrics = Arc::new(ProxyMetrics::new().unwrap());
        tokio::spawn(ship::ship(shipping, client.unwrap(), metrics))
    }
}

fn acknowledged() -> Arc<PolicyState> {
    let policies = Arc::new(PolicyState::default());
    let audit = AuditSettings { durability: Durability::Acknowledged, ..AuditSettings::default() };
    policies.replace(&Snapshot { audit, ..Snapshot::new(POD, Vec::new()) });
    policies
}

async fn act(log: &AuditLog, resource: &str) {
    let id = log.append_intent(intent(resource)).unwrap();
    log.durable(id).await.unwrap();
    log.outcome(id, RecordRef::new(Kind::Outcome, "2026-01-02T03:04:05.678Z"));
}

#[tokio::test]
async fn an_acknowledged_intent_is_at_the_collector_before_it_goes_on() {
    let dir = TempDir::new().unwrap();
    let collector = Collector::start(Mood::Takes).await;
    let (log, shipping) = open(dir.path(), acknowledged()).unwrap();
    let shipper = collector.ship(dir.path(), shipping);
    for n in 0..20 {
        let resource = format!("https://api.example/{n}");
        let id = log.append_intent(intent(&resource)).unwrap();
        log.durable(id).await.unwrap();
        let last = collector.stored.lock().unwrap().records.last().unwrap().resource.clone();
        assert_eq!(last, Some(resource));
    }
    // Many at once share batches.
    let before = *collector.asked.borrow();
    let acts = (0..200).map(|n| {
        let log = log.clone();
        tokio::spawn(async move { act(&log, &format!("https://api.example/many/{n}")).await })
    });
    for act in acts.collect::<Vec<_>>() {
        act.await.unwrap();
    }
    assert!(*collector.asked.borrow() - before < 100);
    assert!(log.close(std::time::Duration::from_secs(60)).await);
    let kinds = collector.kinds();
    assert_eq!((kinds.len(), kinds.last()), (1 + 20 + 400 + 1, Some(&Kind::Close)));
    drop(log);
    shipper.await.unwrap();
}

#[tokio::test]
async fn a_collector_that_is_away_or_old_gets_everything_once_it_is_not() {
    for mood in [Mood::Refuses, Mood::IsOld] {
        let dir = TempDir::new().unwrap();
        let collector = Collector::start(mood).await;
        let (log, shipping) = open(dir.path(), acknowledged()).unwrap();
        let shipper = collector.ship(dir.path(), shipping);
        let waiting = {
            let log = log.clone();
            tokio::spawn(async move { act(&log, "https://api.example/").await })
        };
        collector.asked.subscribe().wait_for(|asked| *asked > 0).await.unwrap();
        assert!(!waiting.is_finished());
        collector.mood.send_replace(Mood::Takes);
        waiting.await.unwrap();
        assert!(log.close(std::time::Duration::from_secs(60)).await);
        assert_eq!(collector.kinds(), [Kind::Genesis, Kind::Intent, Kind::Outcome, Kind::Close]);
        drop(log);
        shipper.await.unwrap();
    }
}

#[tokio::test]
async fn after_a_restart_the_collector_gets_what_it_does_not_have() {
    let dir = TempDir::new().unwrap();
    let collector = Collector::start(Mood::Takes).await;
    let (log, shipping) = open(dir.path(), acknowledged()).unwrap();
    let shipper = collector.ship(dir.path(), shipping);
    act(&log, "https://api.example/1").await;
    collector.mood.send_replace(Mood::Refuses);
    shipper.abort();
    shipper.await.unwrap_err();
    // Nobody ships these before the proxy ends.
    let id = log.append_intent(intent("https://api.example/2")).unwrap();
    log.outcome(id, RecordRef::new(Kind::Outcome, "2026-01-02T03:04:05.678Z"));
    drop(log);

    collector.mood.send_replace(Mood::Takes);
    // The threads of the run before end by themselves; a process would have taken them along.
    let spool = dir.path().join("spool");
    while exeat_proxy::spool::records(&spool, &POD.parse().unwrap()).unwrap().len() < 5 {
        tokio::task::yield_now().await;
    }
    let (log, shipping) = open(dir.path(), acknowledged()).unwrap();
    let shipper = collector.ship(dir.path(), shipping);
    act(&log, "https://api.example/3").await;
    assert!(log.close(std::time::Duration::from_secs(60)).await);
    use Kind::{Close, Genesis, Intent, Outcome, Restart};
    let all = [Genesis, Intent, Outcome, Intent, Outcome, Restart, Intent, Outcome, Close];
    assert_eq!(collector.kinds(), all);
    drop(log);
    shipper.await.unwrap();
}
