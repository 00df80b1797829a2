//! Exeat's own pipeline as a process: policy, chain, spool and shipping are the proxy's; in place
//! of the redirection and of DNS there are a port for each destination and a table of names.

use crate::process::ready;
use crate::world::{Destination, Upstream, World};
use anyhow::Context as _;
use clap::Args;
use exeat_audit::record::Genesis;
use exeat_policy::normal::Name;
use exeat_policy::snapshot::{AuditSettings, Durability, Snapshot};
use exeat_policy::action::Effect;
use exeat_policy::source::{PolicyRef, PolicySource, RuleSource};
use exeat_proxy::control::{Client, ControlConfig, Roots};
use exeat_proxy::dial::{Connect, Resolve, Resolver};
use exeat_proxy::dns::{Meaning, Names};
use exeat_proxy::run::{Assembly, Proxy, Sink, Source};
use exeat_proxy::serve::Front;
use exeat_proxy::spool::SpoolConfig;
use exeat_proxy::wire::Io;
use futures::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// Rules of the policy, of which one or some allow what the client asks for.
const RULES: usize = 100;
const POD: &str = "7c9c5f8e-0000-4000-8000-0000000be4c4";
/// Where every name is said to lead.
const LEADS: [u8; 4] = [203, 0, 113, 10];

/// Threads that carry traffic: as many as the proxy has where nothing else is said.
pub(crate) const THREADS: u16 = 1;

/// The runtime of the proxy's own main.
pub(crate) fn runtime() -> io::Result<Runtime> {
    exeat_proxy::run::runtime(THREADS)
}

#[derive(Debug, Args)]
pub(crate) struct ExeatArgs {
    world: PathBuf,
    /// Holds `keys`, `trust` and `spool` of this proxy.
    dir: PathBuf,
    /// Ports of the upstream.
    #[arg(value_delimiter = ',')]
    upstream: Vec<u16>,
    /// With rules that look into bodies.
    #[arg(long)]
    scanning: bool,
    #[arg(long, default_value = "Spooled")]
    durability: String,
}

/// Names by synthetic address, and the one server behind all of them.
struct Atlas {
    upstream: Upstream,
}

impl Atlas {
    /// What the agent believes to connect to: an address for each destination, and as many as
    /// there are connections for the one that has many names.
    fn synthetic(destination: usize, n: u16) -> IpAddr {
        let [high, low] = n.to_be_bytes();
        match Destination::ALL[destination] {
            Destination::Cold => [198, 19, high, low].into(),
            _ => [198, 18, 0, destination as u8].into(),
        }
    }
}

impl Names for Atlas {
    fn meaning(&self, address: IpAddr) -> Meaning {
        let host = match address {
            IpAddr::V4(v4) => match v4.octets() {
                [198, 18, 0, destination] => Destination::ALL[usize::from(destination)].host(0),
                [_, _, high, low] => Destination::Cold.host(u16::from_be_bytes([high, low])),
            },
            IpAddr::V6(_) => return Meaning::Nothing,
        };
        Name::parse(&host).map_or(Meaning::Nothing, Meaning::Name)
    }
}

impl Resolve for Atlas {
    fn resolve<'a>(&'a self, _: &'a Name) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec![LEADS.into()]) })
    }
}

impl Connect for Atlas {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Io>> {
        let port = match address.port() {
            80 => self.upstream.plain,
            9000 => self.upstream.raw,
            _ => self.upstream.tls,
        };
        Box::pin(async move {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            Ok(stream.into())
        })
    }
}

pub(crate) async fn serve(args: &ExeatArgs) -> anyhow::Result<()> {
    let mut proxy = assemble(args, Upstream::of(&args.upstream)?).await?;
    let mut ports = Vec::new();
    for destination in 0..Destination::ALL.len() {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        ports.push(listener.local_addr()?.port());
        tokio::spawn(accept(listener, destination, proxy.front.clone()));
    }
    ready(&ports);
    Err(proxy.tasks.ended().await)
}

async fn accept(listener: TcpListener, destination: usize, front: Arc<Front>) {
    let mut n = 0_u16;
    while let Ok((stream, _)) = listener.accept().await {
        // Two connections in turn to each of many names: the first, and one that is not.
        let address = Atlas::synthetic(destination, n / 2);
        n = n.wrapping_add(1);
        let original = SocketAddr::new(address, Destination::ALL[destination].port());
        tokio::spawn(front.clone().serve(stream.into(), original));
    }
}

