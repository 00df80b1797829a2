//! The audit on disk: one SQLite file, written by one thread.
//!
//! Deliveries wait in a bounded queue; the thread takes what is there and commits it together, with
//! `synchronous=FULL`, before anybody is answered: the cost of a flush is shared, and whatever was
//! acknowledged survives a power cut. Reading has its own connections and never waits for writing.

use super::ingest::{Prepared, Refusal};
use exeat_audit::filter::Filter;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};

mod read;
mod write;

pub(super) use read::{ChainCount, ChainRow, Found};
pub(super) use write::Stored;

/// Deliveries that wait.
const QUEUE: usize = 64;
/// Deliveries in one commit.
const GROUP: usize = 32;
const READERS: usize = 4;
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// `PRAGMA user_version` of the schema below.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE chains (
    id INTEGER PRIMARY KEY,
    chain TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL,
    pod TEXT NOT NULL,
    public_key TEXT NOT NULL,
    last_seq INTEGER NOT NULL,
    last_link TEXT NOT NULL,
    head TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    broken INTEGER NOT NULL
) STRICT;
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    chain INTEGER NOT NULL REFERENCES chains (id),
    seq INTEGER NOT NULL,
    link TEXT NOT NULL,
    record TEXT NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    action TEXT,
    effect TEXT,
    rule TEXT,
    code TEXT,
    host TEXT,
    method TEXT,
    UNIQUE (chain, seq)
) STRICT;
CREATE INDEX entries_by_time ON entries (time);
CREATE INDEX entries_by_effect ON entries (effect, time);
CREATE TABLE forks (
    id INTEGER PRIMARY KEY,
    chain INTEGER NOT NULL REFERENCES chains (id),
    time INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    stored TEXT NOT NULL,
    claimed TEXT NOT NULL,
    head TEXT NOT NULL
) STRICT;
";

/// A handle on the store; clones share it.
#[derive(Clone)]
pub struct Store {
    deliveries: mpsc::Sender<Delivery>,
    readers: Arc<Readers>,
}

/// Why the store does not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database has schema version {0}, this build knows {SCHEMA_VERSION}")]
    Version(i64),
    #[error("the store's thread has ended")]
    Ended,
    #[error("the store is overloaded")]
    Overloaded,
    #[error("the query took longer than {} s", READ_TIMEOUT.as_secs())]
    Slow,
    #[error("what is stored cannot be read: {0}")]
    Corrupt(String),
    #[error("the store's thread cannot start: {0}")]
    Thread(std::io::Error),
}

/// What came of a delivery: stored, refused, or neither because the store cannot.
pub(super) type Delivered = Result<Result<Stored, Refusal>, StoreError>;

struct Delivery {
    batch: Prepared,
    now: u64,
    answer: oneshot::Sender<Delivered>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Store {
    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// When the file cannot be opened, or its schema is not ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        prepare_connection(&connection)?;
        migrate(&connection)?;
        let (deliveries, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("audit-store".to_owned())
            .spawn(move || write_all(connection, queue))
            .map_err(StoreError::Thread)?;
        let readers = Readers {
            path: path.to_owned(),
            idle: Mutex::new(Vec::new()),
            permits: Semaphore::new(READERS),
        };
        Ok(Self { deliveries, readers: Arc::new(readers) })
    }

    /// Waits until the writing thread is gone.
    pub(super) async fn ended(&self) {
        self.deliveries.closed().await;
    }

    /// Stores a batch; answers when it is on disk.
    pub(super) async fn deliver(&self, batch: Prepared, now: u64) -> Delivered {
        let (answer, answered) = oneshot::channel();
        self.deliveries.try_send(Delivery { batch, now, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Ended,
        })?;
        answered.await.map_err(|_| StoreError::Ended)?
    }

    pub(super) async fn chain(&self, id: String) -> Result<Option<ChainRow>, StoreError> {
        self.read(move |connection| read::chain(connection, &id)).await
    }

    /// Chains in the order of their first batch, after the row `after`.
    pub(super) async fn chains(
        &self,
        namespace: Option<String>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ChainRow>, StoreError> {
        self.read(move |connection| read::chains(connection, namespace.as_deref(), after, limit))
            .await
    }

    /// Entries of a chain beyond `after`, in order.
    pub(super) async fn entries(
        &self,
        chain: i64,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<exeat_audit::chain::Entry>, StoreError> {
        self.read(move |connection| read::entries(connection, chain, after, limit)).await
    }

    /// The last records that match, in the order of time.
    pub(super) async fn search(
        &self,
        filter: Filter,
        namespace: Option<String>,
        last: u32,
    ) -> Result<Vec<Found>, StoreError> {
        self.read(move |connection| read::search(connection, &filter, namespace.as_deref(), last))
            .await
    }

    pub(super) async fn count_chains(&self, now: u64) -> Result<ChainCount, StoreError> {
        self.read(move |connection| read::count_chains(connection, now)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = self.readers.clone();
        let acquired = tokio::time::timeout(READ_TIMEOUT, readers.permits.acquire()).await;
        let _permit =
            acquired.map_err(|_| StoreError::Overloaded)?.map_err(|_| StoreError::Ended)?;
        let connection = readers.connection()?;
        let stop = connection.get_interrupt_handle();
        let mut work = tokio::task::spawn_blocking(move || {
            let result = query(&connection);
            (connection, result)
        });
        let done = match tokio::time::timeout(READ_TIMEOUT, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                stop.interrupt();
                return Err(StoreError::Slow);
            }
        };
        let (connection, result) = done.map_err(|_| StoreError::Ended)?;
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        result
    }
}

impl Readers {
    fn connection(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        Ok(connection)
    }
}

fn prepare_connection(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(())
}

fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version {
        0 => {
            connection.execute_batch(&format!(
                "BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            ))?;
            Ok(())
        }
        SCHEMA_VERSION => Ok(()),
        other => Err(StoreError::Version(other)),
    }
}

/// The writing thread: one commit for all that waits.
fn write_all(mut connection: Connection, mut queue: mpsc::Receiver<Delivery>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match queue.try_recv() {
                Ok(delivery) => group.push(delivery),
                Err(_) => break,
            }
        }
        write::commit(&mut connection, group);
    }
}
