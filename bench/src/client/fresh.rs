//! Connections that are made for one request each.

use super::kept::Kept;
use super::{Seen, Target, gather, microseconds};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Connects, asks once and closes, `at_once` times beside each other, for `duration`.
pub(crate) async fn fresh(
    target: &Target,
    at_once: usize,
    duration: Duration,
) -> anyhow::Result<Seen> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..at_once {
        let target = target.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < duration {
                let opened = Instant::now();
                let mut kept = Kept::open(&target).await?;
                kept.ask().await?;
                latencies.push(microseconds(opened));
                // A proxy that closed at the same moment has closed all the same.
                kept.close().await.ok();
            }
            Ok(latencies)
        });
    }
    gather(begun, tasks).await
}
