//! The first connection to a name.

use super::{Target, microseconds};
use std::time::Instant;
use tokio::io::AsyncWriteExt as _;

/// How much longer TCP and TLS take to the first connection to a name than to the second: the
/// median over names that were never asked for, in microseconds.
pub(crate) async fn first_connections(targets: &[Target]) -> anyhow::Result<f64> {
    let mut all = Vec::new();
    for target in targets {
        all.push(handshake(target).await? - handshake(target).await?);
    }
    all.sort_by(f64::total_cmp);
    Ok(all.get(all.len() / 2).copied().unwrap_or_default())
}

async fn handshake(target: &Target) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut stream = target.open().await?;
    let took = microseconds(begun);
    stream.shutdown().await.ok();
    Ok(took)
}
