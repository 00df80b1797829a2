//! Bytes that are no HTTP, through a tunnel.

use super::{Seen, Target, gather, microseconds};
use crate::upstream::{ECHO, FLOOD};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

const MESSAGE: usize = 64;

/// One connection that the upstream sends on as fast as it can. Units are bytes.
pub(crate) async fn flood(target: &Target, duration: Duration) -> anyhow::Result<Seen> {
    let mut stream = target.open().await?;
    stream.write_all(FLOOD).await?;
    let mut buffer = vec![0; 256 * 1024];
    let begun = Instant::now();
    let mut units = 0;
    while begun.elapsed() < duration {
        let read = stream.read(&mut buffer).await?;
        anyhow::ensure!(read > 0, "the stream ended");
        units += read as u64;
    }
    Ok(Seen { units, elapsed: begun.elapsed(), ..Seen::default() })
}

/// Small messages there and back on `connections` at once. Units are round trips.
pub(crate) async fn ping_pong(
    target: &Target,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Seen> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut stream = target.open().await?;
        stream.write_all(ECHO).await?;
        open.push(stream);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for mut stream in open {
        tasks.spawn(async move {
            let (mut message, mut latencies) = ([b'.'; MESSAGE], Vec::new());
            while begun.elapsed() < duration {
                let sent = Instant::now();
                stream.write_all(&message).await?;
                stream.read_exact(&mut message).await?;
                latencies.push(microseconds(sent));
            }
            Ok(latencies)
        });
    }
    gather(begun, tasks).await
}
