//! The two threads of the spool. One brings what was appended to the disk, at most 20 ms later, and
//! writes the denials that were counted. The other makes the next segment and removes those that the
//! collector has; it is apart so that nobody's sync waits for four mebibytes of zeros. They are
//! threads of their own because each of their calls may block for as long as a disk takes. Both
//! sleep while there is nothing to do.

use super::AuditError;
use super::fold::Fold;
use super::storage::Storage;
use super::writer::ahead::make_spare;
use super::writer::sync::Job;
use super::writer::{Purpose, Writer};
use crate::metrics::ProxyMetrics;
use exeat_audit::chain::ChainId;
use exeat_audit::record::RecordRef;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// While there is always something to sync, segments are marked no more often than this.
const MARK_EVERY: Duration = Duration::from_millis(100);
/// Neither thread calls anything deep.
const STACK: usize = 256 << 10;

/// What the handles, the shipper and the two threads share.
pub(super) struct Shared {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    pub(super) chain: ChainId,
    state: Mutex<State>,
    sync_bell: Condvar,
    ahead_bell: Condvar,
    /// Locked before `state`, where both are.
    fold: Mutex<Fold>,
    metrics: Arc<ProxyMetrics>,
    /// Number of entries that somebody waits for at the collector.
    pub(super) wanted_shipped: AtomicU64,
    pub(super) ship_bell: Notify,
    /// Number of entries that the collector has.
    pub(super) acknowledged: watch::Sender<u64>,
    /// Cancelled once one of the threads has ended.
    pub(super) over: CancellationToken,
}

pub(super) struct State {
    pub(super) writer: Writer,
    /// Number of entries that somebody waits for on the disk.
    wanted: u64,
    /// When denials that were counted are written.
    fold_due: Option<Instant>,
    /// Number of entries whose segments may be removed; none until there is something new to try.
    removable: Option<u64>,
    ending: bool,
    sync_sleep: Sleep,
    ahead_sleep: Sleep,
}

/// How a thread sleeps: ringing a bell costs a system call, so it is rung when it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    Awake,
    /// Until a moment, or until it is rung.
    Until(Option<Instant>),
}

enum SyncTask {
    Sync(Job),
    Fold,
    End,
}

enum AheadTask {
    Make(u64),
    Remove(PathBuf),
    End,
}

impl Sleep {
    /// Whether the thread has to be woken to do something by `due`.
    fn misses(self, due: Option<Instant>) -> bool {
        match (self, due) {
            (Self::Awake, _) | (_, None) => false,
            (Self::Until(None), Some(_)) => true,
            (Self::Until(Some(until)), Some(due)) => due < until,
        }
    }
}

impl State {
    /// Wakes the thread that syncs if it sleeps beyond what it has to do.
    fn ring_sync(&mut self, bell: &Condvar) {
        let due = self.writer.sync_due(self.wanted).into_iter().chain(self.fold_due).min();
        if self.sync_sleep.misses(due) {
            self.sync_sleep = Sleep::Awake;
            bell.notify_one();
        }
    }
}

impl Shared {
    pub(super) fn new(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        chain: ChainId,
        writer: Writer,
        metrics: Arc<ProxyMetrics>,
    ) -> Self {
        Self {
            storage,
            dir,
            chain,
            state: Mutex::new(State {
                writer,
                wanted: 0,
                fold_due: None,
                removable: None,
                ending: false,
                sync_sleep: Sleep::Awake,
                ahead_sleep: Sleep::Awake,
            }),
            sync_bell: Condvar::new(),
            ahead_bell: Condvar::new(),
            fold: Mutex::new(Fold::new(Instant::now())),
            metrics,
            wanted_shipped: AtomicU64::new(0),
            ship_bell: Notify::new(),
            acknowledged: watch::Sender::new(0),
            over: CancellationToken::new(),
        }
    }

