//! What the spool does to the file system, as a trait: tests put a storage in its place that fails
//! at a chosen operation, or that forgets what was not synced as a power cut does. Reading is not
//! part of it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Every operation that changes the spool's directory.
pub(super) trait Storage: Send + Sync + 'static {
    /// Makes an empty file that only the proxy can read, or empties the one that has this name.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes all bytes at an offset. After an error any part of them may have been written.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts the file off at `length`.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;
    /// Returns once the file's contents are on disk.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Returns once the names in a directory are on disk.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Gives a file another name; a file that has that name already is lost.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory that is empty.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
}

/// The file system itself.
#[derive(Debug)]
pub(super) struct FileSystem;

impl Storage for FileSystem {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }
}
