//! Counts what the capture rules reject. The rules themselves can be read with privileges only,
//! which nothing in the pod keeps; but each reject is an ICMP "destination unreachable" that comes
//! back over loopback, and the kernel counts those per network namespace for everybody to read.

use crate::metrics::ProxyMetrics;
use crate::spool::{AuditLog, now};
use exeat_audit::record::{Kind, RecordRef};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(5);

/// Watches the counters for ever.
pub async fn watch(audit: AuditLog, metrics: Arc<ProxyMetrics>) {
    let mut seen = count().await;
    loop {
        sleep(EVERY).await;
        let now_seen = count().await;
        let new = now_seen.saturating_sub(seen);
        seen = now_seen;
        if new > 0 {
            metrics.rejected_packets.inc_by(new);
            audit.record(RecordRef { count: Some(new), ..RecordRef::new(Kind::Rejected, &now()) });
        }
    }
}

async fn count() -> u64 {
    let v4 = tokio::fs::read_to_string("/proc/net/snmp").await.unwrap_or_default();
    let v6 = tokio::fs::read_to_string("/proc/net/snmp6").await.unwrap_or_default();
    icmp(&v4).unwrap_or(0) + icmp6(&v6).unwrap_or(0)
}

/// `Icmp:` is two lines, of names and of values.
fn icmp(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter(|line| line.starts_with("Icmp:"));
    let at = lines.next()?.split_whitespace().position(|name| name == "InDestUnreachs")?;
    lines.next()?.split_whitespace().nth(at)?.parse().ok()
}

fn icmp6(snmp6: &str) -> Option<u64> {
    let line = snmp6.lines().find(|line| line.starts_with("Icmp6InDestUnreachs"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_tables() {
        let snmp = "Ip: A B\nIp: 1 2\nIcmp: InMsgs InErrors InDestUnreachs\nIcmp: 9 0 7\nIcmpMsg: InType3\nIcmpMsg: 7\n";
        assert_eq!(icmp(snmp), Some(7));
        assert_eq!(icmp("nothing"), None);
        assert_eq!(icmp6("Icmp6InMsgs 3\nIcmp6InDestUnreachs \t 4\n"), Some(4));
    }
}
