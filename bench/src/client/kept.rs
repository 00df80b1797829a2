//! Requests one after the other on kept connections, as fast as answers come.

use super::{Seen, Stream, Target, gather, http, microseconds};
use crate::upstream::{ANSWER, SMALL};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

/// Requests between two changes of [`added`].
const BURST: usize = 50;

/// Small answers on `connections` at once, for `duration`. Any other answer is an error.
pub(crate) async fn kept(
    target: &Target,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Seen> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Kept::open(target).await?);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for mut kept in open {
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < duration {
                latencies.push(kept.ask().await?);
            }
            Ok(latencies)
        });
    }
    gather(begun, tasks).await
}

/// What `target` adds to `direct` at one connection: bursts of requests to both in turn, so that
/// both see the same moments of the machine.
pub(crate) async fn added(
    direct: &Target,
    target: &Target,
    duration: Duration,
) -> anyhow::Result<[Seen; 2]> {
    let mut both = [Kept::open(direct).await?, Kept::open(target).await?];
    let mut latencies = [vec![], vec![]];
    let begun = Instant::now();
    while begun.elapsed() < duration {
        for (kept, latencies) in both.iter_mut().zip(&mut latencies) {
            for _ in 0..BURST {
                latencies.push(kept.ask().await?);
            }
        }
    }
    Ok(latencies.map(|latencies| Seen::timed(latencies, begun.elapsed())))
}

/// A connection with its request.
pub(crate) struct Kept {
    stream: Stream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Kept {
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        let request = target.request("GET", SMALL, 0);
        Ok(Self { stream: target.open().await?, request, buffer: vec![0; 16 * 1024] })
    }

    /// One request; how long its answer took, in microseconds.
    pub(super) async fn ask(&mut self) -> anyhow::Result<f64> {
        let asked = Instant::now();
        self.stream.write_all(&self.request).await?;
        http::answer(&mut self.stream, &mut self.buffer, ANSWER).await?;
        Ok(microseconds(asked))
    }

    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        Ok(self.stream.shutdown().await?)
    }
}

/// Connections that each had one answer, and are still open.
pub(crate) async fn open(target: &Target, count: usize) -> anyhow::Result<Vec<Kept>> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let mut kept = Kept::open(target).await?;
        kept.ask().await?;
        all.push(kept);
    }
    Ok(all)
}
