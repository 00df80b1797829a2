//! Synthetic addresses on disk: a client goes on using an address after the proxy was restarted.
//!
//! One line for each name, `OFFSET NAME`, appended before the address is given out. It is not synced:
//! what a dying proxy has written is with the kernel. The file is written anew, with the names that
//! were used last, when it has grown too long. Where it cannot be written the proxy goes on without.

use exeat_policy::normal::Name;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Longest file, in bytes, and how much of it is kept when it is written anew.
const LONGEST: usize = 1 << 20;
const KEPT: usize = LONGEST / 2;

/// The file.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    /// None once it could not be written.
    file: Option<File>,
    size: usize,
}

impl Kept {
    /// Reads what was kept, oldest first. What cannot be read is not there.
    pub fn open(path: PathBuf) -> (Self, Vec<(u32, Name)>) {
        let mut text = Vec::new();
        if let Ok(file) = File::open(&path) {
            // A longer one was not written here; what is read so far is as good as nothing.
            drop(file.take(2 * LONGEST as u64).read_to_end(&mut text));
        }
        let found = String::from_utf8_lossy(&text).lines().filter_map(parse).collect();
        (Self { path, file: None, size: 0 }, found)
    }

    /// Whether the next line would make it too long.
    pub(super) fn is_full(&self) -> bool {
        self.size >= LONGEST
    }

    pub(super) fn add(&mut self, offset: u32, name: &Name) {
        let line = line(offset, name);
        let Some(file) = &mut self.file else { return };
        match file.write_all(line.as_bytes()) {
            Ok(()) => self.size += line.len(),
            Err(error) => self.give_up(&error),
        }
    }

    /// Writes the file anew, from the names that were used last, newest first.
    pub(super) fn rewrite<'a>(&mut self, newest: impl Iterator<Item = (u32, &'a Name)>) {
        let mut size = 0;
        let lines: Vec<String> = newest
            .map(|(offset, name)| line(offset, name))
            .take_while(|line| {
                size += line.len();
                size <= KEPT
            })
            .collect();
        let text: String = lines.into_iter().rev().collect();
        match self.replace(text.as_bytes()) {
            Ok(file) => (self.file, self.size) = (Some(file), text.len()),
            Err(error) => self.give_up(&error),
        }
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<File> {
        let part = self.path.with_extension("part");
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        fs::rename(part, &self.path)?;
        Ok(file)
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::warn!(%error, "Names of addresses are no longer kept on disk");
        self.file = None;
    }
}

fn line(offset: u32, name: &Name) -> String {
    format!("{offset} {name}\n")
}

fn parse(line: &str) -> Option<(u32, Name)> {
    let (offset, name) = line.split_once(' ')?;
    Some((offset.parse().ok()?, Name::parse(name).ok()?))
}
