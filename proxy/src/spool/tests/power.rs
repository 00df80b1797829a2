//! A power cut, on a storage that knows what was synced. Of what was not, any part may be on the
//! disk: for each page what it held at some moment, and of the names those of some moment.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Mutex;

const PAGE: usize = 4096;

/// Does as it is told, and keeps what a disk would hold.
#[derive(Default)]
struct Remembering(Mutex<Disk>);

#[derive(Default, Clone)]
struct Disk {
    operations: usize,
    files: HashMap<u64, Contents>,
    names: BTreeMap<PathBuf, u64>,
    /// Names that were given or taken (none) and not synced, in order.
    changes: Vec<(PathBuf, Option<u64>)>,
    /// The disk as it was after a chosen operation.
    taken: Option<Box<Disk>>,
    take_after: usize,
    /// A sync at or after this operation fails, and the kernel then takes for written what never
    /// reaches the disk. None: no sync fails, or it has.
    lose_after: Option<usize>,
}

#[derive(Default, Clone)]
struct Contents {
    synced: Vec<u8>,
    /// What came since: bytes and their offset, or a length where the file was cut off.
    writes: Vec<Result<(usize, Vec<u8>), usize>>,
}

impl Contents {
    /// What all programs see.
    fn now(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for write in &self.writes {
            apply(&mut bytes, write);
        }
        bytes
    }

    fn after_a_cut(&self, random: &mut StdRng) -> Vec<u8> {
        let mut states = vec![self.synced.clone()];
        for write in &self.writes {
            let mut next = states[states.len() - 1].clone();
            apply(&mut next, write);
            states.push(next);
        }
        let length = states[random.random_range(0..states.len())].len();
        let mut bytes = vec![0; length];
        for (number, page) in bytes.chunks_mut(PAGE).enumerate() {
            let state = &states[random.random_range(0..states.len())];
            let from = state.get(number * PAGE..).unwrap_or_default();
            let held = from.len().min(page.len());
            page[..held].copy_from_slice(&from[..held]);
        }
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, write: &Result<(usize, Vec<u8>), usize>) {
    match write {
        Ok((offset, written)) => {
            bytes.resize(bytes.len().max(offset + written.len()), 0);
            bytes[*offset..offset + written.len()].copy_from_slice(written);
        }
        Err(length) => bytes.resize(*length, 0),
    }
}

impl Disk {
    fn count(&mut self) {
        self.operations += 1;
        if self.operations == self.take_after {
            self.taken = Some(Box::new(Self { taken: None, ..self.clone() }));
        }
    }

    fn of(&mut self, file: &File) -> &mut Contents {
        self.files.entry(file.metadata().unwrap().ino()).or_default()
    }

    fn number_of(&self, path: &Path) -> Option<u64> {
        let change = self.changes.iter().rfind(|(changed, _)| changed == path);
        change.map_or_else(|| self.names.get(path).copied(), |(_, number)| *number)
    }

