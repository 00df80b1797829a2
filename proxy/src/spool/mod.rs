//! Write-ahead audit. A decision is on disk, in the pod's chain, before a byte of what was decided
//! goes out; the controller gets it when it can.
//!
//! One thread owns the chain and the segment files and groups what waits into one `fdatasync`.
//! A full or broken spool follows `audit.onFailure`, here and nowhere else.

pub mod segment;
mod writer;

use crate::metrics::ProxyMetrics;
use crate::state::PolicyState;
use exeat_audit::chain::{ChainError, ChainId};
use exeat_audit::head::SigningKey;
use exeat_audit::record::{Genesis, Record};
use exeat_policy::snapshot::{Durability, OnFailure};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Records that may wait for the writer; the agent's traffic waits beyond that.
const QUEUE: usize = 4096;
/// Longest wait for the disk, and for the controller where `durability` asks for it.
const DISK_LIMIT: Duration = Duration::from_secs(5);
const ACKNOWLEDGE_LIMIT: Duration = Duration::from_secs(10);

/// Why a record could not be written.
#[derive(Debug, Error)]
pub enum AuditError {
    #[error("the audit spool is full")]
    Full,
    #[error("the audit spool cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the audit spool is damaged: {0}")]
    Damaged(String),
    #[error("the audit spool exists, and the key of its chain does not")]
    KeyLost,
    #[error("the audit writer does not keep up")]
    Overload,
    #[error("the audit writer has ended")]
    Ended,
    /// It is on disk here all the same.
    #[error("the controller did not acknowledge the record in time")]
    Unacknowledged(IntentId),
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Where a chain lives and whose it is.
#[derive(Debug, Clone)]
pub struct SpoolConfig {
    pub spool_dir: PathBuf,
    pub keys_dir: PathBuf,
    pub max_bytes: u64,
    /// `public_key` is filled in here.
    pub genesis: Genesis,
}

/// Joins an outcome to its intent. None where the intent was let pass unrecorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentId(Option<u64>);

/// The handle that the rest of the proxy writes by. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Append>,
    policies: Arc<PolicyState>,
    metrics: Arc<ProxyMetrics>,
    /// Number of entries acknowledged by the controller (last acknowledged sequence plus one).
    acknowledged: watch::Receiver<u64>,
    /// Outcomes on their way to the writer, which [`AuditLog::close`] waits for.
    outcomes: TaskTracker,
}

/// What the shipper needs of an open spool.
pub struct Shipping {
    pub chain: ChainId,
    pub key: SigningKey,
    pub spool_dir: PathBuf,
    /// Number of entries that are on disk.
    pub durable: watch::Receiver<u64>,
    pub acknowledged: watch::Sender<u64>,
}

/// One record on its way to the writer.
pub(crate) struct Append {
    pub(crate) record: Record,
    /// Give it its own sequence number as `id`.
    pub(crate) number: bool,
    pub(crate) done: oneshot::Sender<Result<u64, AuditError>>,
}

impl AuditError {
    /// Whether the fault is the record's, and not the disk's or the controller's.
    const fn is_of_the_record(&self) -> bool {
        matches!(self, Self::Chain(_) | Self::Damaged(_))
    }
}

impl AuditLog {
    /// Opens or begins the chain and starts its writer. The writer ends when every handle is gone,
    /// and then says so on the returned receiver.
    ///
    /// # Errors
    /// When the directories cannot be used, the spool is damaged, or its key is lost.
    pub fn open(
        config: SpoolConfig,
        policies: Arc<PolicyState>,
        metrics: Arc<ProxyMetrics>,
    ) -> Result<(Self, Shipping), AuditError> {
        let opened = writer::Opened::open(&config)?;
        let (queue, requests) = mpsc::channel(QUEUE);
        let durable = watch::Sender::new(opened.entries());
        let acknowledged = watch::Sender::new(0);
        let log = Self {
            queue,
            policies,
            metrics,
            acknowledged: acknowledged.subscribe(),
            outcomes: TaskTracker::new(),
        };
        let shipping = Shipping {
            chain: opened.chain().clone(),
            key: SigningKey::from_seed(&opened.key().to_seed()),
            spool_dir: config.spool_dir.clone(),
            durable: durable.subscribe(),
            acknowledged: acknowledged.clone(),
        };
        let max_bytes = config.max_bytes;
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name("audit-writer".to_owned()).spawn(move || {
            opened.run(requests, &clock, &durable, max_bytes);
        })?;
        Ok((log, shipping))
    }

