//! A pod, its proxy, and the world around it, on loopback.

use bytes::Bytes;
use exeat_audit::record::{Genesis, Record};
use exeat_policy::NetworkSettings;
use exeat_policy::cluster::Vicinity;
use exeat_policy::normal::Name;
use exeat_policy::snapshot::{AuditSettings, Snapshot};
use exeat_policy::source::{Mode, PolicyRef, PolicySource, Tier};
use exeat_proxy::credential::Credentials;
use exeat_proxy::dial::{Connect, Resolve};
use exeat_proxy::dns::{Meaning, Names};
use exeat_proxy::gate::Gate;
use exeat_proxy::metrics::ProxyMetrics;
use exeat_proxy::run::{Assembly, Proxy, Sink, Source};
use exeat_proxy::serve::Front;
use exeat_proxy::spool::SpoolConfig;
use exeat_proxy::state::{Cluster, PolicyState};
use exeat_proxy::tls::PodCa;
use exeat_proxy::wire::Io;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name that most tests ask for, where its address was given out, and where it leads.
pub(crate) const API: &str = "api.example.com";
pub(crate) const API_AT: &str = "198.18.0.1";
const API_LEADS: &str = "203.0.113.10";
/// A name that its owner points at the metadata service.
pub(crate) const REBOUND_AT: &str = "198.18.0.2";
/// A name that leads into a private network.
pub(crate) const INSIDE_AT: &str = "198.18.0.3";
/// A name that no rule of any test speaks of.
pub(crate) const UNKNOWN_AT: &str = "198.18.0.9";

/// What the pod's placeholders are derived from.
pub(crate) const SEED: &str = "seed";

/// Services of the cluster, in another namespace and in the pod's own.
pub(crate) const ORDERS_AT: &str = "198.18.0.4";
pub(crate) const OWN_AT: &str = "198.18.0.5";
pub(crate) const API_SERVER_AT: &str = "198.18.0.8";

/// What the test's world knows.
#[derive(Default)]
struct Atlas {
    /// Where connections to port 443, 80 and any other really go.
    servers: Mutex<HashMap<u16, SocketAddr>>,
    dialled: Mutex<Vec<SocketAddr>>,
}

impl Names for Atlas {
    fn meaning(&self, address: IpAddr) -> Meaning {
        let name = |text| Meaning::Name(Name::parse(text).unwrap());
        match address.to_string().as_str() {
            API_AT => name(API),
            REBOUND_AT => name("rebound.example.com"),
            INSIDE_AT => name("inside.example.com"),
            ORDERS_AT => name("orders.prod.svc.cluster.local"),
            OWN_AT => name("orders.agents.svc.cluster.local"),
            API_SERVER_AT => name("kubernetes.default.svc.cluster.local"),
            "198.18.0.6" => name("orders.dev.svc.cluster.local"),
            "198.18.0.7" => name("orders.dev"),
            UNKNOWN_AT => name("unknown.example.net"),
            other if other.starts_with("198.18.") => Meaning::Nothing,
            _ => Meaning::Address,
        }
    }
}

impl Resolve for Atlas {
    fn resolve<'a>(&'a self, name: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let found = match name.as_str() {
            API => vec![API_LEADS],
            "rebound.example.com" => vec!["203.0.113.11", "169.254.169.254"],
            "inside.example.com" => vec!["10.1.2.3"],
            "kubernetes.default.svc.cluster.local" => vec!["10.96.0.1"],
            "orders.prod.svc.cluster.local" => vec!["10.96.0.7"],
            "orders.agents.svc.cluster.local" => vec!["10.96.0.8"],
            "orders.dev.svc.cluster.local" => vec!["10.96.0.9"],
            "orders.dev" => vec!["203.0.113.12"],
            _ => vec![],
        };
        let found = found.into_iter().map(|text| text.parse().unwrap()).collect();
        Box::pin(async move { Ok(found) })
    }
}

impl Connect for Atlas {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Io>> {
        self.dialled.lock().unwrap().push(address);
        let server = self.servers.lock().unwrap().get(&address.port()).copied();
        Box::pin(async move {
            let server = server.ok_or(io::ErrorKind::ConnectionRefused)?;
            TcpStream::connect(server).await.map(Io::from)
        })
    }
}

/// A pod, its proxy and its servers.
pub(crate) struct World {
    pub(crate) front: Arc<Front>,
    pub(crate) policy: Arc<PolicyState>,
    pub(crate) metrics: Arc<ProxyMetrics>,
    pub(crate) ca: Arc<PodCa>,
    atlas: Arc<Atlas>,
    authority: Authority,
    /// Of the cluster's API server.
    cluster: Authority,
    connections: Arc<AtomicUsize>,
    dirs: [tempfile::TempDir; 3],
    proxy: Proxy,
}

type Authority = rcgen::CertifiedIssuer<'static, rcgen::KeyPair>;

fn authority() -> Authority {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // Two authorities of one name are two to nobody who looks for an issuer.
    let key = rcgen::KeyPair::generate().unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, hex(&key));
    rcgen::CertifiedIssuer::self_signed(params, key).unwrap()
}

