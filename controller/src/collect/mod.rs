//! Takes audit from the proxies, keeps it, and answers people's questions about it.
//!
//! An entry is acknowledged when it is on disk, and it gets there only when it continues its chain:
//! the links hold, and the head that covers them is signed by the key of the chain's Genesis.
//! Sending again is harmless. A batch that contradicts what is stored is refused, and marks the
//! chain as broken; what was stored first stays.
//!
//! To serve it: open a [`CollectState`], merge [`router`] into the control API's router, and own
//! [`run`] as a task of the process; when it ends, so must the process.
//!
//! ```no_run
//! # async fn f(client: kube::Client, metrics: std::sync::Arc<exeat_controller::metrics::Metrics>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use exeat_controller::{collect, identity::Identities};
//! let config = collect::CollectConfig { database: "/var/lib/exeat/audit.db".into() };
//! let identities = std::sync::Arc::new(Identities::new(client.clone()));
//! let state = collect::CollectState::open(&config, metrics, identities)?;
//! let api = collect::router(state.clone());
//! tokio::spawn(collect::run(state, Some(client)));
//! # drop(api); Ok(()) }
//! ```

use crate::identity::Identities;
use crate::metrics::Metrics;
use crate::places::PerKey;
use axum::Router;
use axum::routing::{get, post};
use exeat_api::paths;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;

mod api;
mod deliver;
mod denied;
mod ingest;
mod limit;
mod problem;
mod store;

pub use denied::{LastDenials, LastDenied, PolicyKey};
pub use store::{Store, StoreError};

/// Bodies that are in memory at once, in bytes: each counts with the length that it states. Together
/// with the batches that are read from them, they stay below the chart's memory limit (512 MiB).
const BODIES_BYTES: usize = 192 * 1024 * 1024;
/// The unit in which that is counted.
const BODY_UNIT: usize = 64 * 1024;
/// Batches that are verified and stored at once, each with up to three times its 8 MiB. A body that
/// is still being received is not counted here.
const BATCHES_AT_ONCE: usize = 8;
/// A proxy sends one batch after the other.
const BATCHES_OF_A_POD: usize = 1;
const CHAIN_STATES_EVERY: Duration = Duration::from_secs(15);
const DENIALS_EVERY: Duration = Duration::from_secs(10);

/// How to collect.
#[derive(Debug, Clone)]
pub struct CollectConfig {
    /// The SQLite file; its directory exists, and nobody else writes there.
    pub database: PathBuf,
}

/// What the handlers share.
#[derive(Clone)]
pub struct CollectState {
    store: Store,
    metrics: Arc<Metrics>,
    identities: Arc<Identities>,
    limits: Arc<limit::Limits>,
    pods: PerKey<String>,
    /// In units of [`BODY_UNIT`].
    bodies: Arc<Semaphore>,
    batches: Arc<Semaphore>,
    denied: Arc<LastDenials>,
}

impl CollectState {
    /// Opens, or makes, the database.
    ///
    /// # Errors
    /// When the file cannot be opened, or was written by a newer version.
    pub fn open(
        config: &CollectConfig,
        metrics: Arc<Metrics>,
        identities: Arc<Identities>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            store: Store::open(&config.database)?,
            metrics,
            identities,
            limits: Arc::new(limit::Limits::default()),
            pods: PerKey::new(BATCHES_OF_A_POD),
            bodies: Arc::new(Semaphore::new(BODIES_BYTES / BODY_UNIT)),
            batches: Arc::new(Semaphore::new(BATCHES_AT_ONCE)),
            denied: Arc::new(LastDenials::default()),
        })
    }

    /// The latest denial by each policy since this process began.
    pub fn last_denials(&self) -> &LastDenials {
        &self.denied
    }

    /// Counts chains by state into `exeat_collect_chains`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_chains(&self) -> Result<(), StoreError> {
        let count = self.store.count_chains(now()).await?;
        for (state, number) in [
            ("open", count.open),
            ("closed", count.closed),
            ("stale", count.stale),
            ("broken", count.broken),
        ] {
            self.metrics.collect_chains.with_label_values(&[state]).set(number);
        }
        Ok(())
    }
}

/// `/v1/audit`, `/v1/audit/head` for proxies; `/v1/records`, `/v1/chains` for people.
pub fn router(state: CollectState) -> Router {
    Router::new()
        .route(paths::AUDIT, post(deliver::deliver))
        .route(paths::AUDIT_HEAD, get(deliver::acknowledged))
        .route(paths::RECORDS, get(api::records))
        .route(paths::CHAINS, get(api::chains))
        .route(paths::CHAIN_ENTRIES, get(api::entries))
        .route(paths::CHAIN_HEAD, get(api::head))
        .with_state(state)
}

/// What goes on beside requests: chains are counted, and denials are written to the status of the
/// policies that denied (not without a client). Ends only when the store has died.
pub async fn run(state: CollectState, client: Option<kube::Client>) {
    let mut chains = tokio::time::interval(CHAIN_STATES_EVERY);
    let mut denials = tokio::time::interval(DENIALS_EVERY);
    loop {
        tokio::select! {
            _ = chains.tick() => {
                if let Err(error) = state.count_chains().await {
                    tracing::warn!(%error, "Chains not counted");
                }
            }
            _ = denials.tick() => {
                if let Some(client) = &client {
                    state.denied.publish(client).await;
                }
            }
            () = state.store.ended() => {
                tracing::error!("Audit store ended");
                return;
            }
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
