//! The key that signs the chain's heads. It lies beside the spool: both are there after a reboot of
//! the node, or neither.

use super::AuditError;
use super::storage::Storage;
use exeat_audit::key::SigningKey;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

const NAME: &str = "chain.key";

/// The chain's key: made with the chain, and never again for it. `begun`: the chain has entries.
///
/// Before the segments became binary the key lay in `keys_dir`, in memory; it is moved from there.
///
/// # Errors
/// [`AuditError::KeyLost`] when the chain has entries and there is no key.
pub(super) fn load_key(
    storage: &dyn Storage,
    spool_dir: &Path,
    keys_dir: &Path,
    begun: bool,
) -> Result<SigningKey, AuditError> {
    let (place, before) = (spool_dir.join(NAME), keys_dir.join(NAME));
    if let Some(seed) = read(&place)? {
        // A move that was interrupted after its copy.
        drop(storage.remove(&before));
        return Ok(SigningKey::from_seed(&seed));
    }
    let seed = match read(&before)? {
        Some(seed) => seed,
        None if begun => return Err(AuditError::KeyLost),
        None => rand::random(),
    };
    let part = place.with_extension("part");
    let file = storage.create(&part)?;
    storage.write(&file, &seed, 0)?;
    storage.sync(&file)?;
    storage.rename(&part, &place)?;
    storage.sync_dir(spool_dir)?;
    drop(storage.remove(&before));
    Ok(SigningKey::from_seed(&seed))
}

fn read(path: &Path) -> Result<Option<[u8; 32]>, AuditError> {
    match fs::read(path) {
        Ok(bytes) => match bytes.try_into() {
            Ok(seed) => Ok(Some(seed)),
            Err(_) => Err(AuditError::Damaged("the chain's key".to_owned())),
        },
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}
