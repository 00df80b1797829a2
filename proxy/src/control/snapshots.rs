//! Policy, as the controller publishes it: one line of JSON at once and at every change. The last
//! one is kept on disk, so that a proxy that starts again while the controller is away goes on
//! enforcing it.

use super::{Client, ControlError, Roots};
use crate::metrics::{ProxyMetrics, SnapshotResult};
use crate::spool::AuditLog;
use crate::state::PolicyState;
use bytes::BytesMut;
use exeat_api::paths::SNAPSHOTS;
use exeat_api::snapshots::{MAX_LINE, SILENCE};
use exeat_policy::snapshot::Snapshot;
use http::StatusCode;
use http_body_util::BodyExt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::time::{sleep, timeout};

const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Why a snapshot was not applied, or its stream ended.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("the controller answered {0}")]
    Status(StatusCode),
    #[error("the stream was silent for thirty seconds")]
    Silent,
    #[error("the stream ended: {0}")]
    Ended(String),
    #[error("a snapshot is longer than eight mebibytes")]
    TooLong,
    #[error("a snapshot cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a snapshot is for the pod {0}, which is not this one")]
    OtherPod(String),
    #[error("the snapshot on disk cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// Applies snapshots to the state that the rest of the proxy reads.
pub struct Snapshots {
    pub pod_uid: String,
    /// Where the last one is kept.
    pub kept: PathBuf,
    pub policies: Arc<PolicyState>,
    pub roots: Arc<Roots>,
    pub audit: AuditLog,
    pub metrics: Arc<ProxyMetrics>,
}

impl Snapshots {
    /// Applies the snapshot that the last run kept. False: there is none.
    ///
    /// # Errors
    /// When there is one and it cannot be used; the proxy then waits for the controller.
    pub async fn restore(&self) -> Result<bool, SnapshotError> {
        let bytes = match fs::read(&self.kept) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        self.apply(&bytes, false).await?;
        Ok(true)
    }

    /// Follows the controller for ever, through its absences.
    pub async fn follow(&self, client: &Client) {
        let mut delay = RETRY.0;
        loop {
            let began = Instant::now();
            if let Err(error) = self.one_stream(client).await {
                tracing::warn!(%error, "Snapshot stream lost");
            }
            if began.elapsed() > SILENCE {
                delay = RETRY.0;
            }
            sleep(delay + Duration::from_millis(rand::random_range(0..200))).await;
            delay = (delay * 2).min(RETRY.1);
        }
    }

    async fn one_stream(&self, client: &Client) -> Result<(), SnapshotError> {
        let response = client.stream(SNAPSHOTS).await?;
        if response.status() != StatusCode::OK {
            return Err(SnapshotError::Status(response.status()));
        }
        let mut body = response.into_body();
        let mut held = BytesMut::new();
        loop {
            let frame = timeout(SILENCE, body.frame()).await.map_err(|_| SnapshotError::Silent)?;
            let frame =
                frame.ok_or_else(|| SnapshotError::Ended("by the controller".to_owned()))?;
            let frame = frame.map_err(|error| SnapshotError::Ended(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            self.metrics.snapshot_age.set(0);
            held.extend_from_slice(&data);
            while let Some(end) = held.iter().position(|b| *b == b'\n') {
                let line = held.split_to(end + 1);
                let line = line.trim_ascii();
                if !line.is_empty() {
                    self.receive(line).await;
                }
            }
            if held.len() > MAX_LINE {
                return Err(SnapshotError::TooLong);
            }
        }
    }

    /// A snapshot that cannot be applied leaves the one before in force.
    async fn receive(&self, line: &[u8]) {
        match self.apply(line, true).await {
            Ok(()) => self.metrics.snapshot(SnapshotResult::Applied),
            Err(error) => {
                self.metrics.snapshot(SnapshotResult::Refused);
                tracing::error!(%error, "Snapshot refused");
            }
        }
    }

    async fn apply(&self, bytes: &[u8], keep: bool) -> Result<(), SnapshotError> {
        let snapshot: Snapshot = serde_json::from_slice(bytes)?;
        if snapshot.pod_uid != self.pod_uid {
            return Err(SnapshotError::OtherPod(snapshot.pod_uid));
        }
        if keep && let Err(error) = self.keep(bytes) {
            tracing::warn!(%error, "Snapshot not kept on disk");
        }
        if !snapshot.control_roots.trim().is_empty() {
            self.roots.replace(&snapshot.control_roots);
        }
        let active = self.policies.replace(&snapshot);
        tracing::info!(
            generation = snapshot.generation,
            digest = active.policies.digest(),
            "Snapshot applied"
        );
        self.audit.policy(&active);
        Ok(())
    }

    fn keep(&self, bytes: &[u8]) -> std::io::Result<()> {
        let part = self.kept.with_extension("part");
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(part, &self.kept)
    }
}

/// Lets the age of the last word from the controller grow, a second at a time.
pub async fn grow_older(metrics: Arc<ProxyMetrics>, policies: Arc<PolicyState>) {
    loop {
        sleep(Duration::from_secs(1)).await;
        if policies.load().is_some() {
            metrics.snapshot_age.inc();
        }
    }
}
