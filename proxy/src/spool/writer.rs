//! The thread that owns the chain.

use super::segment::{self, Recovered, SEGMENT_BYTES, Tail};
use super::{Append, AuditError, SpoolConfig, now};
use exeat_audit::chain::{ChainError, ChainId, ChainWriter};
use exeat_audit::key::SigningKey;
use exeat_audit::record::{Genesis, Kind, Record};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

/// Most records that share one `fdatasync`.
const GROUP: usize = 512;
/// How long outcomes wait for something to share an `fdatasync` with. Nobody waits for them, and
/// one of their own would hold up the intent that comes next.
const LINGER: Duration = Duration::from_millis(5);
/// While more than this is free, what the shipper has removed need not be looked up.
const AMPLE: u64 = 64 << 20;

/// A spool that was opened and whose first or restart record is on disk.
pub(super) struct Opened {
    dir: PathBuf,
    writer: ChainWriter,
    tail: Tail,
    closed_bytes: u64,
    key: SigningKey,
}

type Waiting = (u64, oneshot::Sender<Result<u64, AuditError>>);

impl Opened {
    pub(super) fn open(config: &SpoolConfig) -> Result<Self, AuditError> {
        fs::create_dir_all(&config.spool_dir)?;
        fs::create_dir_all(&config.keys_dir)?;
        let chain: ChainId = config.genesis.pod_uid.parse()?;
        let Recovered { writer, tail, closed_bytes } = segment::recover(&config.spool_dir, &chain)?;
        let key = load_key(&config.keys_dir.join("chain.key"), writer.last().is_none())?;
        let tail = match tail {
            Some(tail) => tail,
            None => Tail::create(&config.spool_dir, 0)?,
        };
        let fresh = writer.last().is_none();
        let mut opened = Self { dir: config.spool_dir.clone(), writer, tail, closed_bytes, key };
        let first = if fresh {
            let public_key = opened.key.public().to_hex();
            Record::genesis(now(), Genesis { public_key, ..config.genesis.clone() })
        } else {
            Record::restart(now())
        };
        let entry = opened.writer.prepare(&first)?;
        let mut line =
            serde_json::to_vec(&entry).map_err(|e| AuditError::Damaged(e.to_string()))?;
        line.push(b'\n');
        opened.tail.append(&line)?;
        opened.writer.commit(&entry)?;
        Ok(opened)
    }

    pub(super) fn chain(&self) -> &ChainId {
        self.writer.chain()
    }

    pub(super) const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Number of entries of the chain.
    pub(super) fn entries(&self) -> u64 {
        self.writer.last().map_or(0, |(seq, _)| seq + 1)
    }

    /// Writes until every sender is gone, or the chain is closed: nothing follows a Close but a
    /// Restart.
    pub(super) fn run(
        mut self,
        mut queue: mpsc::Receiver<Append>,
        clock: &Runtime,
        durable: &watch::Sender<u64>,
        max_bytes: u64,
    ) {
        while let Some(group) = gather(&mut queue, clock) {
            let closing = group.last().is_some_and(closes);
            self.write(group, durable, max_bytes);
            if closing {
                return;
            }
        }
    }

    fn write(&mut self, group: Vec<Append>, durable: &watch::Sender<u64>, max_bytes: u64) {
        let before = self.writer.clone();
        let mut lines = Vec::new();
        let mut waiting: Vec<Waiting> = Vec::with_capacity(group.len());
        let room = self.room(max_bytes);
        for append in group {
            match self.line(append.record, append.number) {
                Ok((seq, line)) if (lines.len() + line.len()) as u64 <= room => {
                    lines.extend_from_slice(&line);
                    waiting.push((seq, append.done));
                }
                // The entry was committed to the chain in memory; take it back.
                Ok((seq, _)) => {
                    self.writer = rewound(&before, &lines, &self.writer, seq);
                    drop(append.done.send(Err(AuditError::Full)));
                }
                Err(error) => drop(append.done.send(Err(error))),
            }
        }
        match self.append(&lines) {
            Ok(()) => {
                durable.send_replace(self.entries());
                for (seq, done) in waiting {
                    drop(done.send(Ok(seq)));
                }
            }
            Err(error) => {
                tracing::error!(%error, "Spool write failed");
                self.writer = before;
                for (_, done) in waiting {
                    drop(
                        done.send(Err(std::io::Error::new(error.kind(), error.to_string()).into())),
                    );
                }
            }
        }
    }

