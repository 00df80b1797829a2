//! Keeps the proxy's connections and everybody else's apart in the kernel's connection tracking.
//!
//! The kernel knows a connection by its addresses and ports. A port that the agent has used and
//! the proxy takes next would else stand for the agent's old connection, which is redirected to
//! the proxy: the proxy's own question would end at its own DNS. The same the other way round. So
//! what the proxy opens is tracked in a zone of its own. The zone holds for the original direction
//! alone: answers come in without any sign of whose they are, and are found in the common zone.
//!
//! A socket that was closed has no owner any more, and may still have to send. The proxy's are
//! known by their addresses and ports, which [`sets`] keep for as long as packets come. Whoever else
//! opens a connection takes its addresses and ports out of there first, so nobody's last segments
//! are taken for the proxy's. Where a set is full, the last segments of a closed socket are lost;
//! nothing passes for that.

use super::words::{
    FAMILY, TABLE, accept, another, counter, differs, discard, matches, meta, outward, payload, uid,
};
use serde_json::{Value, json};

/// Of connections that the proxy opens.
const ZONE: u16 = 0x6578;
/// The chain's name, and its priority: in front of connection tracking.
pub(super) const CHAIN: &str = "zones";
pub(super) const RAW: i32 = -300;
/// Connections whose last segments are known; with 100 bytes each at most 13 MB of the kernel's.
const SIZE: u32 = 131_072;
/// Seconds; longer than the kernel ever waits between two attempts to send a segment.
const KEPT: u32 = 150;
const FAMILIES: [(&str, &str, &str); 2] =
    [("ip", "own4", "ipv4_addr"), ("ip6", "own6", "ipv6_addr")];

/// Addresses and ports of the proxy's TCP connections.
pub(super) fn sets() -> impl Iterator<Item = Value> {
    FAMILIES.into_iter().map(|(_, name, address)| {
        json!({"set": {
            "family": FAMILY, "table": TABLE, "name": name,
            "type": [address, "inet_service", address, "inet_service"],
            "size": SIZE, "flags": ["timeout"], "timeout": KEPT
        }})
    })
}

/// The rules of the chain, which accepts what none of them speaks of:
/// 1. the proxy's connections are noted, and tracked in its zone,
/// 2. not: what another sends from an address that the pod does not have. Under IPv6 any process
///    can name such a source, and whoever answers it answers outside,
/// 3. who else opens a connection takes its note away,
/// 4. what has no owner and is noted is the proxy's,
/// 5. the kernel's own ICMP may be about any connection: with this zone it finds both kinds.
pub(super) fn rules(proxy_uid: u32) -> Vec<Vec<Value>> {
    let foreign = differs(json!({"fib": {"result": "type", "flags": ["saddr"]}}), json!("local"));
    let mut rules: Vec<_> = FAMILIES
        .map(|(ip, set, _)| vec![uid(proxy_uid), outward(), note("update", ip, set)])
        .into();
    rules.push(vec![uid(proxy_uid), own_zone(), accept()]);
    rules.push(vec![another(proxy_uid), foreign, counter(), discard()]);
    rules.extend(
        FAMILIES.map(|(ip, set, _)| vec![another(proxy_uid), begins(), note("delete", ip, set)]),
    );
    rules.push(vec![another(proxy_uid), accept()]);
    rules.extend(FAMILIES.map(|(ip, set, _)| {
        vec![matches(ends(ip), json!(format!("@{set}"))), note("update", ip, set), own_zone()]
    }));
    let icmp = matches(meta("l4proto"), json!({"set": ["icmp", "ipv6-icmp"]}));
    rules.push(vec![icmp, own_zone()]);
    rules
}

/// For packets in the direction in which their connection was opened.
fn own_zone() -> Value {
    json!({"mangle": {"key": {"ct": {"key": "zone", "dir": "original"}}, "value": ZONE}})
}

/// Both addresses and both ports of a segment.
fn ends(ip: &str) -> Value {
    json!({"concat": [
        payload(ip, "saddr"), payload("tcp", "sport"), payload(ip, "daddr"), payload("tcp", "dport")
    ]})
}

fn note(operation: &str, ip: &str, set: &str) -> Value {
    json!({"set": {"op": operation, "elem": ends(ip), "set": format!("@{set}")}})
}

/// A segment with SYN.
fn begins() -> Value {
    matches(json!({"&": [payload("tcp", "flags"), "syn"]}), json!("syn"))
}
