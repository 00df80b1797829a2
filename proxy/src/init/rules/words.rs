//! Words of libnftables' JSON schema that the rules are made of.

use serde_json::{Value, json};

pub(crate) const FAMILY: &str = "inet";
pub(crate) const TABLE: &str = "exeat";

/// A chain at one hook.
pub(super) fn chain(name: &str, kind: &str, hook: &str, priority: i32, policy: &str) -> Value {
    json!({"chain": {
        "family": FAMILY, "table": TABLE, "name": name,
        "type": kind, "hook": hook, "prio": priority, "policy": policy
    }})
}

pub(super) fn in_chain(chain: &str, expressions: Vec<Value>) -> Value {
    json!({"rule": {"family": FAMILY, "table": TABLE, "chain": chain, "expr": expressions}})
}

pub(super) fn matches(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

pub(super) fn differs(left: Value, right: Value) -> Value {
    json!({"match": {"op": "!=", "left": left, "right": right}})
}

pub(super) fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

pub(super) fn payload(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

pub(super) fn uid(uid: u32) -> Value {
    matches(meta("skuid"), json!(uid))
}

/// True for a socket that has an owner who is not the proxy; false for one without any.
pub(super) fn another(proxy_uid: u32) -> Value {
    differs(meta("skuid"), json!(proxy_uid))
}

/// Of a packet, seen from whoever opened its connection.
pub(super) fn direction(direction: &str) -> Value {
    matches(json!({"ct": {"key": "direction"}}), json!(direction))
}

pub(super) fn mark_connection(mark: u32) -> Value {
    json!({"mangle": {"key": {"ct": {"key": "mark"}}, "value": mark}})
}

pub(super) fn marked(mark: u32) -> Value {
    matches(json!({"ct": {"key": "mark"}}), json!(mark))
}

pub(super) fn state(key: &str, state: &str) -> Value {
    json!({"match": {"op": "in", "left": {"ct": {"key": key}}, "right": state}})
}

pub(super) fn over_loopback() -> Value {
    matches(meta("oifname"), json!("lo"))
}

pub(super) fn outward() -> Value {
    differs(meta("oifname"), json!("lo"))
}

pub(super) fn redirect(port: u16) -> Value {
    json!({"redirect": {"port": port}})
}

pub(super) fn accept() -> Value {
    json!({"accept": null})
}

pub(super) fn discard() -> Value {
    json!({"drop": null})
}

pub(super) fn counter() -> Value {
    json!({"counter": null})
}

pub(super) fn reset() -> Value {
    json!({"reject": {"type": "tcp reset"}})
}

pub(super) fn prohibited() -> Value {
    json!({"reject": {"type": "icmpx", "expr": "admin-prohibited"}})
}