    fn line(&mut self, mut record: Record, number: bool) -> Result<(u64, Vec<u8>), AuditError> {
        if number {
            record.id = Some(self.entries());
        }
        let entry = match self.writer.prepare(&record) {
            // Whoever makes a record long must not be able to keep it out of the chain.
            Err(ChainError::RecordTooLong(_)) => self.writer.prepare(&record.shortened())?,
            prepared => prepared?,
        };
        let mut line =
            serde_json::to_vec(&entry).map_err(|e| AuditError::Damaged(e.to_string()))?;
        line.push(b'\n');
        self.writer.commit(&entry)?;
        Ok((entry.seq, line))
    }

    fn append(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.tail.append(lines)?;
        if self.tail.bytes > SEGMENT_BYTES {
            let next = Tail::create(&self.dir, self.entries())
                .map_err(|error| std::io::Error::other(error.to_string()));
            match next {
                Ok(next) => {
                    self.closed_bytes += self.tail.bytes;
                    self.tail = next;
                }
                // The old segment goes on; the next write tries again.
                Err(error) => tracing::warn!(%error, "New segment not made"),
            }
        }
        Ok(())
    }

    /// Bytes that may still be written. Segments are removed by the shipper, so what is known here
    /// is the least that is free; the directory is asked when that is little.
    fn room(&mut self, max_bytes: u64) -> u64 {
        let room = max_bytes.saturating_sub(self.closed_bytes + self.tail.bytes);
        if room > AMPLE {
            return room;
        }
        if let Ok(segments) = segment::list(&self.dir) {
            self.closed_bytes = segments.iter().rev().skip(1).map(|s| s.bytes).sum();
        }
        max_bytes.saturating_sub(self.closed_bytes + self.tail.bytes)
    }
}

/// What is written together: everything that waits, up to a Close. None: every sender is gone.
fn gather(queue: &mut mpsc::Receiver<Append>, clock: &Runtime) -> Option<Vec<Append>> {
    let mut group = vec![queue.blocking_recv()?];
    let until = Instant::now() + LINGER;
    let patient = |append: &Append| append.record.kind == Kind::Outcome;
    let mut lingering = patient(&group[0]);
    while group.len() < GROUP && !group.last().is_some_and(closes) {
        let next = match queue.try_recv() {
            Ok(next) => next,
            Err(_) if !lingering => break,
            Err(_) => match clock.block_on(async { timeout_at(until, queue.recv()).await }) {
                Ok(Some(next)) => next,
                // Time is up, or nobody is left who could write more.
                Ok(None) | Err(_) => break,
            },
        };
        lingering &= patient(&next);
        group.push(next);
    }
    Some(group)
}

fn closes(append: &Append) -> bool {
    append.record.kind == Kind::Close
}

/// The writer as it was before the entry `seq`, by replaying the lines that were kept.
fn rewound(before: &ChainWriter, lines: &[u8], now: &ChainWriter, seq: u64) -> ChainWriter {
    let mut writer = before.clone();
    for line in lines.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let committed =
            serde_json::from_slice(line).ok().and_then(|entry| writer.commit(&entry).ok());
        if committed.is_none() {
            tracing::error!(seq, "Chain could not be rewound");
            return now.clone();
        }
    }
    writer
}

/// The chain's key: made with the chain, and never again for it.
fn load_key(path: &Path, fresh: bool) -> Result<SigningKey, AuditError> {
    match fs::read(path) {
        Ok(bytes) => {
            let seed: [u8; 32] = bytes
                .try_into()
                .map_err(|_| AuditError::Damaged("the chain's key is malformed".to_owned()))?;
            Ok(SigningKey::from_seed(&seed))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && fresh => {
            let seed: [u8; 32] = rand::random();
            let part = path.with_extension("part");
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&part)?;
            file.write_all(&seed)?;
            file.sync_all()?;
            fs::rename(part, path)?;
            Ok(SigningKey::from_seed(&seed))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(AuditError::KeyLost),
        Err(error) => Err(error.into()),
    }
}
