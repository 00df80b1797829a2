//! Puts one agent's proxy together, but for how connections come in. The binary, the bench and the
//! tests all use this: they differ in where policy comes from, where audit goes, and who resolves
//! and dials.

use super::container;
use super::tasks::Tasks;
use super::trim;
use crate::control::credentials;
use crate::control::snapshots::{Snapshots, grow_older};
use crate::control::{Client, Roots, file, ship};
use crate::credential::Credentials;
use crate::dial::{Connect, Dialer, Resolve};
use crate::dns::Names;
use crate::gate::{Gate, Journal};
use crate::metrics::ProxyMetrics;
use crate::serve::{Agent, Front};
use crate::spool::{AuditLog, Shipping, SpoolConfig};
use crate::state::{Cluster, PolicyState};
use crate::tls::PodCa;
use crate::wire::Memory;
use anyhow::Context as _;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where policy comes from.
pub enum Source {
    /// The controller, followed through its absences. The last snapshot is kept beside the keys.
    Control { publish: Box<Client>, roots: Arc<Roots> },
    /// A snapshot as JSON in a file, read again when the file changes.
    File(PathBuf),
    /// Nowhere: whoever assembles it replaces [`Proxy::policies`].
    None,
}

/// Where audit goes beside the spool.
pub enum Sink {
    /// The collector.
    Ship(Box<Client>),
    /// Nowhere: the spool alone keeps it, until it is full.
    None,
}

/// What a proxy is made of.
pub struct Assembly {
    pub spool: SpoolConfig,
    pub trust_dir: PathBuf,
    pub source: Source,
    pub sink: Sink,
    pub resolver: Arc<dyn Resolve>,
    pub connector: Arc<dyn Connect>,
    pub names: Arc<dyn Names>,
    /// What the agent's pod knows of its cluster; none for an agent outside of one.
    pub cluster: Option<Cluster>,
    /// Bytes that what the agent sends may take at once; none: a part of the container's.
    pub memory: Option<usize>,
}

/// A proxy that serves connections as soon as it is given some.
pub struct Proxy {
    pub front: Arc<Front>,
    pub gate: Gate,
    pub policies: Arc<PolicyState>,
    pub metrics: Arc<ProxyMetrics>,
    pub audit: AuditLog,
    pub ca: Arc<PodCa>,
    /// Values that rules add to requests; the controller's, or whoever's assembles it.
    pub credentials: Arc<Credentials>,
    /// Cancel it to drain: requests under way end, connections take no more.
    pub drain: CancellationToken,
    /// What runs beside the connections. The first that ends must end the process.
    pub tasks: Tasks,
    /// Where nothing is shipped: the open end of the spool.
    pub shipping: Option<Shipping>,
}

impl Assembly {
    /// Opens the spool, takes the first policy, and starts what runs beside the connections.
    ///
    /// # Errors
    /// When the spool or the pod's authority cannot be opened, or the policy file cannot be read.
    pub async fn build(self) -> anyhow::Result<Proxy> {
        let metrics = Arc::new(ProxyMetrics::new()?);
        let policies = Arc::new(PolicyState::within(self.cluster));
        let (keys_dir, pod_uid) = (self.spool.keys_dir.clone(), self.spool.genesis.pod_uid.clone());
        let (audit, shipping) =
            AuditLog::open(self.spool, Arc::clone(&policies), Arc::clone(&metrics))
                .context("the audit spool cannot be opened")?;
        let mut tasks = Tasks::default();
        let credentials = Arc::new(Credentials::default());
        let spool = audit.clone();
        tasks.forever("audit-spool", async move { spool.over().await });
        match self.source {
            Source::Control { publish, roots } => {
                let (client, uid) = (publish.clone(), pod_uid.clone());
                let values = Arc::clone(&credentials);
                tasks.forever("credentials", async move {
                    credentials::follow(&client, &uid, &values).await;
                });
                let snapshots = Snapshots {
                    pod_uid,
                    kept: keys_dir.join("snapshot.json"),
                    policies: Arc::clone(&policies),
                    roots,
                    audit: audit.clone(),
                    metrics: Arc::clone(&metrics),
                };
                if let Err(error) = snapshots.restore().await {
                    tracing::warn!(%error, "Kept snapshot not used");
                }
                tasks.forever("snapshots", async move { snapshots.follow(&publish).await });
                let age = grow_older(Arc::clone(&metrics), Arc::clone(&policies));
                tasks.forever("age", age);
            }
            Source::File(path) => {
                let follower = file::PolicyFile::open(path, Arc::clone(&policies), audit.clone())
                    .await
                    .context("the policy file cannot be used")?;
                tasks.forever("policy-file", follower.follow());
            }
            Source::None => {}
        }
        let roots = policies.load().map(|active| active.upstream_roots.to_string());
        let ca = PodCa::load_or_create(&keys_dir, &self.trust_dir, &roots.unwrap_or_default())?;
        let ca = Arc::new(ca);
        let shipping = match self.sink {
            Sink::Ship(collect) => {
                tasks.shipper(ship::ship(shipping, *collect, Arc::clone(&metrics)));
                None
            }
            Sink::None => Some(shipping),
        };
        let gate =
            Gate::new(Arc::clone(&policies), Journal::new(audit.clone(), Arc::clone(&metrics)));
        let drain = CancellationToken::new();
        let agent = Agent::new(gate.clone(), Arc::clone(&ca), self.names);
        let dialer = Dialer::new(self.resolver, self.connector);
        let bytes = self.memory.unwrap_or_else(|| Memory::part_of(container::memory_limit()));
        let (held, refused) = (metrics.memory_held.clone(), metrics.memory_refused.clone());
        let memory = Memory::new(bytes, held, refused);
        let front =
            Arc::new(Front::new(agent, dialer, memory, Arc::clone(&credentials), drain.clone()));
        tasks.forever("pool", front.clone().tend());
        tasks.forever("trim", trim::give_back(Arc::clone(&metrics)));
        Ok(Proxy { front, gate, policies, metrics, audit, ca, credentials, drain, tasks, shipping })
    }
}