    /// Starts both threads. Returns the number of entries that are on disk, as it grows; its sender
    /// is gone once nothing is synced any more.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<watch::Receiver<u64>> {
        let (sender, synced) = watch::channel(self.lock().map_or(0, |state| state.writer.synced()));
        let shared = Arc::clone(self);
        thread::Builder::new().name("audit-sync".to_owned()).stack_size(STACK).spawn(
            move || {
                let _over = Over(&shared);
                shared.run_sync(&sender);
            },
        )?;
        let shared = Arc::clone(self);
        thread::Builder::new().name("audit-ahead".to_owned()).stack_size(STACK).spawn(
            move || {
                let _over = Over(&shared);
                shared.run_ahead();
            },
        )?;
        Ok(synced)
    }

    /// # Errors
    /// When a thread panicked within an append: what it left behind is not to be trusted.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, State>, AuditError> {
        self.state.lock().map_err(|_| AuditError::Ended)
    }

    /// See [`Writer::append`].
    pub(super) fn append(
        &self,
        record: RecordRef<'_>,
        purpose: Purpose,
        now: Instant,
    ) -> Result<u64, AuditError> {
        let mut state = self.lock()?;
        let appended = state.writer.append(record, purpose, now);
        state.ring_sync(&self.sync_bell);
        if state.ahead_sleep.misses(state.writer.spare_due(now)) {
            state.ahead_sleep = Sleep::Awake;
            self.ahead_bell.notify_one();
        }
        appended
    }

    #[cfg(test)]
    pub(super) fn sync_sleeps(&self) -> bool {
        self.lock().is_ok_and(|state| state.sync_sleep != Sleep::Awake)
    }

    /// Somebody waits until that many entries are on disk.
    pub(super) fn want(&self, entries: u64) {
        let Ok(mut state) = self.lock() else { return };
        state.wanted = state.wanted.max(entries);
        state.ring_sync(&self.sync_bell);
    }

    /// Somebody waits until the collector has that many entries.
    pub(super) fn want_shipped(&self, entries: u64) {
        self.wanted_shipped.fetch_max(entries, Ordering::Relaxed);
        self.want(entries);
        self.ship_bell.notify_one();
    }

    /// The collector has that many entries.
    pub(super) fn acknowledge(&self, entries: u64) {
        self.acknowledged.send_replace(entries);
        let Ok(mut state) = self.lock() else { return };
        state.writer.recent().forget(entries);
        state.removable = Some(entries);
        if state.ahead_sleep != Sleep::Awake && state.writer.removable(entries).is_some() {
            state.ahead_sleep = Sleep::Awake;
            self.ahead_bell.notify_one();
        }
    }

    /// Writes a denial, or counts it.
    pub(super) fn denied(&self, record: RecordRef<'_>, now: Instant) -> Result<(), AuditError> {
        let mut fold = self.fold.lock().map_err(|_| AuditError::Ended)?;
        let mut result = Ok(());
        if fold.take(&record, now)
            && let Err(error) = self.append(record, Purpose::Other, now)
        {
            fold.put_back(&record.to_record(), now);
            result = Err(error);
        }
        self.fold_at(now);
        result
    }

    /// Writes the denials that were counted: those that are due, or all of them.
    ///
    /// # Errors
    /// When one could not be written. It is still counted then.
    pub(super) fn flush_folded(&self, all: bool, now: Instant) -> Result<(), AuditError> {
        let mut fold = self.fold.lock().map_err(|_| AuditError::Ended)?;
        let mut result = Ok(());
        for record in if all { fold.drain(now) } else { fold.due(now) } {
            if let Err(error) = self.append(RecordRef::from(&record), Purpose::Other, now) {
                self.metrics.audit_failures.inc();
                fold.put_back(&record, now);
                result = Err(error);
            }
        }
        if !fold.is_empty() {
            self.fold_at(now);
        }
        result
    }

    fn fold_at(&self, now: Instant) {
        let Ok(mut state) = self.lock() else { return };
        if state.fold_due.is_none() {
            state.fold_due = Some(now + state.writer.limits().fold);
            state.ring_sync(&self.sync_bell);
        }
    }

    /// Writes out what is in memory, and ends the threads once it is on disk.
    pub(super) fn end(&self) {
        if let Err(error) = self.flush_folded(true, Instant::now()) {
            tracing::debug!(%error, "Counted denials not written");
        }
        let Ok(mut state) = self.lock() else { return };
        state.ending = true;
        self.sync_bell.notify_one();
        self.ahead_bell.notify_one();
    }
}

/// The thread that syncs.
impl Shared {
    fn run_sync(&self, synced: &watch::Sender<u64>) {
        let mut marked = Instant::now();
        loop {
            match self.next_sync_task() {
                Ok(SyncTask::Sync(job)) => {
                    if self.sync(&job, &mut marked, synced).is_err() {
                        return;
                    }
                }
                Ok(SyncTask::Fold) => {
                    if let Err(error) = self.flush_folded(false, Instant::now()) {
                        tracing::warn!(%error, "Counted denials not written");
                    }
                }
                Ok(SyncTask::End) | Err(_) => return,
            }
        }
    }

