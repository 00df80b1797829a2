//! The policies in force. None before the first snapshot: then everything is denied.

use crate::credential::Placeholders;
use arc_swap::ArcSwapOption;
use exeat_policy::cluster::Vicinity;
use exeat_policy::normal::Host;
use exeat_policy::snapshot::{AuditSettings, Snapshot};
use exeat_policy::{NetworkSettings, Policies};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinError;

/// One snapshot, compiled.
#[derive(Debug)]
pub struct Active {
    pub policies: Policies,
    pub audit: AuditSettings,
    pub network: NetworkSettings,
    /// PEM; roots that upstreams may chain to beside the image's.
    pub upstream_roots: Arc<str>,
    /// The same, and those of the cluster's API server.
    api_server_roots: Arc<str>,
    /// What stands for the credentials of the rules.
    pub placeholders: Placeholders,
}

/// What a pod knows of its cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub vicinity: Vicinity,
    /// File with PEM certificates that the API server chains to. Read with each snapshot; where it
    /// cannot be read, the API server is not trusted.
    pub api_server_ca: PathBuf,
    /// What placeholders are derived from; empty: there are none.
    pub placeholder_seed: String,
}

impl Active {
    /// PEM; roots that this host may chain to beside the image's. Those of the cluster's API server
    /// are for its own names alone: whoever holds their key is trusted with nothing else.
    pub fn roots(&self, host: &Host) -> &Arc<str> {
        let vicinity = self.policies.vicinity();
        match host {
            Host::Name(name) if vicinity.is_some_and(|it| it.is_api_server(name)) => {
                &self.api_server_roots
            }
            _ => &self.upstream_roots,
        }
    }
}

/// Swapped whole at each snapshot; readers never wait.
#[derive(Debug)]
pub struct PolicyState {
    active: ArcSwapOption<Active>,
    changes: watch::Sender<u64>,
    cluster: Option<Cluster>,
}

impl Default for PolicyState {
    fn default() -> Self {
        Self::within(None)
    }
}

impl PolicyState {
    /// For a pod of a cluster; none for an agent outside of one.
    pub fn within(cluster: Option<Cluster>) -> Self {
        Self { active: ArcSwapOption::empty(), changes: watch::Sender::new(0), cluster }
    }

    /// What is in force now; none: deny everything.
    pub fn load(&self) -> Option<Arc<Active>> {
        self.active.load_full()
    }

    /// Whether this is still what is in force.
    pub fn is(&self, active: &Arc<Active>) -> bool {
        self.active.load().as_ref().is_some_and(|now| Arc::ptr_eq(now, active))
    }

    /// Compiles and swaps. Open connections learn of it through [`subscribe`](Self::subscribe).
    pub fn replace(&self, snapshot: &Snapshot) -> Arc<Active> {
        let vicinity = self.cluster.as_ref().map(|cluster| cluster.vicinity.clone());
        let ca = self.cluster.as_ref().and_then(|cluster| {
            let read = fs::read_to_string(&cluster.api_server_ca);
            read.inspect_err(|error| tracing::debug!(%error, "The API server is not trusted")).ok()
        });
        let roots = snapshot.upstream_roots.as_str();
        let policies = Policies::compile_within(snapshot, vicinity);
        let seed = self.cluster.as_ref().map_or("", |cluster| &cluster.placeholder_seed);
        let active = Arc::new(Active {
            placeholders: Placeholders::new(seed, policies.credentials()),
            policies,
            audit: snapshot.audit,
            network: snapshot.network.clone(),
            upstream_roots: roots.into(),
            api_server_roots: format!("{roots}\n{}", ca.unwrap_or_default()).into(),
        });
        self.active.store(Some(Arc::clone(&active)));
        self.changes.send_modify(|n| *n += 1);
        active
    }

    /// As [`replace`](Self::replace), on a thread that carries no traffic: the expressions of a policy
    /// can take half a second to compile, for which connections and probes would stand still.
    ///
    /// # Errors
    /// When the runtime ends meanwhile. The policies before stay in force.
    pub async fn replace_apart(
        self: &Arc<Self>,
        snapshot: Snapshot,
    ) -> Result<Arc<Active>, JoinError> {
        let state = Arc::clone(self);
        tokio::task::spawn_blocking(move || state.replace(&snapshot)).await
    }

    /// Counts replacements.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
