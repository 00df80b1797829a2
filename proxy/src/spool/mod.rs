//! Write-ahead audit. A decision is in the pod's chain before a byte of what was decided goes out;
//! the controller gets it when it can.
//!
//! An append hands the record to the kernel and returns: that survives any death of the proxy. A
//! thread brings it to the disk within 20 ms, which survives the node's as well. Who must not go on
//! before that, or before the collector has it, waits in [`AuditLog::durable`], as the policy in
//! force says. Denials release no byte and wait for nothing; neither do outcomes.
//!
//! A full or broken spool follows `audit.onFailure`, here and nowhere else.

mod background;
mod carry;
mod fold;
mod key;
mod recent;
pub mod recover;
pub mod segment;
mod shipping;
mod storage;
mod writer;

pub use shipping::{Body, Shipping};

use crate::metrics::ProxyMetrics;
use crate::state::{Active, PolicyState};
use background::Shared;
use exeat_audit::chain::{ChainError, ChainId};
use exeat_audit::record::{Genesis, Kind, Record, RecordRef};
use exeat_audit::time::Stamp;
use exeat_policy::snapshot::{AuditSettings, Durability, OnFailure};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use storage::{FileSystem, Storage};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::timeout;
use writer::{Limits, Purpose, Writer};

/// Why a record could not be written, or a spool not be opened.
#[derive(Debug, Error)]
pub enum AuditError {
    #[error("the audit spool is full")]
    Full,
    #[error("the audit spool cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error(
        "the audit spool is damaged: {0}. Keep a copy of its volume for whoever looks into it; then \
         delete the pod. Its replacement begins a chain of its own; what this one did not deliver is \
         lost, and at the collector its end stays unproven"
    )]
    Damaged(String),
    #[error(
        "the audit spool holds entries, and the key of their chain (chain.key) is gone. Delete the \
         pod: its replacement begins a chain of its own; what this one did not deliver is lost, and \
         at the collector its end stays unproven"
    )]
    KeyLost,
    #[error(
        "the audit spool of the version before cannot be carried over: {0}. Start that version again \
         until it has delivered everything, or delete the pod: its replacement begins a chain of its \
         own; what this one did not deliver is lost, and at the collector its end stays unproven"
    )]
    Old(String),
    #[error("the disk of the audit spool does not keep up")]
    Overload,
    #[error("the audit spool is closed")]
    Ended,
    /// It is in the chain here all the same.
    #[error("the collector did not acknowledge the record in time")]
    Unacknowledged,
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Where a chain lives and whose it is.
#[derive(Debug, Clone)]
pub struct SpoolConfig {
    /// Segments and the chain's key.
    pub spool_dir: PathBuf,
    /// Where the version before kept the chain's key.
    pub keys_dir: PathBuf,
    /// Most bytes of entries. The segment that is made ahead and the rest of the current one come on
    /// top: 8 MiB.
    pub max_bytes: u64,
    /// `public_key` is filled in here.
    pub genesis: Genesis,
}

/// Joins an outcome to its intent. None where the intent was let pass unrecorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntentId(Option<u64>);

/// The handle that the rest of the proxy writes by. Cheap to clone. When the last one is dropped,
/// what is in memory is written and synced, and the threads end.
#[derive(Clone)]
pub struct AuditLog(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    policies: Arc<PolicyState>,
    metrics: Arc<ProxyMetrics>,
    /// Number of entries on disk here, and on the collector's.
    synced: watch::Receiver<u64>,
    /// `synced` as the runtime's own threads tell it on.
    told: OnceLock<watch::Receiver<u64>>,
    acknowledged: watch::Receiver<u64>,
    limits: Limits,
    /// The last intent was not written: only the first failure of a row is logged.
    failing: AtomicBool,
}

impl AuditError {
    /// Whether the fault is the record's, and not the disk's or the controller's.
    const fn is_of_the_record(&self) -> bool {
        matches!(self, Self::Chain(_))
    }
}

impl Limits {
    const fn new(spool: u64) -> Self {
        Self {
            segment: 4 << 20,
            spool,
            recent: 4 << 20,
            sync: Duration::from_millis(20),
            apart: Duration::from_millis(1),
            retry: Duration::from_millis(200),
            fold: fold::EVERY,
            disk: Duration::from_secs(5),
            collector: Duration::from_secs(10),
        }
    }
}

impl AuditLog {
    /// Opens or begins the chain: its Genesis or Restart is on disk when this returns. Starts the
    /// threads that sync, make and remove segments; see [`AuditLog::over`].
    ///
    /// # Errors
    /// When the directories cannot be used, the spool is damaged, its key is lost, or it is one of
    /// the version before that cannot be carried over.
    pub fn open(
        config: SpoolConfig,
        policies: Arc<PolicyState>,
        metrics: Arc<ProxyMetrics>,
    ) -> Result<(Self, Shipping), AuditError> {
        let limits = Limits::new(config.max_bytes);
        Self::open_with(config, policies, metrics, limits, Arc::new(FileSystem))
    }

