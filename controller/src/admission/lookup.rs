//! What admission needs to know of the cluster. Memory answers first; where memory says no, the
//! API server is asked before anybody is refused or let go, for memory lags behind a
//! `kubectl apply` by a moment.

use super::scope::Labels;
use exeat_policy::source::{PolicyRef, PolicySource, Tier};
use futures::future::BoxFuture;
use thiserror::Error;

/// The API server did not answer, or not in time.
#[derive(Debug, Clone, Error)]
#[error("the API server could not be asked for {what}: {why}")]
pub struct LookupError {
    pub what: String,
    pub why: String,
}

/// The facts about namespaces, policies and pods, cached and fresh.
pub trait PolicyLookup: Send + Sync + 'static {
    /// Labels of a namespace, from memory.
    fn known_namespace(&self, namespace: &str) -> Option<Labels>;

    /// Policies of every tier that select a pod, from memory.
    fn known_policies(&self, namespace: &str, of: &Labels, pod: &Labels) -> Vec<PolicySource>;

    /// Whether a pod is an agent; `None` when it is not in memory.
    fn known_agent(&self, namespace: &str, pod: &str) -> Option<bool>;

    /// Labels of a namespace, from the API server; `None` when there is no such namespace.
    fn read_namespace<'a>(
        &'a self,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Option<Labels>, LookupError>>;

    /// Every policy that could select a pod of the namespace, from the API server.
    fn read_policies<'a>(
        &'a self,
        namespace: &'a str,
        of: &'a Labels,
        pod: &'a Labels,
    ) -> BoxFuture<'a, Result<Vec<Candidate>, LookupError>>;
}

/// A policy that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub origin: PolicyRef,
    /// Its selector as `kubectl -l` would have it; empty for "every pod".
    pub selector: String,
    pub selects: bool,
}

/// Whether a policy lets a pod be an agent: a Guardrail only ever takes away.
pub(super) const fn suffices(tier: Tier) -> bool {
    matches!(tier, Tier::Namespaced | Tier::Baseline)
}