/// The proxy, put together from its library.
async fn assemble(args: &ExeatArgs, upstream: Upstream) -> anyhow::Result<Proxy> {
    let roots = World::open(&args.world).text("ca.crt")?;
    let [keys, trust, spool] = ["keys", "trust", "spool"].map(|name| args.dir.join(name));
    for dir in [&keys, &trust, &spool] {
        std::fs::create_dir_all(dir)?;
    }
    let token = keys.join("token");
    std::fs::write(&token, args.dir.to_string_lossy().as_bytes())?;
    let collector = Client::new(ControlConfig {
        url: format!("https://127.0.0.1:{}", upstream.collector),
        token,
        cluster_domain: "cluster.local".to_owned(),
        roots: Arc::new(Roots::new(&roots)?),
        // Asked for nothing: the collector is an address.
        resolver: Resolver::new(&[[127, 0, 0, 1].into()])?,
    })?;
    let atlas = Arc::new(Atlas { upstream });
    let assembly = Assembly {
        spool: SpoolConfig {
            spool_dir: spool,
            keys_dir: keys,
            max_bytes: 900 << 20,
            genesis: genesis(),
        },
        trust_dir: trust,
        source: Source::None,
        sink: Sink::Ship(Box::new(collector)),
        resolver: atlas.clone(),
        connector: atlas.clone(),
        names: atlas,
        cluster: None,
        memory: None,
    };
    let proxy = assembly.build().await?;
    proxy.policies.replace(&snapshot(&roots, args)?);
    Ok(proxy)
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
fn snapshot(roots: &str, args: &ExeatArgs) -> anyhow::Result<Snapshot> {
    let mut rules = vec![
        rule("api", "https://api.example.com/v1/**"),
        rule("plain", "http://api.example.com/v1/**"),
        rule("cold", "https://*.cold.example.com/v1/**"),
        RuleSource {
            action: "network.connect".to_owned(),
            methods: Vec::new(),
            ..rule("raw", "tcp://raw.example.com:9000")
        },
    ];
    if args.scanning {
        rules.push(RuleSource {
            deny_body_patterns: literals(),
            ..rule("literals", "https://literals.example.com/v1/**")
        });
        rules.push(RuleSource {
            deny_body_patterns: REGEXES.map(str::to_owned).to_vec(),
            ..rule("regexes", "https://regexes.example.com/v1/**")
        });
    }
    for n in rules.len()..RULES {
        rules.push(rule(&format!("rule-{n}"), &format!("https://host-{n}.example.com/**")));
    }
    let policy = PolicySource::new(PolicyRef::namespaced("agents", "bench"), rules);
    Ok(Snapshot {
        audit: AuditSettings {
            durability: durability(&args.durability).context("no such durability")?,
            ..AuditSettings::default()
        },
        upstream_roots: roots.to_owned(),
        ..Snapshot::new(POD, vec![policy])
    })
}

/// The durability of this name.
fn durability(name: &str) -> Option<Durability> {
    serde_json::from_value(name.into()).ok()
}

fn rule(name: &str, resource: &str) -> RuleSource {
    RuleSource {
        methods: vec!["GET".to_owned(), "POST".to_owned()],
        ..RuleSource::new(name, "network.request", resource, Effect::Allow)
    }
}

/// As many as a rule may have: names of projects that must not leave.
fn literals() -> Vec<String> {
    const FIRST: [&str; 8] =
        ["amber", "basalt", "cobalt", "dorado", "ember", "falcon", "granite", "harrier"];
    const SECOND: [&str; 8] =
        ["anchor", "beacon", "canyon", "delta", "engine", "forest", "glacier", "harbour"];
    FIRST.iter().flat_map(|a| SECOND.iter().map(move |b| format!("project {a} {b}"))).collect()
}

/// Formats of secrets and of people's data.
const REGEXES: [&str; 10] = [
    r"AKIA[0-9A-Z]{8}",
    r"xox[bp]-[0-9]{10}",
    r"BEGIN (RSA |EC )?PRIVATE KEY",
    r"(?-u:\b)[0-9]{3}-[0-9]{2}-[0-9]{4}(?-u:\b)",
    r"(?-u:\b)4[0-9]{3}-[0-9]{4}-[0-9]{4}-[0-9]{4}(?-u:\b)",
    r"password ?[=:]",
    r"ghp_[0-9a-f]{8}",
    r"bearer [0-9a-z]",
    r"internal[ -]use",
    r"do not (copy|forward)",
];

#[cfg(test)]
mod tests {
    use super::*;
    use exeat_policy::body::BodyPatterns;

    #[test]
    fn what_is_looked_for_compiles() {
        BodyPatterns::compile(&literals()).expect("literals");
        BodyPatterns::compile(&REGEXES.map(str::to_owned)).expect("expressions");
    }
}
