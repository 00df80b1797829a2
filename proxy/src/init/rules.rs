//! The capture rules, as objects of libnftables' JSON schema.
//!
//! `nat`, at the priority of dstnat:
//! 1. the proxy's uid goes as it is,
//! 2. loopback goes as it is,
//! 3. DNS, UDP and TCP, goes to the proxy's DNS,
//! 4. all other TCP goes to the proxy.
//!
//! `filter`, after it, drops what none of these lets pass:
//! 1. the proxy's uid; connections that it opens, and those that it answers on its port for
//!    health and metrics, are marked,
//! 2. not: a socket of another uid on a connection so marked (the proxy closed it, and somebody
//!    took its port); what no socket owns any more on such a connection passes: a closed socket
//!    has no uid, and the rest of what the proxy sent would be lost,
//! 3. what rule 3 or 4 above redirected (`ct status dnat`, towards loopback),
//! 4. replies to connections that came from outside; but not from the port for health and
//!    metrics, which is open to the cluster: while the proxy is away the agent can take it, and
//!    whoever connects in would read from the agent,
//! 5. not: anything else for the proxy's own ports; it is rejected, since whoever connects there
//!    directly has no original destination, or wants to read the metrics,
//! 6. loopback,
//! 7. neighbour discovery and multicast listener reports, which the kernel sends by itself,
//! 8. all else is rejected and counted: an error tells the agent at once, and the kernel's own
//!    counters of it can be read without privileges.
//!
//! The uid is that of the credentials with which a socket's file was opened; changing the owner of
//! the socket afterwards does not change it.

use exeat_api::ports;
use serde_json::{Value, json};

pub(super) const FAMILY: &str = "inet";
pub(super) const TABLE: &str = "exeat";
/// Of the proxy's connections.
const MARK: u32 = 0x6578_6561;

/// The table, its chains and their rules, for a proxy of this uid.
pub fn ruleset(proxy_uid: u32) -> Vec<Value> {
    let mut objects = vec![
        json!({"table": {"family": FAMILY, "name": TABLE}}),
        chain("nat", "nat", -100, "accept"),
        chain("filter", "filter", 0, "drop"),
    ];
    let nat = [
        vec![uid(proxy_uid), json!({"accept": null})],
        vec![matches(meta("oifname"), json!("lo")), json!({"accept": null})],
        vec![matches(payload("udp", "dport"), json!(53)), redirect(ports::DNS)],
        vec![matches(payload("tcp", "dport"), json!(53)), redirect(ports::DNS)],
        vec![matches(meta("l4proto"), json!("tcp")), redirect(ports::CAPTURE)],
    ];
    objects.extend(nat.into_iter().map(|rule| in_chain("nat", rule)));
    objects.extend(filter(proxy_uid).into_iter().map(|rule| in_chain("filter", rule)));
    objects
}

fn filter(proxy_uid: u32) -> Vec<Vec<Value>> {
    let redirected =
        json!({"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}});
    let own = json!({"set": [ports::CAPTURE, ports::OPS, ports::DNS]});
    vec![
        vec![uid(proxy_uid), direction("original"), mark_connection(), json!({"accept": null})],
        vec![
            uid(proxy_uid),
            direction("reply"),
            from_ops(),
            mark_connection(),
            json!({"accept": null}),
        ],
        vec![uid(proxy_uid), json!({"accept": null})],
        vec![marked(), direction("original"), another(proxy_uid), counter(), prohibited()],
        vec![outward(), direction("reply"), from_ops(), another(proxy_uid), counter(), reset()],
        vec![marked(), json!({"accept": null})],
        vec![
            redirected.clone(),
            matches(payload("ip", "daddr"), json!("127.0.0.1")),
            json!({"accept": null}),
        ],
        vec![redirected, matches(payload("ip6", "daddr"), json!("::1")), json!({"accept": null})],
        vec![outward(), direction("reply"), from_ops(), counter(), reset()],
        vec![direction("reply"), json!({"accept": null})],
        vec![matches(payload("tcp", "dport"), own.clone()), counter(), reset()],
        vec![matches(payload("udp", "dport"), own), counter(), prohibited()],
        vec![matches(meta("oifname"), json!("lo")), json!({"accept": null})],
        vec![matches(payload("icmpv6", "type"), kernel_icmpv6()), json!({"accept": null})],
        vec![matches(meta("l4proto"), json!("tcp")), counter(), reset()],
        vec![counter(), prohibited()],
    ]
}

/// RFC 4861; a socket needs NET_RAW to send these. Reports of multicast groups (RFC 3810) are not
/// among them: the kernel sends them of whatever group a socket joins, and a group's address has
/// room for 14 bytes of the agent's.
fn kernel_icmpv6() -> Value {
    json!({"set": [
        "nd-router-solicit", "nd-neighbor-solicit", "nd-neighbor-advert"
    ]})
}

fn chain(name: &str, kind: &str, priority: i32, policy: &str) -> Value {
    json!({"chain": {
        "family": FAMILY, "table": TABLE, "name": name,
        "type": kind, "hook": "output", "prio": priority, "policy": policy
    }})
}

fn in_chain(chain: &str, expressions: Vec<Value>) -> Value {
    json!({"rule": {"family": FAMILY, "table": TABLE, "chain": chain, "expr": expressions}})
}

fn matches(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

fn payload(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

fn uid(uid: u32) -> Value {
    matches(meta("skuid"), json!(uid))
}

/// True for a socket that has an owner who is not the proxy; false for one without any.
fn another(proxy_uid: u32) -> Value {
    json!({"match": {"op": "!=", "left": meta("skuid"), "right": proxy_uid}})
}

/// Of a packet, seen from whoever opened its connection.
fn direction(direction: &str) -> Value {
    matches(json!({"ct": {"key": "direction"}}), json!(direction))
}

fn mark_connection() -> Value {
    json!({"mangle": {"key": {"ct": {"key": "mark"}}, "value": MARK}})
}

fn marked() -> Value {
    matches(json!({"ct": {"key": "mark"}}), json!(MARK))
}

/// Inside, the resets of rule 5 come from that port too.
fn outward() -> Value {
    json!({"match": {"op": "!=", "left": meta("oifname"), "right": "lo"}})
}

fn from_ops() -> Value {
    matches(payload("tcp", "sport"), json!(ports::OPS))
}

fn redirect(port: u16) -> Value {
    json!({"redirect": {"port": port}})
}

fn counter() -> Value {
    json!({"counter": null})
}

fn reset() -> Value {
    json!({"reject": {"type": "tcp reset"}})
}

fn prohibited() -> Value {
    json!({"reject": {"type": "icmpx", "expr": "admin-prohibited"}})
}