fn hex(key: &rcgen::KeyPair) -> String {
    key.public_key_raw().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// One rule as YAML would have it.
pub(crate) fn rule(effect: &str, action: &str, resource: &str) -> serde_json::Value {
    serde_json::json!({
        "name": format!("{}-{}", effect.to_lowercase(), resource.len()),
        "action": action, "resource": resource, "effect": effect,
    })
}

pub(crate) fn allow(resource: &str) -> serde_json::Value {
    rule("Allow", "network.request", resource)
}

impl World {
    /// A world under rules. An empty list is a policy that allows nothing.
    pub(crate) async fn under(rules: &[serde_json::Value]) -> Self {
        Self::with_spool(rules, 64 << 20).await
    }

    pub(crate) async fn with_spool(rules: &[serde_json::Value], max_bytes: u64) -> Self {
        let world = Self::before_any_policy(max_bytes).await;
        world.rules(Mode::Enforce, rules);
        world
    }

    /// A world to which no policy has come yet.
    pub(crate) async fn before_any_policy(max_bytes: u64) -> Self {
        Self::with(max_bytes, 64 << 20).await
    }

    /// A world whose proxy has so many bytes for what the agent sends.
    pub(crate) async fn with_memory(rules: &[serde_json::Value], memory: usize) -> Self {
        let world = Self::with(64 << 20, memory).await;
        world.rules(Mode::Enforce, rules);
        world
    }

    async fn with(max_bytes: u64, memory: usize) -> Self {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let genesis = Genesis {
            pod_uid: "pod-1".into(),
            pod_name: "agent".into(),
            namespace: "agents".into(),
            service_account: "default".into(),
            node: "node".into(),
            image: "image".into(),
            public_key: String::new(),
            policy: String::new(),
        };
        let spool = SpoolConfig {
            spool_dir: dirs[0].path().to_owned(),
            keys_dir: dirs[1].path().to_owned(),
            max_bytes,
            genesis,
        };
        let atlas = Arc::new(Atlas::default());
        let cluster = authority();
        let api_server_ca = dirs[1].path().join("kube-ca.crt");
        std::fs::write(&api_server_ca, cluster.pem()).unwrap();
        let assembly = Assembly {
            spool,
            trust_dir: dirs[2].path().to_owned(),
            source: Source::None,
            sink: Sink::None,
            resolver: atlas.clone(),
            connector: atlas.clone(),
            names: atlas.clone(),
            cluster: Some(Cluster {
                vicinity: Vicinity::new("agents", &Name::parse("cluster.local").unwrap()),
                api_server_ca,
                placeholder_seed: SEED.to_owned(),
            }),
            memory: Some(memory),
        };
        let proxy = assembly.build().await.unwrap();
        let world = Self {
            front: proxy.front.clone(),
            policy: proxy.policies.clone(),
            metrics: proxy.metrics.clone(),
            ca: proxy.ca.clone(),
            atlas,
            authority: authority(),
            cluster,
            connections: Arc::default(),
            dirs,
            proxy,
        };
        world.echo(80, None).await;
        world.echo(8080, None).await;
        world.echo(443, Some(API)).await;
        world
    }

    /// Replaces the policy.
    pub(crate) fn rules(&self, mode: Mode, rules: &[serde_json::Value]) {
        self.rules_and_audit(mode, rules, AuditSettings::default());
    }

    pub(crate) fn rules_and_audit(
        &self,
        mode: Mode,
        rules: &[serde_json::Value],
        audit: AuditSettings,
    ) {
        self.replace(&[(Tier::Namespaced, mode, rules)], audit);
    }

    /// Replaces all policies.
    pub(crate) fn policies(&self, policies: &[(Tier, Mode, &[serde_json::Value])]) {
        self.replace(policies, AuditSettings::default());
    }

    /// Replaces the policy, in an installation that keeps ranges from agents.
    pub(crate) fn rules_without(&self, rules: &[serde_json::Value], excluded: &[&str]) {
        let excluded = excluded.iter().map(|net| net.parse().unwrap()).collect();
        let network = NetworkSettings { excluded, ..NetworkSettings::default() };
        let policies: &[_] = &[(Tier::Namespaced, Mode::Enforce, rules)];
        self.replace_all(policies, AuditSettings::default(), network);
    }

    fn replace(&self, policies: &[(Tier, Mode, &[serde_json::Value])], audit: AuditSettings) {
        self.replace_all(policies, audit, NetworkSettings::default());
    }

    fn replace_all(
        &self,
        policies: &[(Tier, Mode, &[serde_json::Value])],
        audit: AuditSettings,
        network: NetworkSettings,
    ) {
        let source = |(tier, mode, rules): &(Tier, Mode, &[serde_json::Value])| {
            let namespace = if *tier == Tier::Namespaced { "agents" } else { "" };
            let origin =
                PolicyRef { tier: *tier, namespace: namespace.into(), name: "test".into() };
            let rules = rules.iter().map(|rule| serde_json::from_value(rule.clone()).unwrap());
            PolicySource { mode: *mode, ..PolicySource::new(origin, rules.collect()) }
        };
        self.policy.replace(&Snapshot {
            audit,
            network,
            upstream_roots: self.authority.pem(),
            ..Snapshot::new("pod-1", policies.iter().map(source).collect())
        });
    }

    /// A server for a port: answers with what it was asked.
    async fn echo(&self, port: u16, tls: Option<&str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.atlas.servers.lock().unwrap().insert(port, listener.local_addr().unwrap());
        let acceptor = tls.map(|name| TlsAcceptor::from(Arc::new(self.server_config(name))));
        let connections = self.connections.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => serve_echo(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve_echo(stream).await;
                            }
                        }
                    }
                });
            }
        });
    }

    /// Puts a server of the test's own behind a port.
    pub(crate) async fn server(&self, port: u16) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.atlas.servers.lock().unwrap().insert(port, listener.local_addr().unwrap());
        listener
    }

    /// A certificate of the test's authority.
    pub(crate) fn server_config(&self, name: &str) -> rustls::ServerConfig {
        certified(&self.authority, name)
    }

    /// Values of credentials, as the controller would send them.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.proxy.credentials
    }

    /// The gate that all acts pass.
    pub(crate) fn gate(&self) -> Gate {
        self.proxy.gate.clone()
    }

    /// A certificate of the cluster's authority.
    pub(crate) fn api_server_config(&self, name: &str) -> rustls::ServerConfig {
        certified(&self.cluster, name)
    }
}

