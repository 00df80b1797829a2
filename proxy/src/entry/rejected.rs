//! Counts what the capture rules reject. The rules themselves can be read with privileges only,
//! which nothing in the pod keeps. But a datagram that is rejected on its way out fails for whoever
//! sends it, and the kernel counts those per network namespace, for everybody to read, as discarded
//! on output. That is the agent's doing alone: what is refused outside comes in, as ICMP errors or
//! resets, and the kernel's own answers pass the rules. TCP to the proxy's own ports is redirected
//! to a port where it is refused one by one ([`super::own_ports`]); all other TCP is captured.

use crate::metrics::ProxyMetrics;
use crate::spool::{AuditLog, now};
use exeat_audit::record::{Kind, RecordRef};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(5);

/// Watches the counters for ever.
pub async fn watch(audit: AuditLog, metrics: Arc<ProxyMetrics>) {
    let net = Path::new("/proc/net");
    let mut seen = count(net);
    loop {
        sleep(EVERY).await;
        let now_seen = count(net);
        let new = now_seen.saturating_sub(seen);
        seen = now_seen;
        if new > 0 {
            metrics.rejected_packets.inc_by(new);
            audit.record(RecordRef { count: Some(new), ..RecordRef::new(Kind::Rejected, &now()) });
        }
    }
}

/// Packets that were rejected so far in a network namespace, by its directory of `/proc`. What
/// cannot be read counts as none. The kernel makes these files as they are read: nothing waits.
pub fn count(net: &Path) -> u64 {
    let read = |name| std::fs::read_to_string(net.join(name)).unwrap_or_default();
    ip(&read("snmp")).unwrap_or(0) + ip6(&read("snmp6")).unwrap_or(0)
}

/// `Ip:` is two lines, of names and of values.
fn ip(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter(|line| line.starts_with("Ip:"));
    let at = lines.next()?.split_whitespace().position(|name| name == "OutDiscards")?;
    lines.next()?.split_whitespace().nth(at)?.parse().ok()
}

fn ip6(snmp6: &str) -> Option<u64> {
    let line = snmp6.lines().find(|line| line.starts_with("Ip6OutDiscards"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_tables() {
        let snmp = "Ip: Forwarding OutDiscards OutNoRoutes\nIp: 2 7 0\nIcmp: InMsgs\nIcmp: 9\n";
        assert_eq!(ip(snmp), Some(7));
        assert_eq!(ip("nothing"), None);
        assert_eq!(ip6("Ip6OutRequests 3\nIp6OutDiscards \t 4\n"), Some(4));
    }
}