    fn next_sync_task(&self) -> Result<SyncTask, AuditError> {
        let mut state = self.lock()?;
        loop {
            let now = Instant::now();
            let (sync, fold) = (state.writer.sync_due(state.wanted), state.fold_due);
            if state.ending || sync.is_some_and(|due| due <= now) {
                match state.writer.begin_sync(now) {
                    Some(job) => return Ok(SyncTask::Sync(job)),
                    None if state.ending => return Ok(SyncTask::End),
                    None => continue,
                }
            }
            if fold.is_some_and(|due| due <= now) {
                state.fold_due = None;
                return Ok(SyncTask::Fold);
            }
            let until = sync.into_iter().chain(fold).min();
            state.sync_sleep = Sleep::Until(until);
            state = sleep(&self.sync_bell, state, until)?;
            state.sync_sleep = Sleep::Awake;
        }
    }

    /// # Errors
    /// When nothing more can be synced, or nobody waits for another try.
    fn sync(
        &self,
        job: &Job,
        marked: &mut Instant,
        synced: &watch::Sender<u64>,
    ) -> Result<(), AuditError> {
        let result = job.run(&*self.storage, &self.dir, &self.chain);
        let (failed, lost) = match &result {
            Ok(()) => (false, false),
            Err(error) => (true, error.kind() == ErrorKind::InvalidData),
        };
        let now = Instant::now();
        let (entries, idle) = {
            let mut state = self.lock()?;
            let entries = state.writer.finish_sync(job, result, now);
            if lost || (failed && state.ending) {
                return Err(AuditError::Ended);
            }
            (entries, state.writer.sync_due(0).is_none())
        };
        if !failed {
            synced.send_replace(entries);
            if idle || job.crosses_segments() || now > *marked + MARK_EVERY {
                job.mark(&*self.storage);
                *marked = now;
            }
        }
        Ok(())
    }
}

/// The thread that makes and removes segments.
impl Shared {
    fn run_ahead(&self) {
        loop {
            match self.next_ahead_task() {
                Ok(AheadTask::Make(bytes)) => {
                    let made = make_spare(&*self.storage, &self.dir, bytes);
                    let Ok(mut state) = self.lock() else { return };
                    state.writer.spare_made(made, Instant::now());
                }
                Ok(AheadTask::Remove(path)) => {
                    let removed = self.storage.remove(&path);
                    let Ok(mut state) = self.lock() else { return };
                    match removed {
                        Err(error) if error.kind() != ErrorKind::NotFound => {
                            tracing::warn!(%error, "Segment not removed");
                            state.removable = None;
                        }
                        _ => state.writer.removed(),
                    }
                }
                Ok(AheadTask::End) | Err(_) => return,
            }
        }
    }

    fn next_ahead_task(&self) -> Result<AheadTask, AuditError> {
        let mut state = self.lock()?;
        loop {
            let now = Instant::now();
            if state.ending {
                return Ok(AheadTask::End);
            }
            let due = state.writer.spare_due(now);
            if due.is_some_and(|due| due <= now) {
                state.writer.spare_begun();
                return Ok(AheadTask::Make(state.writer.limits().segment));
            }
            if let Some(path) = state.removable.and_then(|n| state.writer.removable(n)) {
                return Ok(AheadTask::Remove(path));
            }
            state.ahead_sleep = Sleep::Until(due);
            state = sleep(&self.ahead_bell, state, due)?;
            state.ahead_sleep = Sleep::Awake;
        }
    }
}

fn sleep<'a>(
    bell: &Condvar,
    state: MutexGuard<'a, State>,
    until: Option<Instant>,
) -> Result<MutexGuard<'a, State>, AuditError> {
    match until {
        None => bell.wait(state).map_err(|_| AuditError::Ended),
        Some(until) => {
            let wait = until.saturating_duration_since(Instant::now());
            bell.wait_timeout(state, wait).map(|(state, _)| state).map_err(|_| AuditError::Ended)
        }
    }
}

/// Says that a thread has ended, however it did: nothing may be appended then.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.lock() {
            state.writer.end();
        }
        self.0.over.cancel();
    }
}
