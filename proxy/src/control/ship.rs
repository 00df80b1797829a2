//! Ships the spool to the collector: at least once, in order, until acknowledged. A controller
//! that is away costs nothing but space.

use super::{Client, ControlError};
use crate::metrics::ProxyMetrics;
use crate::spool::{AuditError, Shipping};
use exeat_api::paths;
use exeat_audit::batch::{Acknowledged, CONTENT_TYPE};
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Between retries, doubled up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Entries gather this long before they are sent, unless somebody waits for the collector or they
/// fill a batch already.
const GATHER: Duration = Duration::from_millis(200);

/// Sends everything, for as long as the spool is written to. Returns when the spool has ended and
/// all of it is acknowledged; the caller bounds that.
pub async fn ship(mut shipping: Shipping, client: Client, metrics: Arc<ProxyMetrics>) {
    let mut delay = RETRY.0;
    loop {
        let error = match run(&mut shipping, &client, &metrics).await {
            Ok(()) => return,
            Err(error) => error,
        };
        tracing::warn!(%error, "Audit not shipped");
        let jitter = Duration::from_millis(rand::random_range(0..100));
        sleep(delay + jitter).await;
        delay = (delay * 2).min(RETRY.1);
        if error.progressed {
            delay = RETRY.0;
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
struct ShipError {
    cause: ShipCause,
    /// Something was acknowledged before it failed.
    progressed: bool,
}

#[derive(Debug, thiserror::Error)]
enum ShipCause {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("the collector answered {0}: {1}")]
    Refused(StatusCode, String),
    #[error(
        "the collector does not take this proxy's batches ({0}: {1}). If it is of an older version \
         than the proxy, upgrade the controller; the records stay in the spool until then"
    )]
    NotUnderstood(StatusCode, String),
    #[error("the collector's answer was not understood")]
    Answer,
    #[error("the collector has {0} entries of this chain, the spool only {1}")]
    Ahead(u64, u64),
    #[error(transparent)]
    Spool(#[from] AuditError),
}

async fn run(
    shipping: &mut Shipping,
    client: &Client,
    metrics: &ProxyMetrics,
) -> Result<(), ShipError> {
    let early = |cause| ShipError { cause, progressed: false };
    let stored = head(client).await.map_err(early)?;
    let synced = shipping.synced();
    if stored > synced {
        return Err(early(ShipCause::Ahead(stored, synced)));
    }
    acknowledged(shipping, metrics, stored);
    let mut done = stored;
    while let Some(synced) = shipping.synced_beyond(done).await {
        metrics.spooled_entries.set(i64::try_from(synced - done).unwrap_or(i64::MAX));
        shipping.gather(done, GATHER).await;
        done = send(shipping, client, done)
            .await
            .map_err(|cause| ShipError { cause, progressed: done > stored })?;
        acknowledged(shipping, metrics, done);
    }
    Ok(())
}

/// Number of entries that the collector has.
async fn head(client: &Client) -> Result<u64, ShipCause> {
    let (status, body) = client.get(paths::AUDIT_HEAD).await?;
    answer(status, &body)
}

/// Sends the batch that follows the first `done` entries; returns how many the collector has then.
async fn send(shipping: &mut Shipping, client: &Client, done: u64) -> Result<u64, ShipCause> {
    let batch = shipping.batch(done).await?;
    let (status, body) = client.post(paths::AUDIT, CONTENT_TYPE, batch.bytes).await?;
    if matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE) {
        return Err(ShipCause::NotUnderstood(status, beginning(&body)));
    }
    match answer(status, &body)? {
        stored if stored > batch.end => Err(ShipCause::Ahead(stored, batch.end)),
        stored => Ok(stored),
    }
}

fn answer(status: StatusCode, body: &[u8]) -> Result<u64, ShipCause> {
    if status != StatusCode::OK {
        return Err(ShipCause::Refused(status, beginning(body)));
    }
    let acknowledged: Acknowledged = serde_json::from_slice(body).map_err(|_| ShipCause::Answer)?;
    Ok(acknowledged.seq.map_or(0, |seq| seq.saturating_add(1)))
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

fn acknowledged(shipping: &Shipping, metrics: &ProxyMetrics, entries: u64) {
    shipping.acknowledge(entries);
    metrics.acknowledged_seq.set(i64::try_from(entries).unwrap_or(i64::MAX) - 1);
    let open = shipping.synced().saturating_sub(entries);
    metrics.spooled_entries.set(i64::try_from(open).unwrap_or(i64::MAX));
}
