//! Ships the spool to the collector: at least once, in order, until acknowledged. A controller
//! that is away costs nothing but space.

use super::{Client, ControlError};
use crate::metrics::ProxyMetrics;
use crate::spool::segment::{self, Reader};
use crate::spool::{AuditError, Shipping, now};
use exeat_audit::batch::{Acknowledged, Batch, SignedHead};
use exeat_audit::chain::Link;
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const BATCH_ENTRIES: usize = 500;
const BATCH_BYTES: usize = 1 << 20;
/// Between retries, doubled up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// Entries gather this long before they are sent, unless they fill a batch already.
const GATHER: Duration = Duration::from_millis(50);

/// Sends everything, for as long as the spool is written to. Returns when the writer has ended and
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
    let durable = *shipping.durable.borrow();
    if stored > durable {
        return Err(early(ShipCause::Ahead(stored, durable)));
    }
    acknowledged(shipping, metrics, stored).map_err(early)?;
    let mut reader = Reader::new(shipping.spool_dir.clone(), stored);
    let mut done = stored;
    loop {
        let Ok(durable) = shipping.durable.wait_for(|n| *n > done).await.map(|n| *n) else {
            return Ok(());
        };
        metrics.spooled_entries.set(i64::try_from(durable - done).unwrap_or(i64::MAX));
        if durable - done < BATCH_ENTRIES as u64 {
            sleep(GATHER).await;
        }
        let late = |cause| ShipError { cause, progressed: done > stored };
        let durable = (*shipping.durable.borrow()).max(durable);
        let entries =
            reader.read(durable, BATCH_ENTRIES, BATCH_BYTES).map_err(|e| late(e.into()))?;
        let seq = send(shipping, client, entries).await.map_err(late)?;
        done = seq;
        reader.rewind_if_behind(done);
        acknowledged(shipping, metrics, done)
            .map_err(|cause| ShipError { cause, progressed: true })?;
    }
}

/// Number of entries that the collector has.
async fn head(client: &Client) -> Result<u64, ShipCause> {
    let (status, body) = client.call(Method::GET, "/v1/audit/head", Vec::new()).await?;
    answer(status, &body)
}

async fn send(
    shipping: &Shipping,
    client: &Client,
    entries: Vec<exeat_audit::batch::Entry>,
) -> Result<u64, ShipCause> {
    let last = entries
        .last()
        .ok_or_else(|| ShipCause::Spool(AuditError::Damaged("no entry to ship".to_owned())))?;
    let link: Link = last.link.parse().map_err(AuditError::from)?;
    let head = SignedHead::sign(&shipping.chain, last.seq, link, &now(), &shipping.key);
    let batch = Batch { chain: shipping.chain.to_string(), entries, head };
    let body = serde_json::to_vec(&batch).map_err(|_| ShipCause::Answer)?;
    let (status, body) = client.call(Method::POST, "/v1/audit", body).await?;
    answer(status, &body)
}

fn answer(status: StatusCode, body: &[u8]) -> Result<u64, ShipCause> {
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
        return Err(ShipCause::Refused(status, text));
    }
    let acknowledged: Acknowledged = serde_json::from_slice(body).map_err(|_| ShipCause::Answer)?;
    Ok(acknowledged.seq.map_or(0, |seq| seq.saturating_add(1)))
}

fn acknowledged(
    shipping: &Shipping,
    metrics: &ProxyMetrics,
    entries: u64,
) -> Result<(), ShipCause> {
    shipping.acknowledged.send_replace(entries);
    metrics.acknowledged_seq.set(i64::try_from(entries).unwrap_or(i64::MAX) - 1);
    let open = shipping.durable.borrow().saturating_sub(entries);
    metrics.spooled_entries.set(i64::try_from(open).unwrap_or(i64::MAX));
    segment::prune(&shipping.spool_dir, entries).map_err(|e| ShipCause::Spool(e.into()))
}