    fn open_with(
        config: SpoolConfig,
        policies: Arc<PolicyState>,
        metrics: Arc<ProxyMetrics>,
        limits: Limits,
        storage: Arc<dyn Storage>,
    ) -> Result<(Self, Shipping), AuditError> {
        let dir = config.spool_dir;
        fs::create_dir_all(&dir)?;
        fs::create_dir_all(&config.keys_dir)?;
        let chain: ChainId = config.genesis.pod_uid.parse()?;
        carry::carry_over(&*storage, &dir, &chain, limits.spool / 2)?;
        let found = recover::recover(&dir, &chain)?;
        let begun = found.tip.next > 0;
        let key = Arc::new(key::load_key(&*storage, &dir, &config.keys_dir, begun)?);
        let genesis = Genesis { public_key: key.public().to_hex(), ..config.genesis };
        let time = now();
        let cut = (found.cut > 0).then_some(found.cut);
        let first = if begun {
            let unclean = !found.closed || cut.is_some();
            RecordRef { unclean, cut, ..RecordRef::new(Kind::Restart, &time) }
        } else {
            RecordRef { genesis: Some(&genesis), ..RecordRef::new(Kind::Genesis, &time) }
        };
        if begun && first.unclean {
            tracing::warn!(cut = found.cut, "Spool of a run that did not end in order");
        }
        let writer = Writer::begin(
            Arc::clone(&storage),
            &dir,
            chain.clone(),
            limits,
            found.segments.clone(),
            found.tip,
            first,
        )?;
        found.tidy(&*storage, &dir);
        let shared = Shared::new(storage, dir, chain, writer, Arc::clone(&metrics));
        let shared = Arc::new(shared);
        let synced = shared.start()?;
        let acknowledged = shared.acknowledged.subscribe();
        let shipping = Shipping::new(Arc::clone(&shared), key, synced.clone());
        let failing = AtomicBool::new(false);
        let told = OnceLock::new();
        let handle =
            Handle { shared, policies, metrics, synced, told, acknowledged, limits, failing };
        Ok((Self(Arc::new(handle)), shipping))
    }

    /// Appends a decided, allowed intent, whose `id` is set here. It is in the kernel when this
    /// returns, and room is reserved for its outcome. For no longer than an append this waits for
    /// others that append.
    ///
    /// # Errors
    /// When it cannot be written and `onFailure` is Deny; the caller must not go on then. Under
    /// Allow only what is wrong with the disk is passed over: never what is wrong with the record,
    /// of which the agent writes a part.
    pub fn append_intent(&self, record: RecordRef<'_>) -> Result<IntentId, AuditError> {
        self.append_allowed(record, Purpose::Intent)
    }

    /// As [`append_intent`](Self::append_intent), for an intent that has no outcome: the answer to a
    /// question about a name.
    ///
    /// # Errors
    /// As `append_intent`.
    pub fn append_answer(&self, record: RecordRef<'_>) -> Result<(), AuditError> {
        self.append_allowed(record, Purpose::Answer).map(drop)
    }

    fn append_allowed(
        &self,
        record: RecordRef<'_>,
        purpose: Purpose,
    ) -> Result<IntentId, AuditError> {
        match self.0.shared.append(record, purpose, Instant::now()) {
            Ok(seq) => {
                if self.0.failing.load(Ordering::Relaxed) {
                    self.0.failing.store(false, Ordering::Relaxed);
                }
                Ok(IntentId(Some(seq)))
            }
            Err(error) => self.failed(error).map(|()| IntentId(None)),
        }
    }

    /// Waits until the intent is as durable as the policy in force asks. Dropping the future changes
    /// nothing.
    ///
    /// # Errors
    /// When it is not so in time and `onFailure` is Deny. The intent is in the chain: its outcome is
    /// to be written.
    pub async fn durable(&self, id: IntentId) -> Result<(), AuditError> {
        let Some(seq) = id.0 else { return Ok(()) };
        let reached = match self.settings().durability {
            Durability::Spooled => return Ok(()),
            Durability::Synced => Box::pin(self.synced(seq)).await,
            Durability::Acknowledged => {
                Box::pin(self.acknowledged(seq, self.0.limits.collector)).await
            }
        };
        reached.or_else(|error| self.failed(error))
    }

    async fn synced(&self, seq: u64) -> Result<(), AuditError> {
        self.0.shared.want(seq + 1);
        let mut synced = self.told();
        match timeout(self.0.limits.disk, synced.wait_for(|entries| *entries > seq)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(AuditError::Ended),
            Err(_) => Err(self.0.shared.lock()?.writer.fault()),
        }
    }

