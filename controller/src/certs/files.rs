//! Certificates from a directory that somebody else manages: `tls.crt`, `tls.key`, `ca.crt`.
//!
//! Secrets are swapped in by renaming a symbolic link to a directory, which watches of files miss;
//! so the contents are read and compared on a timer.

use super::{CertificateError, Leaf, Trust, certified};
use std::path::Path;
use std::time::Duration;
use tracing::{info, warn};

const INTERVAL: Duration = Duration::from_secs(10);
const MAX_FILE: u64 = 1 << 20;

/// Serves what the directory holds, and changes to it, for ever. Files that cannot be read leave
/// the last good certificate in place.
pub async fn keep_files(directory: &Path, leaf: &Leaf, trust: &Trust) {
    let mut seen = Vec::new();
    loop {
        match read(directory).await {
            Ok(files) if files != seen => match load(&files, leaf, trust) {
                Ok(()) => {
                    info!(directory = %directory.display(), "Certificate loaded");
                    seen = files;
                }
                Err(error) => warn!(%error, "Certificate refused"),
            },
            Ok(_) => {}
            Err(error) => warn!(directory = %directory.display(), %error, "Certificate not read"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn read(directory: &Path) -> std::io::Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        let path = directory.join(name);
        if tokio::fs::metadata(&path).await?.len() > MAX_FILE {
            return Err(std::io::Error::other(format!("{name} is larger than {MAX_FILE} bytes")));
        }
        files.push(tokio::fs::read(path).await?);
    }
    Ok(files)
}

fn load(files: &[Vec<u8>], leaf: &Leaf, trust: &Trust) -> Result<(), CertificateError> {
    let [chain, key, roots] = files else { return Err(CertificateError::Missing("a file")) };
    leaf.replace(certified(chain, key)?);
    trust.replace(String::from_utf8_lossy(roots).into_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pair_leaves_the_last_good_certificate() {
        let (leaf, trust) = (Leaf::default(), Trust::default());
        let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let pem = made.cert.pem().into_bytes();
        let key = made.signing_key.serialize_pem().into_bytes();
        load(&[pem.clone(), key, pem.clone()], &leaf, &trust).unwrap();
        assert!(leaf.ready() && !trust.bundle().is_empty());
        let before = trust.bundle();
        assert!(load(&[pem, b"nonsense".to_vec(), Vec::new()], &leaf, &trust).is_err());
        assert_eq!(trust.bundle(), before);
    }

    #[tokio::test]
    async fn a_missing_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read(directory.path()).await.is_err());
    }
}
