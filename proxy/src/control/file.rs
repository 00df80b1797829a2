//! Policy from a file: a snapshot as JSON, where no controller publishes one.

use crate::spool::AuditLog;
use crate::state::PolicyState;
use exeat_policy::snapshot::Snapshot;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(1);

/// Why a policy file cannot be used.
#[derive(Debug, Error)]
pub enum PolicyFileError {
    #[error("{0}: {1}")]
    Read(PathBuf, io::Error),
    #[error("{0} holds no snapshot: {1}")]
    Json(PathBuf, serde_json::Error),
}

/// A policy file, and the policies in force that it replaces.
pub struct PolicyFile {
    path: PathBuf,
    policies: Arc<PolicyState>,
    audit: AuditLog,
    read: Option<SystemTime>,
}

impl PolicyFile {
    /// Puts the file's policies in force.
    ///
    /// # Errors
    /// When it cannot be read or holds no snapshot.
    pub async fn open(
        path: PathBuf,
        policies: Arc<PolicyState>,
        audit: AuditLog,
    ) -> Result<Self, PolicyFileError> {
        let mut file = Self { path, policies, audit, read: None };
        file.refresh().await?;
        Ok(file)
    }

    /// Puts every later version of the file in force, for ever. One that cannot be used leaves the
    /// one before in force.
    pub async fn follow(mut self) {
        loop {
            sleep(EVERY).await;
            if let Err(error) = self.refresh().await {
                tracing::error!(%error, "Policy file refused");
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), PolicyFileError> {
        let failed = |error| PolicyFileError::Read(self.path.clone(), error);
        let changed = tokio::fs::metadata(&self.path).await.and_then(|it| it.modified());
        let changed = changed.map_err(failed)?;
        if self.read == Some(changed) {
            return Ok(());
        }
        let bytes = tokio::fs::read(&self.path).await.map_err(failed)?;
        // Not read again until it changes, whatever it holds.
        self.read = Some(changed);
        let snapshot: Snapshot = serde_json::from_slice(&bytes)
            .map_err(|error| PolicyFileError::Json(self.path.clone(), error))?;
        let active = self.policies.replace(&snapshot);
        tracing::info!(digest = active.policies.digest(), "Policy file applied");
        self.audit.policy(&active);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::ProxyMetrics;
    use crate::spool::SpoolConfig;
    use exeat_audit::record::Genesis;

    fn snapshot(generation: u64) -> String {
        let audit = exeat_policy::snapshot::AuditSettings::default();
        serde_json::json!({
            "generation": generation, "podUid": "pod-1", "policies": [], "audit": audit,
            "upstreamRoots": format!("{generation}"),
        })
        .to_string()
    }

    #[tokio::test]
    async fn a_file_that_changes_changes_the_policy_and_a_broken_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("policy.json");
        let policies = Arc::new(PolicyState::default());
        let genesis = Genesis {
            pod_uid: "pod-1".into(),
            pod_name: String::new(),
            namespace: String::new(),
            service_account: String::new(),
            node: String::new(),
            image: String::new(),
            public_key: String::new(),
            policy: String::new(),
        };
        let config = SpoolConfig {
            spool_dir: dir.path().join("spool"),
            keys_dir: dir.path().join("keys"),
            max_bytes: 64 << 20,
            genesis,
        };
        let metrics = Arc::new(ProxyMetrics::new().unwrap());
        let (audit, _shipping) = AuditLog::open(config, policies.clone(), metrics).unwrap();
        let open = || PolicyFile::open(path.clone(), policies.clone(), audit.clone());
        assert!(matches!(open().await, Err(PolicyFileError::Read(..))));
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(open().await, Err(PolicyFileError::Json(..))));
        std::fs::write(&path, snapshot(1)).unwrap();
        let mut file = open().await.unwrap();
        let roots = || policies.load().unwrap().upstream_roots.to_string();
        assert_eq!(roots(), "1");
        std::fs::write(&path, "half a snap").unwrap();
        file.read = None;
        assert!(file.refresh().await.is_err());
        assert_eq!(roots(), "1");
        std::fs::write(&path, snapshot(2)).unwrap();
        file.read = None;
        file.refresh().await.unwrap();
        assert_eq!(roots(), "2");
    }
}
