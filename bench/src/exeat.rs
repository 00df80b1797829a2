//! Exeat's own pipeline as a process: policy, chain, spool with fsync, and shipping are the
//! proxy's; in place of the redirection and of DNS there are a port and a table of one name.

use crate::process::ready;
use crate::world::{HOST, World};
use exeat_audit::record::Genesis;
use exeat_policy::normal::Name;
use exeat_policy::snapshot::{AuditSettings, Snapshot};
use exeat_policy::source::{Mode, PolicyRef, PolicySource, RuleSource, Tier};
use exeat_proxy::connection::{Connect, Meaning, Names, Parts, Pipeline, Resolve};
use exeat_proxy::control::{Client, ControlConfig, Roots};
use exeat_proxy::metrics::ProxyMetrics;
use exeat_proxy::resolve::Resolver;
use exeat_proxy::spool::{AuditLog, SpoolConfig, ship};
use exeat_proxy::state::PolicyState;
use exeat_proxy::tls::PodCa;
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Rules of the policy, one of which allows what the client asks for.
const RULES: usize = 100;
const POD: &str = "7c9c5f8e-0000-4000-8000-0000000be4c4";
/// What the agent believes to connect to, and where the name is said to lead.
const SYNTHETIC: ([u8; 4], u16) = ([198, 18, 0, 1], 443);
const LEADS: [u8; 4] = [203, 0, 113, 10];

/// The one name, and the one server behind it.
struct Atlas {
    upstream: u16,
}

impl Names for Atlas {
    fn meaning(&self, _: IpAddr) -> Meaning {
        Name::parse(HOST).map_or(Meaning::Nothing, Meaning::Name)
    }
}

impl Resolve for Atlas {
    fn resolve<'a>(&'a self, _: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec![LEADS.into()]) })
    }
}

impl Connect for Atlas {
    fn connect(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async {
            let stream = TcpStream::connect(("127.0.0.1", self.upstream)).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }
}

/// `dir` holds `keys`, `trust` and `spool` of this proxy.
pub(crate) async fn serve(world: &Path, dir: &Path, upstream: u16) -> anyhow::Result<()> {
    let world = World::open(world);
    let roots = world.text("ca.crt")?;
    let [keys, trust, spool] = ["keys", "trust", "spool"].map(|name| dir.join(name));
    for dir in [&keys, &trust, &spool] {
        std::fs::create_dir_all(dir)?;
    }
    let token = keys.join("token");
    std::fs::write(&token, dir.to_string_lossy().as_bytes())?;
    let policy = Arc::new(PolicyState::default());
    policy.replace(&snapshot(&roots));
    let metrics = Arc::new(ProxyMetrics::new()?);
    let config = SpoolConfig {
        spool_dir: spool,
        keys_dir: keys.clone(),
        max_bytes: 900 << 20,
        genesis: genesis(),
    };
    let (audit, shipping, _end) = AuditLog::open(config, policy.clone(), metrics.clone())?;
    let collector = Client::new(ControlConfig {
        url: format!("https://127.0.0.1:{upstream}"),
        token,
        cluster_domain: "cluster.local".to_owned(),
        roots: Arc::new(Roots::new(&roots)?),
        // Asked for nothing: the collector is an address.
        resolver: Resolver::new(&[[127, 0, 0, 1].into()])?,
    })?;
    tokio::spawn(ship::ship(shipping, collector, metrics.clone()));
    let atlas = Arc::new(Atlas { upstream });
    let pipeline = Pipeline::new(Parts {
        policy,
        metrics,
        audit,
        resolver: atlas.clone(),
        names: atlas.clone(),
        connector: atlas,
        ca: Arc::new(PodCa::load_or_create(&keys, &trust, "")?),
        drain: CancellationToken::new(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(pipeline.clone().serve(stream, SYNTHETIC.into()));
    }
}

fn genesis() -> Genesis {
    Genesis {
        pod_uid: POD.to_owned(),
        pod_name: "agent".to_owned(),
        namespace: "agents".to_owned(),
        service_account: "default".to_owned(),
        node: "node".to_owned(),
        image: "bench".to_owned(),
        public_key: String::new(),
        policy: String::new(),
    }
}

/// An allow list as a team may have: other hosts, and ours with path and method.
fn snapshot(roots: &str) -> Snapshot {
    let rule = |name: String, resource: String| RuleSource {
        name,
        action: "network.request".to_owned(),
        resource,
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        effect: exeat_policy::action::Effect::Allow,
        reason: None,
        deny_body_patterns: Vec::new(),
    };
    let mut rules: Vec<_> = (1..RULES)
        .map(|n| rule(format!("rule-{n}"), format!("https://host-{n}.example.com/**")))
        .collect();
    rules.push(rule("api".to_owned(), format!("https://{HOST}/v1/**")));
    let origin = PolicyRef {
        tier: Tier::Namespaced,
        namespace: "agents".to_owned(),
        name: "bench".to_owned(),
    };
    Snapshot {
        generation: 1,
        pod_uid: POD.to_owned(),
        policies: vec![PolicySource {
            origin,
            generation: 1,
            mode: Mode::Enforce,
            rules,
            invalid: None,
        }],
        audit: AuditSettings::default(),
        upstream_roots: roots.to_owned(),
        control_roots: String::new(),
    }
}