    /// Waking a task from the thread that syncs costs a system call. So it wakes one, which wakes
    /// all that wait.
    fn told(&self) -> watch::Receiver<u64> {
        let tell = || {
            let mut synced = self.0.synced.clone();
            let (teller, told) = watch::channel(*synced.borrow_and_update());
            tokio::spawn(async move {
                while synced.changed().await.is_ok() {
                    teller.send_replace(*synced.borrow_and_update());
                }
            });
            told
        };
        self.0.told.get_or_init(tell).clone()
    }

    async fn acknowledged(&self, seq: u64, patience: Duration) -> Result<(), AuditError> {
        self.0.shared.want_shipped(seq + 1);
        let mut acknowledged = self.0.acknowledged.clone();
        match timeout(patience, acknowledged.wait_for(|entries| *entries > seq)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(AuditError::Ended),
            Err(_) => Err(AuditError::Unacknowledged),
        }
    }

    /// Counts a failure and applies `onFailure` to it.
    fn failed(&self, error: AuditError) -> Result<(), AuditError> {
        self.0.metrics.audit_failures.inc();
        if !self.0.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "Intent not recorded");
        }
        let passed_over =
            self.settings().on_failure == OnFailure::Allow && !error.is_of_the_record();
        if passed_over { Ok(()) } else { Err(error) }
    }

    fn settings(&self) -> AuditSettings {
        self.0.policies.load().map(|active| active.audit).unwrap_or_default()
    }

    /// Writes a refusal, or counts it: equal ones that follow within a second become one record, and
    /// a flood of different ones a few. What cannot be written is counted as a failure, and written
    /// later.
    pub fn denied(&self, record: RecordRef<'_>) {
        if let Err(error) = self.0.shared.denied(record, Instant::now()) {
            self.0.metrics.audit_failures.inc();
            tracing::debug!(%error, "Denial not written yet");
        }
    }

    /// Writes how an intent ended; `record.id` is set here. It waits for nothing, and may be called
    /// while the runtime ends. A failure is counted.
    pub fn outcome(&self, id: IntentId, record: RecordRef<'_>) {
        let Some(seq) = id.0 else { return };
        self.other(RecordRef { id: Some(seq), ..record }, Purpose::Outcome);
    }

    /// Writes that a snapshot took effect, after all denials that were counted under the one before.
    pub fn policy(&self, active: &Active) {
        // What could not be written was counted there, and stays for later.
        self.0.shared.flush_folded(true, Instant::now()).ok();
        self.record(RecordRef {
            policy: Some(active.policies.digest()),
            durability: Some(active.audit.durability.as_str()),
            ..RecordRef::new(Kind::Policy, &now())
        });
    }

    /// Writes any other record. A failure is counted.
    pub fn record(&self, record: RecordRef<'_>) {
        self.other(record, Purpose::Other);
    }

    fn other(&self, record: RecordRef<'_>, purpose: Purpose) {
        if let Err(error) = self.0.shared.append(record, purpose, Instant::now()) {
            self.0.metrics.audit_failures.inc();
            tracing::warn!(%error, "Record not written");
        }
    }

    /// Writes the denials that were counted and the Close record, after which nothing is taken any
    /// more, and waits up to `patience` for the controller to have it. False: it has not.
    pub async fn close(&self, patience: Duration) -> bool {
        self.0.shared.flush_folded(true, Instant::now()).ok();
        let time = now();
        let close = RecordRef::new(Kind::Close, &time);
        let closed = match self.0.shared.append(close, Purpose::Close, Instant::now()) {
            Ok(seq) => self.synced(seq).await.map(|()| seq),
            Err(error) => Err(error),
        };
        match closed {
            Ok(seq) => self.acknowledged(seq, patience).await.is_ok(),
            Err(error) => {
                self.0.metrics.audit_failures.inc();
                tracing::warn!(%error, "Chain not closed");
                false
            }
        }
    }

    /// Returns once one of the spool's threads has ended. While handles are left that is a fault,
    /// after which nothing more is recorded: it must end the process.
    pub async fn over(&self) {
        self.0.shared.over.cancelled().await;
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("chain", &self.0.shared.chain).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// Now, as records write it.
pub fn now() -> Stamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Every record in a spool, for tests and for whoever looks into one.
///
/// # Errors
/// As [`recover::recover`].
pub fn records(dir: &std::path::Path, chain: &ChainId) -> Result<Vec<Record>, AuditError> {
    let mut records = Vec::new();
    recover::recover_each(dir, chain, |_, bytes| records.extend(serde_json::from_slice(bytes)))?;
    Ok(records)
}

#[cfg(test)]
mod tests;
