//! The capture rules, as objects of libnftables' JSON schema.
//!
//! `zones`, in front of connection tracking, keeps the proxy's connections apart ([`zones`]).
//!
//! `incoming` marks connections that come from outside: they alone are answered to outside. What
//! the agent sends itself over loopback makes nobody outside one who is answered.
//!
//! `inward` turns reports of multicast groups (RFC 3810) to loopback. The kernel sends them of whatever
//! group a socket joins, and a group's address has room for 14 bytes of the agent's. It also sends
//! them by itself, so that they may not fail as what the agent sends does, which is counted.
//!
//! `nat`, at the priority of dstnat:
//! 1. the proxy's uid goes as it is,
//! 2. TCP to the proxy's own ports goes to its port for what is refused and counted: whoever
//!    connects there directly has no original destination, or wants to read the metrics,
//! 3. loopback goes as it is,
//! 4. DNS, UDP and TCP, goes to the proxy's DNS,
//! 5. all other TCP goes to the proxy.
//!
//! `filter`, after it, drops what none of these lets pass:
//! 1. the proxy's uid: connections that it opens, and those that it answers on its port for
//!    health and metrics, are marked; beside them, what came from outside or stays on loopback,
//! 2. not: a socket of another uid on a connection so marked (the proxy closed it, and somebody
//!    took its port); what no socket owns any more on such a connection passes: a closed socket
//!    has no uid, and the rest of what the proxy sent would be lost,
//! 3. what rule 2, 4 or 5 above redirected (`ct status dnat`, towards loopback),
//! 4. replies to connections that came from outside; but not from the port for health and
//!    metrics, which is open to the cluster: while the proxy is away the agent can take it, and
//!    whoever connects in would read from the agent,
//! 5. replies on loopback,
//! 6. not: anything else for the proxy's own ports; it is rejected,
//! 7. loopback,
//! 8. neighbour discovery, which the kernel sends by itself,
//! 9. all else is rejected and counted: an error tells the agent at once, and the kernel's own
//!    counters of it can be read without privileges.
//!
//! The uid is that of the credentials with which a socket's file was opened; changing the owner of
//! the socket afterwards does not change it.

mod words;
mod zones;

use exeat_api::ports;
use serde_json::{Value, json};
pub(super) use words::{FAMILY, TABLE};
use words::{
    accept, another, chain, counter, differs, direction, discard, in_chain, mark_connection,
    marked, matches, meta, outward, over_loopback, payload, prohibited, redirect, reset, state,
    uid,
};

/// Of connections that the proxy opens, or answers on its port for health and metrics.
const OURS: u32 = 0x6578_6561;
/// Of connections that came from outside.
const INBOUND: u32 = 0x6578_6962;

/// The table, its sets, its chains and their rules, for a proxy of this uid.
pub fn ruleset(proxy_uid: u32) -> Vec<Value> {
    let mut objects = vec![json!({"table": {"family": FAMILY, "name": TABLE}})];
    objects.extend(zones::sets());
    let chains = [
        (chain(zones::CHAIN, "filter", "output", zones::RAW, "accept"), zones::rules(proxy_uid)),
        (chain("incoming", "filter", "prerouting", 0, "accept"), incoming()),
        (chain("inward", "route", "output", -150, "accept"), inward()),
        (chain("nat", "nat", "output", -100, "accept"), nat(proxy_uid)),
        (chain("filter", "filter", "output", 0, "drop"), filter(proxy_uid)),
    ];
    objects.extend(chains.iter().map(|(chain, _)| chain.clone()));
    for (chain, rules) in chains {
        let name = chain["chain"]["name"].as_str().unwrap_or_default();
        objects.extend(rules.into_iter().map(|rule| in_chain(name, rule)));
    }
    objects
}

fn incoming() -> Vec<Vec<Value>> {
    let from_outside = differs(meta("iifname"), json!("lo"));
    vec![vec![from_outside, state("state", "new"), direction("original"), mark_connection(INBOUND)]]
}

fn inward() -> Vec<Vec<Value>> {
    let inward = json!({"mangle": {"key": payload("ip6", "daddr"), "value": "::1"}});
    vec![vec![reports_group(), inward]]
}

fn nat(proxy_uid: u32) -> Vec<Vec<Value>> {
    vec![
        vec![uid(proxy_uid), accept()],
        vec![
            over_loopback(),
            matches(payload("tcp", "dport"), own_ports()),
            redirect(ports::REFUSED),
        ],
        vec![over_loopback(), accept()],
        vec![matches(payload("udp", "dport"), json!(53)), redirect(ports::DNS)],
        vec![matches(payload("tcp", "dport"), json!(53)), redirect(ports::DNS)],
        vec![matches(meta("l4proto"), json!("tcp")), redirect(ports::CAPTURE)],
    ]
}

fn filter(proxy_uid: u32) -> Vec<Vec<Value>> {
    let redirected = state("status", "dnat");
    let mut rules = of_the_proxy(proxy_uid);
    rules.extend([
        vec![marked(OURS), direction("original"), another(proxy_uid), counter(), prohibited()],
        vec![outward(), direction("reply"), from_ops(), another(proxy_uid), counter(), reset()],
        vec![marked(OURS), accept()],
        vec![redirected.clone(), matches(payload("ip", "daddr"), json!("127.0.0.1")), accept()],
        vec![redirected, matches(payload("ip6", "daddr"), json!("::1")), accept()],
        vec![outward(), direction("reply"), from_ops(), counter(), reset()],
        vec![direction("reply"), marked(INBOUND), accept()],
        vec![direction("reply"), over_loopback(), accept()],
        vec![matches(payload("tcp", "dport"), own_ports()), counter(), reset()],
        vec![matches(payload("udp", "dport"), own_ports()), counter(), prohibited()],
        vec![over_loopback(), accept()],
        vec![reports_group(), matches(payload("ip6", "daddr"), json!("::1")), accept()],
        vec![matches(payload("icmpv6", "type"), kernel_icmpv6()), accept()],
        vec![matches(meta("l4proto"), json!("tcp")), counter(), reset()],
        vec![counter(), prohibited()],
    ]);
    rules
}

/// What the proxy answers stays on loopback, or goes to whoever came from outside: the agent cannot
/// have it answered elsewhere.
fn of_the_proxy(proxy_uid: u32) -> Vec<Vec<Value>> {
    vec![
        vec![uid(proxy_uid), direction("original"), mark_connection(OURS), accept()],
        vec![uid(proxy_uid), direction("reply"), from_ops(), mark_connection(OURS), accept()],
        vec![uid(proxy_uid), marked(INBOUND), accept()],
        vec![uid(proxy_uid), over_loopback(), accept()],
        vec![uid(proxy_uid), counter(), discard()],
    ]
}

/// RFC 2710 and RFC 3810.
fn reports_group() -> Value {
    let reports = ["mld-listener-report", "mld-listener-done", "mld2-listener-report"];
    matches(payload("icmpv6", "type"), json!({"set": reports}))
}

/// RFC 4861; a socket needs NET_RAW to send these.
fn kernel_icmpv6() -> Value {
    json!({"set": [
        "nd-router-solicit", "nd-neighbor-solicit", "nd-neighbor-advert"
    ]})
}

fn own_ports() -> Value {
    json!({"set": [ports::CAPTURE, ports::OPS, ports::DNS]})
}

/// Inside, the resets of rule 6 come from that port too.
fn from_ops() -> Value {
    matches(payload("tcp", "sport"), json!(ports::OPS))
}