    /// Writes what the disk holds after the cut into the directory that the names are in.
    fn restore(&self, random: &mut StdRng, dir: &Path) {
        fs::remove_dir_all(dir).unwrap();
        fs::create_dir_all(dir).unwrap();
        let mut names = self.names.clone();
        let reached = random.random_range(0..=self.changes.len());
        for (path, number) in &self.changes[..reached] {
            match number {
                Some(number) => drop(names.insert(path.clone(), *number)),
                None => drop(names.remove(path)),
            }
        }
        for (path, number) in names {
            let contents = self.files.get(&number).cloned().unwrap_or_default();
            fs::write(path, contents.after_a_cut(random)).unwrap();
        }
    }
}

/// Takes a name from a file, which stays, so that its inode is not given to another one: the disk may
/// hold it still.
fn keep(path: &Path, operation: usize) -> io::Result<()> {
    if path.exists() {
        fs::rename(path, path.with_extension(format!("kept-{operation}")))?;
    }
    Ok(())
}

impl Storage for Remembering {
    fn create(&self, path: &Path) -> io::Result<File> {
        let mut disk = self.0.lock().unwrap();
        keep(path, disk.operations)?;
        let file = FileSystem.create(path)?;
        let number = file.metadata()?.ino();
        disk.files.insert(number, Contents::default());
        disk.changes.push((path.to_owned(), Some(number)));
        disk.count();
        Ok(file)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        FileSystem.write(file, bytes, offset)?;
        let offset = usize::try_from(offset).unwrap();
        disk.of(file).writes.push(Ok((offset, bytes.to_vec())));
        disk.count();
        Ok(())
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        FileSystem.truncate(file, length)?;
        disk.of(file).writes.push(Err(usize::try_from(length).unwrap()));
        disk.count();
        Ok(())
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        let operations = disk.operations;
        let loses = disk.lose_after.take_if(|operation| *operation <= operations).is_some();
        let contents = disk.of(file);
        if !loses {
            contents.synced = contents.now();
        }
        contents.writes.clear();
        disk.count();
        if loses { Err(io::Error::other("broken")) } else { Ok(()) }
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        for (path, number) in std::mem::take(&mut disk.changes) {
            match number {
                Some(number) => drop(disk.names.insert(path, number)),
                None => drop(disk.names.remove(&path)),
            }
        }
        disk.count();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        keep(to, disk.operations)?;
        FileSystem.rename(from, to)?;
        let number = disk.number_of(from);
        // One step of the file system's journal: both names change, or neither.
        disk.changes.push((to.to_owned(), number));
        disk.changes.push((from.to_owned(), None));
        disk.count();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        keep(path, disk.operations)?;
        disk.changes.push((path.to_owned(), None));
        disk.count();
        Ok(())
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        FileSystem.make_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        FileSystem.remove_dir(path)
    }
}

/// Fills a few segments. Returns for some operations how many entries had been on disk before them.
async fn run(dir: &Path, storage: &Arc<Remembering>) -> Vec<(usize, u64)> {
    let settings = durability(Durability::Synced);
    let (log, shipping) = open_with(dir, limits(), storage.clone(), settings).unwrap();
    let mut synced = Vec::new();
    for n in 0..60_usize {
        let resource = format!("https://api.example/{n}/{}", "x".repeat(n * 11 % 400));
        let id = log.append_intent(intent(&resource)).unwrap();
        log.outcome(id, outcome());
        if n % 7 == 0 {
            log.durable(id).await.unwrap();
            let operations = storage.0.lock().unwrap().operations;
            synced.push((operations, id.0.unwrap() + 1));
            shipping.acknowledge(id.0.unwrap() / 2);
        }
        if n % 5 == 0 {
            next_segment(&log);
        }
    }
    drop_and_wait(log, shipping).await;
    synced
}

/// One cut after `operation`: everything that was on disk before it must be there again.
async fn holds_after(operation: usize, seed: u64) {
    let dir = directory();
    let storage = Arc::new(Remembering::default());
    storage.0.lock().unwrap().take_after = operation;
    let synced = run(dir.path(), &storage).await;
    let mut disk = std::mem::take(&mut *storage.0.lock().unwrap());
    let taken = *disk.taken.take().unwrap_or_else(|| Box::new(disk));
    let least = synced.iter().filter(|(before, _)| *before <= operation).map(|(_, n)| *n).max();
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..4 {
        taken.restore(&mut random, &dir.path().join("spool"));
        let (log, shipping) = open(dir.path())
            .unwrap_or_else(|error| panic!("after {operation}, seed {seed}: {error}"));
        let entries = shipping.synced();
        drop_and_wait(log, shipping).await;
        assert!(entries > least.unwrap_or(0), "after {operation}, seed {seed}: {entries}");
        // A second cut's worth of care: what was recovered is there once more.
        let all = written_from(dir.path());
        assert_eq!(all.last(), Some(&(entries - 1)));
    }
}

fn written_from(dir: &Path) -> Vec<u64> {
    let mut all = Vec::new();
    let spool = dir.join("spool");
    recover::recover_each(&spool, &POD.parse().unwrap(), |seq, _| all.push(seq)).unwrap();
    all
}

#[tokio::test]
async fn what_was_synced_is_there_after_a_power_cut() {
    let dir = directory();
    let storage = Arc::new(Remembering::default());
    run(dir.path(), &storage).await;
    let operations = storage.0.lock().unwrap().operations;
    assert!(operations > 100, "{operations}");
    for operation in (1..operations).step_by(2) {
        holds_after(operation, operation as u64).await;
    }
}

#[tokio::test]
async fn what_a_failed_sync_lost_is_written_again_before_it_counts_as_synced() {
    for operation in 0..40 {
        let dir = directory();
        let storage = Arc::new(Remembering::default());
        let settings = durability(Durability::Synced);
        let (log, mut shipping) =
            open_with(dir.path(), limits(), storage.clone(), settings).unwrap();
        {
            let mut disk = storage.0.lock().unwrap();
            disk.lose_after = Some(disk.operations + operation);
        }
        let mut appended = 0;
        for n in 0..30 {
            // While the disk is broken intents are refused.
            if let Ok(id) = log.append_intent(intent(&format!("https://api.example/{n}"))) {
                appended = id.0.unwrap() + 1;
            }
            next_segment(&log);
        }
        shipping.synced_beyond(appended - 1).await.unwrap();
        let disk = storage.0.lock().unwrap().clone();
        drop_and_wait(log, shipping).await;
        disk.restore(&mut StdRng::seed_from_u64(operation as u64), &dir.path().join("spool"));
        let all = written_from(dir.path());
        assert!(all.last() >= Some(&(appended - 1)), "lost by operation {operation}: {all:?}");
    }
}
