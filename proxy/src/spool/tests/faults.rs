//! A disk that fails at every operation in turn. Whatever it is: nothing that was answered as
//! appended is missing afterwards, nothing that was signed is contradicted, and the spool opens.

use super::*;
use std::fs::File;
use std::io;
use std::sync::atomic::AtomicUsize;

/// What becomes of an operation that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing was done.
    Before,
    /// Half of the bytes were written.
    Halfway,
    /// It was done, and the error is untrue.
    After,
}

/// Fails `many` operations from the operation `first` on.
struct Faulty {
    operations: AtomicUsize,
    first: usize,
    many: usize,
    fault: Fault,
}

impl Faulty {
    fn new(first: usize, many: usize, fault: Fault) -> Arc<Self> {
        Arc::new(Self { operations: AtomicUsize::new(0), first, many, fault })
    }

    fn fails(&self) -> bool {
        let operation = self.operations.fetch_add(1, Ordering::SeqCst);
        operation >= self.first && operation - self.first < self.many
    }

    fn or<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if !self.fails() {
            return act();
        }
        if self.fault == Fault::After {
            act()?;
        }
        Err(io::ErrorKind::StorageFull.into())
    }
}

impl Storage for Faulty {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.or(|| FileSystem.create(path))
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if !self.fails() {
            return FileSystem.write(file, bytes, offset);
        }
        match self.fault {
            Fault::Before => {}
            Fault::Halfway => FileSystem.write(file, &bytes[..bytes.len() / 2], offset)?,
            Fault::After => FileSystem.write(file, bytes, offset)?,
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.or(|| FileSystem.truncate(file, length))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.or(|| FileSystem.sync(file))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.or(|| FileSystem.sync_dir(dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.or(|| FileSystem.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.or(|| FileSystem.remove(path))
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.or(|| FileSystem.make_dir(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.or(|| FileSystem.remove_dir(path))
    }
}

/// What a run was promised.
#[derive(Default)]
struct Promised {
    /// Sequence numbers and resources of intents that were answered as appended.
    intents: Vec<(u64, String)>,
    /// The records of a batch whose head was signed.
    signed: Vec<Vec<u8>>,
}

/// Opens a spool on the storage and fills a few segments, over a collector that takes some of it.
/// `patience`: how long the disk is waited for, twice.
async fn run(dir: &Path, storage: Arc<dyn Storage>, patience: Duration) -> Promised {
    let mut promised = Promised::default();
    let opened = open_with(dir, limits(), storage, durability(Durability::Synced));
    let Ok((log, mut shipping)) = opened else { return promised };
    for n in 0..45 {
        let resource = format!("https://api.example/{n}/{}", "x".repeat(n * 7));
        if let Ok(id) = log.append_intent(intent(&resource)) {
            promised.intents.push((id.0.unwrap(), resource));
            log.outcome(id, outcome());
        }
        if n % 6 == 0 {
            next_segment(&log);
        }
        if n == 15 || n == 30 {
            let last = promised.intents.last().map_or(0, |(seq, _)| *seq);
            tokio::time::timeout(patience, shipping.synced_beyond(last)).await.ok();
        }
    }
    if let Ok(body) = shipping.batch(0).await {
        let plain = batch::decompress(&body.bytes, BatchLimits::COLLECTOR).unwrap();
        let batch = batch::decode(&plain, BatchLimits::COLLECTOR).unwrap();
        promised.signed = batch.records.into_iter().map(<[u8]>::to_vec).collect();
    }
    drop_and_wait(log, shipping).await;
    promised
}

fn kept(dir: &Path) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let spool = dir.join("spool");
    recover::recover_each(&spool, &POD.parse().unwrap(), |_, record| records.push(record.to_vec()))
        .unwrap();
    records
}

async fn holds_with(first: usize, many: usize, fault: Fault) {
    let dir = directory();
    // What waits for a disk that fails would wait for long.
    let patience = Duration::from_millis(5);
    let promised = run(dir.path(), Faulty::new(first, many, fault), patience).await;
    let (log, shipping) = open(dir.path())
        .unwrap_or_else(|error| panic!("{many} from {first} on, {fault:?}: {error}"));
    drop_and_wait(log, shipping).await;
    let kept = kept(dir.path());
    for (seq, resource) in &promised.intents {
        let record = kept.get(usize::try_from(*seq).unwrap());
        let record: Option<Record> = record.map(|bytes| serde_json::from_slice(bytes).unwrap());
        let found = record.and_then(|record| record.resource);
        assert_eq!(found.as_ref(), Some(resource), "{many} from {first} on, {fault:?}: {seq}");
    }
    let signed = &promised.signed;
    assert_eq!(kept.get(..signed.len()), Some(&signed[..]), "{many} from {first} on, {fault:?}");
}

/// How many operations a run takes on a disk that works.
async fn operations() -> usize {
    let dir = directory();
    let storage = Faulty::new(usize::MAX, 0, Fault::Before);
    let promised = run(dir.path(), storage.clone(), LONG).await;
    assert_eq!(promised.intents.len(), 45);
    assert!(promised.signed.len() > 30);
    assert!(segment::list(&dir.path().join("spool")).unwrap().len() > 4);
    storage.operations.load(Ordering::SeqCst)
}

#[tokio::test]
async fn an_operation_that_fails_once_loses_nothing() {
    for first in 0..operations().await {
        for fault in [Fault::Before, Fault::Halfway, Fault::After] {
            holds_with(first, 1, fault).await;
        }
    }
}

#[tokio::test]
async fn a_disk_that_fails_for_a_while_or_for_good_loses_nothing() {
    for first in 0..operations().await {
        let fault = [Fault::Before, Fault::Halfway, Fault::After][first % 3];
        holds_with(first, 3, fault).await;
        holds_with(first, usize::MAX, fault).await;
    }
}

#[tokio::test]
async fn a_write_that_fails_refuses_the_intent_and_the_next_one_is_taken() {
    let dir = directory();
    // Opening takes a fixed number of operations, and nothing else writes before the first intent.
    let count = Faulty::new(usize::MAX, 0, Fault::Before);
    let limits = Limits { sync: LONG, ..limits() };
    let settings = AuditSettings::default();
    let (log, shipping) = open_with(dir.path(), limits, count.clone(), settings).unwrap();
    drop_and_wait(log, shipping).await;
    let dir = directory();
    let opening = {
        let count = Faulty::new(usize::MAX, 0, Fault::Before);
        let opened = open_with(dir.path(), limits, count.clone(), settings).unwrap();
        let operations = count.operations.load(Ordering::SeqCst);
        drop_and_wait(opened.0, opened.1).await;
        operations
    };
    let dir = directory();
    let storage = Faulty::new(opening, 1, Fault::Halfway);
    let (log, shipping) = open_with(dir.path(), limits, storage, settings).unwrap();
    let long = format!("https://api.example/{}", "x".repeat(1000));
    assert!(matches!(log.append_intent(intent(&long)), Err(AuditError::Io(_))));
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    assert_eq!(id, IntentId(Some(1)), "the one that was refused has no place in the chain");
    // Nothing of it is left in the file, although what came after is shorter.
    let found = recover::recover(&dir.path().join("spool"), &POD.parse().unwrap()).unwrap();
    assert_eq!((found.tip.next, found.cut), (2, 0));
    drop_and_wait(log, shipping).await;
}

#[tokio::test]
async fn a_disk_that_cannot_sync_refuses_intents_until_it_can() {
    /// Cannot sync while the file `broken` is there.
    struct Unsynced(std::path::PathBuf);
    impl Storage for Unsynced {
        fn create(&self, path: &Path) -> io::Result<File> {
            FileSystem.create(path)
        }
        fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
            FileSystem.write(file, bytes, offset)
        }
        fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
            FileSystem.truncate(file, length)
        }
        fn sync(&self, file: &File) -> io::Result<()> {
            if self.0.exists() {
                return Err(io::Error::other("broken"));
            }
            FileSystem.sync(file)
        }
        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            FileSystem.sync_dir(dir)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            FileSystem.rename(from, to)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            FileSystem.remove(path)
        }
        fn make_dir(&self, path: &Path) -> io::Result<()> {
            FileSystem.make_dir(path)
        }
        fn remove_dir(&self, path: &Path) -> io::Result<()> {
            FileSystem.remove_dir(path)
        }
    }
    let dir = directory();
    let broken = dir.path().join("broken");
    let limits = Limits { disk: Duration::from_millis(50), ..limits() };
    let settings = durability(Durability::Synced);
    let (log, mut shipping) =
        open_with(dir.path(), limits, Arc::new(Unsynced(broken.clone())), settings).unwrap();
    std::fs::write(&broken, "").unwrap();
    let id = log.append_intent(intent("https://api.example/1")).unwrap();
    assert!(matches!(log.durable(id).await, Err(AuditError::Io(_))), "it is not on disk");
    log.outcome(id, outcome());
    assert!(matches!(log.append_intent(intent("https://b.example/")), Err(AuditError::Io(_))));
    std::fs::remove_file(&broken).unwrap();
    shipping.synced_beyond(2).await.unwrap();
    let id = log.append_intent(intent("https://api.example/2")).unwrap();
    log.durable(id).await.unwrap();
    drop_and_wait(log, shipping).await;
    assert_eq!(written(dir.path()).len(), 4);
}

/// Does so many operations and none after them.
pub(super) fn dead_after(operations: usize) -> Arc<dyn Storage> {
    Faulty::new(operations, usize::MAX, Fault::Before)
}