fn certified(authority: &Authority, name: &str) -> rustls::ServerConfig {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

impl World {
    /// How often anything was dialled, and how many connections servers saw.
    pub(crate) fn reached(&self) -> (usize, usize) {
        (self.atlas.dialled.lock().unwrap().len(), self.connections.load(Ordering::SeqCst))
    }

    /// Connects as the agent would, to an original destination.
    pub(crate) async fn connect(&self, original: &str) -> TcpStream {
        self.connect_watched(original).await.0
    }

    /// Connects, and says when the proxy is done with the connection.
    pub(crate) async fn connect_watched(&self, original: &str) -> (TcpStream, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let original = original.parse().unwrap();
        (client, tokio::spawn(self.front.clone().serve(Io::from(stream), original)))
    }

    /// The proxy takes nothing new and ends what it carries.
    pub(crate) fn drain(&self) {
        self.proxy.drain.cancel();
    }

    /// Whether every intent has its outcome.
    pub(crate) async fn settled(&self) -> bool {
        self.proxy.gate.journal().settled(Duration::from_secs(1)).await
    }

    /// Connects with TLS, trusting the pod's authority alone.
    pub(crate) async fn connect_tls(
        &self,
        original: &str,
        name: &str,
        alpn: &[&str],
    ) -> tokio_rustls::client::TlsStream<TcpStream> {
        let config = self.client_config(alpn);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = self.connect(original).await;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// Trusts the pod's authority alone.
    pub(crate) fn client_config(&self, alpn: &[&str]) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        let pem = self.ca.certificate_pem().as_bytes();
        roots.add(CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|one| one.as_bytes().to_vec()).collect();
        config
    }

    /// Sends raw HTTP to port 80 and reads what comes until the proxy closes or falls silent.
    pub(crate) async fn raw(&self, original: &str, request: &str) -> String {
        talk(self.connect(original).await, request.as_bytes()).await
    }

    /// Everything in the spool, as text. Waits for records that are on their way.
    pub(crate) async fn records(&self) -> String {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut all = String::new();
        for file in std::fs::read_dir(self.dirs[0].path()).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
            }
        }
        // What is not written yet of a segment is zeros.
        all.replace(['\\', '\0'], "")
    }

    /// How many refusals the records state. Equal ones are folded into one record with a count that
    /// follows later: waited for up to `expected`.
    pub(crate) async fn denials(&self, expected: u64) -> u64 {
        let mut stated = 0;
        for _ in 0..100 {
            let text = self.records().await;
            let records = text.match_indices("{\"v\":").filter_map(|(at, _)| {
                let mut read =
                    serde_json::Deserializer::from_str(&text[at..]).into_iter::<Record>();
                read.next()?.ok()
            });
            let denied = records.filter(|record| record.effect.as_deref() == Some("Deny"));
            stated = denied.map(|record| record.count.unwrap_or(1)).sum();
            if stated >= expected {
                break;
            }
        }
        stated
    }
}

async fn serve_echo<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: T) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let (parts, body) = request.into_parts();
        let mut text = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version);
        for (name, value) in &parts.headers {
            text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
        }
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        text.push_str(&format!(
            "\n{} bytes: {}",
            body.len(),
            String::from_utf8_lossy(&body[..body.len().min(64)])
        ));
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
    });
    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Writes, then reads until the peer closes or is silent for a while.
pub(crate) async fn talk<T: AsyncRead + AsyncWrite + Unpin>(
    mut stream: T,
    request: &[u8],
) -> String {
    // The proxy may have closed already; its answer is what counts.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1024];
    while let Ok(Ok(read)) =
        tokio::time::timeout(Duration::from_millis(700), stream.read(&mut buffer)).await
    {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A ClientHello that asks for a name.
pub(crate) fn hello(name: &'static str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = name.try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}
