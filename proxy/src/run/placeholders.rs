//! Files that hold the placeholders, for the agent to read: `placeholders/SECRET/KEY` in the trust
//! volume. They follow the policy.

use crate::state::PolicyState;
use exeat_api::pod::PLACEHOLDERS_DIR;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Writes the files at every change of the policy. For ever.
pub(super) async fn follow(policies: Arc<PolicyState>, trust_dir: PathBuf) {
    let mut changes = policies.subscribe();
    let mut written = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let active = policies.load();
        let shaped = active.iter().flat_map(|active| active.placeholders.shaped());
        let wanted: BTreeMap<PathBuf, String> = shaped
            .map(|(secret, text)| (Path::new(&secret.name).join(&secret.key), text.to_owned()))
            .collect();
        match write(&trust_dir.join(PLACEHOLDERS_DIR), &wanted, &written) {
            Ok(()) => written = wanted,
            Err(error) => tracing::error!(%error, "Placeholders not written"),
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Names of Secrets and of their keys are compiled: neither leads out of the directory.
fn write(
    dir: &Path,
    wanted: &BTreeMap<PathBuf, String>,
    written: &BTreeMap<PathBuf, String>,
) -> io::Result<()> {
    for gone in written.keys().filter(|path| !wanted.contains_key(*path)) {
        match std::fs::remove_file(dir.join(gone)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for (path, text) in wanted.iter().filter(|(path, text)| written.get(*path) != Some(*text)) {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // Whole or not at all: agents may read at any time.
        let part = path.with_extension("part~");
        std::fs::write(&part, text)?;
        std::fs::rename(part, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_what_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let map = |all: &[(&str, &str)]| -> BTreeMap<PathBuf, String> {
            all.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect()
        };
        let first = map(&[("model/token", "one"), ("model/a.b", "two")]);
        write(dir.path(), &first, &map(&[])).unwrap();
        let read = |path: &str| std::fs::read_to_string(dir.path().join(path)).ok();
        assert_eq!(read("model/token").as_deref(), Some("one"));
        assert_eq!(read("model/a.b").as_deref(), Some("two"));
        write(dir.path(), &map(&[("model/token", "new")]), &first).unwrap();
        assert_eq!((read("model/token").as_deref(), read("model/a.b")), (Some("new"), None));
    }
}
