//! Gives memory back to the system after a peak of connections. The allocator keeps what lies between
//! blocks that are still used, and after a thousand connections that is most of what they took.

use crate::metrics::ProxyMetrics;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(10);
/// So many connections more than there are now were a peak.
const PEAK: i64 = 64;
/// Looked at as often after one: kept connections to servers are closed later than the agent's.
const ROUNDS: u32 = 5;

/// For ever.
pub(super) async fn give_back(metrics: Arc<ProxyMetrics>) {
    let mut rounds = 0;
    loop {
        sleep(EVERY).await;
        if metrics.take_peak() >= metrics.connections_open.get() + PEAK {
            rounds = ROUNDS;
        }
        if rounds > 0 {
            rounds -= 1;
            // It takes milliseconds, for which traffic need not wait.
            let given = tokio::task::spawn_blocking(trim).await;
            tracing::debug!(given = given.unwrap_or_default(), "Memory given back after a peak");
        }
    }
}

/// Whether anything was given back.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
fn trim() -> bool {
    // SAFETY: the function may be called at any time from any thread, and touches no memory that is
    // in use (malloc_trim(3)).
    unsafe { libc::malloc_trim(0) == 1 }
}

#[cfg(not(target_env = "gnu"))]
fn trim() -> bool {
    false
}
