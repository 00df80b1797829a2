//! The policies in force. None before the first snapshot: then everything is denied.

use arc_swap::ArcSwapOption;
use exeat_policy::snapshot::{AuditSettings, Snapshot};
use exeat_policy::{NetworkSettings, Policies};
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
}

/// Swapped whole at each snapshot; readers never wait.
#[derive(Debug)]
pub struct PolicyState {
    active: ArcSwapOption<Active>,
    changes: watch::Sender<u64>,
}

impl Default for PolicyState {
    fn default() -> Self {
        Self { active: ArcSwapOption::empty(), changes: watch::Sender::new(0) }
    }
}

impl PolicyState {
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
        let active = Arc::new(Active {
            policies: Policies::compile(snapshot),
            audit: snapshot.audit,
            network: snapshot.network.clone(),
            upstream_roots: snapshot.upstream_roots.as_str().into(),
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