    /// Writes a decision. Returns when it is durable, by the `durability` in force.
    ///
    /// # Errors
    /// When it cannot be written and `onFailure` is Deny; the caller must not go on then. Under
    /// Allow only what is wrong with the disk or the controller is passed over: never what is wrong
    /// with the record, of which the agent writes a part.
    pub async fn record_intent(&self, record: Record) -> Result<IntentId, AuditError> {
        let settings = self.policies.load().map(|active| active.audit).unwrap_or_default();
        match self.durable_seq(record, true, settings.durability).await {
            Ok(seq) => Ok(IntentId(Some(seq))),
            Err(error) => {
                self.metrics.audit_failures.inc();
                tracing::warn!(%error, "Intent not recorded");
                match error {
                    error if settings.on_failure != OnFailure::Allow => Err(error),
                    AuditError::Unacknowledged(id) => Ok(id),
                    error if error.is_of_the_record() => Err(error),
                    _ => Ok(IntentId(None)),
                }
            }
        }
    }

    pub async fn append_intent(&self, record: Record) -> Result<IntentId, AuditError> {
        self.record_intent(record).await
    }

    #[allow(clippy::unused_async)]
    pub async fn durable(&self, _id: IntentId) -> Result<(), AuditError> {
        Ok(())
    }

    pub fn denied(&self, record: Record) {
        let log = self.clone();
        self.outcomes.spawn(async move { log.record_intent(record).await.ok() });
    }

    pub fn outcome(&self, id: IntentId, record: Record) {
        self.record_outcome(id, record);
    }

    /// Writes how an intent ended; `record.id` is set here. A failure is counted. Nobody waits for
    /// it but [`AuditLog::close`]: whoever got the bytes need not wait for the record of them.
    pub fn record_outcome(&self, id: IntentId, mut record: Record) {
        let Some(seq) = id.0 else { return };
        record.id = Some(seq);
        let log = self.clone();
        // Outcomes are written where things are dropped, which may be after the runtime's end.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            self.metrics.audit_failures.inc();
            return;
        };
        self.outcomes.spawn_on(async move { log.record(record).await }, &runtime);
    }

    /// Runs to its end what must not be dropped half-way, whoever waits for it. [`AuditLog::close`]
    /// waits too.
    pub(crate) fn track<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.outcomes.spawn(task)
    }

    /// Writes any other record. A failure is counted.
    pub async fn record(&self, record: Record) {
        if let Err(error) = self.durable_seq(record, false, Durability::Spooled).await {
            self.metrics.audit_failures.inc();
            tracing::warn!(%error, "Record not written");
        }
    }

    /// Writes what outcomes are still on their way and then the Close record, after which the writer
    /// takes no more, and waits up to `patience` for the controller to have it. False: it has not.
    pub async fn close(&self, patience: Duration) -> bool {
        self.outcomes.close();
        // Each of them gives up by itself after the same time.
        timeout(DISK_LIMIT, self.outcomes.wait()).await.ok();
        match self.durable_seq(Record::close(now()), false, Durability::Spooled).await {
            Ok(seq) => {
                let mut acknowledged = self.acknowledged.clone();
                matches!(timeout(patience, acknowledged.wait_for(|n| *n > seq)).await, Ok(Ok(_)))
            }
            Err(error) => {
                self.metrics.audit_failures.inc();
                tracing::warn!(%error, "Chain not closed");
                false
            }
        }
    }

    async fn durable_seq(
        &self,
        record: Record,
        number: bool,
        durability: Durability,
    ) -> Result<u64, AuditError> {
        let (done, written) = oneshot::channel();
        let append = Append { record, number, done };
        let seq = timeout(DISK_LIMIT, async {
            self.queue.send(append).await.map_err(|_| AuditError::Ended)?;
            written.await.map_err(|_| AuditError::Ended)?
        })
        .await
        .map_err(|_| AuditError::Overload)??;
        if durability == Durability::Acknowledged {
            let mut acknowledged = self.acknowledged.clone();
            let reached = timeout(ACKNOWLEDGE_LIMIT, acknowledged.wait_for(|n| *n > seq)).await;
            let late = |_| AuditError::Unacknowledged(IntentId(Some(seq)));
            reached.map_err(late)?.map_err(|_| AuditError::Ended)?;
        }
        Ok(seq)
    }
}

/// Now, as records write it.
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    exeat_audit::time::rfc3339(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
