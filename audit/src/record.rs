//! One fact. A record's bytes are fixed by its writer: the chain covers those bytes, and nobody
//! re-serialises them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod borrowed;

pub use borrowed::RecordRef;

/// The version that every new record carries in `v`. Readers know this one and all before it.
pub const RECORD_VERSION: u32 = 2;

/// The largest `count` of denials: the last number that every reader of JSON takes exactly.
pub const MAX_COUNT: u64 = (1 << 53) - 1;

/// What an intent may wait for before its first byte goes out, as a `Policy` record states it.
pub const DURABILITIES: [&str; 3] = ["Spooled", "Synced", "Acknowledged"];

/// One JSON object per fact. Fields that do not apply are left out. It is written as its
/// [`RecordRef`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub v: u32,
    /// RFC 3339, UTC, milliseconds.
    pub time: String,
    pub kind: Kind,
    /// Joins an outcome to its intent; unique within a chain.
    pub id: Option<u64>,
    pub genesis: Option<Genesis>,
    /// `network.request`, `network.connect`, `network.dns`.
    pub action: Option<String>,
    /// As the policy saw it: `https://api.example.com/v1/items`, without query values.
    pub resource: Option<String>,
    /// `sha256:<hex>` of the query string, where there is one.
    pub query_digest: Option<String>,
    pub method: Option<String>,
    /// `Allow`, `Deny`; what was done.
    pub effect: Option<String>,
    /// In Observe mode: what would have been done.
    pub observed: Option<String>,
    /// `tier/namespace/policy/rule` of the rule that decided; absent for the default.
    pub rule: Option<String>,
    /// A code from a closed set, such as `DefaultDeny`, `BodyPattern`, `AddressClass`.
    pub code: Option<String>,
    /// For people.
    pub reason: Option<String>,
    /// Digest of the snapshot that decided.
    pub policy: Option<String>,
    /// The address that was dialled.
    pub address: Option<String>,
    pub status: Option<u16>,
    /// Bytes of body sent upstream, and back to the agent.
    pub bytes_out: Option<u64>,
    pub bytes_in: Option<u64>,
    /// `sha256:<hex>` of the body that the policy decided on, where it was read.
    pub body_digest: Option<String>,
    pub duration_ms: Option<u64>,
    /// Of `Rejected`: packets. Of a denied `Intent`: how many equal denials it stands for; absent
    /// where it is one.
    pub count: Option<u64>,
    /// Beside the `count` of denials: the time of the last of them, in the form of `time`.
    pub until: Option<String>,
    /// Of `Restart`: the run before it wrote no `Close`.
    #[serde(default)]
    pub unclean: bool,
    /// Of `Restart`: bytes of a half-written tail that were cut off; absent where nothing was.
    pub cut: Option<u64>,
    /// Of `Policy`: what an intent waits for from here on, one of [`DURABILITIES`].
    pub durability: Option<String>,
    /// Of `Outcome`: how many values were masked, by `direction/detector`, as in `Response/credit-card`.
    pub masked: Option<BTreeMap<String, u64>>,
}

/// What a record states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The first record of a chain, and only that.
    Genesis,
    /// The proxy started again on an existing chain.
    Restart,
    /// A decision, written before any byte goes out. A Deny has no outcome, and may stand for several
    /// equal denials.
    Intent,
    /// How an allowed intent ended.
    Outcome,
    /// A snapshot took effect.
    Policy,
    /// Packets that the capture rules rejected, counted.
    Rejected,
    /// The chain is alive.
    Heartbeat,
    /// The proxy ended in order; nothing follows but `Restart`.
    Close,
}

/// Who a chain belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Genesis {
    pub pod_uid: String,
    pub pod_name: String,
    pub namespace: String,
    pub service_account: String,
    pub node: String,
    /// The proxy's image as admission set it.
    pub image: String,
    /// Ed25519, 32 bytes, hex: heads of this chain are signed by it.
    pub public_key: String,
    /// Snapshot digest at genesis; empty where none had arrived.
    pub policy: String,
}

impl Record {
    /// A record of `kind` at `time` (see [`crate::time`]) that says nothing else yet.
    pub fn new(kind: Kind, time: impl Into<String>) -> Self {
        let mut record = RecordRef::new(kind, "").to_record();
        record.time = time.into();
        record
    }

    /// The first record of a chain.
    pub fn genesis(time: impl Into<String>, genesis: Genesis) -> Self {
        Self { genesis: Some(genesis), ..Self::new(Kind::Genesis, time) }
    }

    /// The proxy started again on this chain.
    pub fn restart(time: impl Into<String>) -> Self {
        Self::new(Kind::Restart, time)
    }

    /// A decision about `action` on `resource`. `id` joins an outcome to it; fill in the rest with
    /// struct update syntax.
    pub fn intent(
        time: impl Into<String>,
        id: u64,
        action: &str,
        resource: impl Into<String>,
        effect: &str,
        code: &str,
    ) -> Self {
        Self {
            id: Some(id),
            action: Some(action.to_owned()),
            resource: Some(resource.into()),
            effect: Some(effect.to_owned()),
            code: Some(code.to_owned()),
            ..Self::new(Kind::Intent, time)
        }
    }

    /// How the intent `id` ended.
    pub fn outcome(time: impl Into<String>, id: u64) -> Self {
        Self { id: Some(id), ..Self::new(Kind::Outcome, time) }
    }

    /// The snapshot with this digest took effect.
    pub fn policy(time: impl Into<String>, digest: impl Into<String>) -> Self {
        Self { policy: Some(digest.into()), ..Self::new(Kind::Policy, time) }
    }

    /// `count` packets were rejected by the capture rules since the last such record.
    pub fn rejected(time: impl Into<String>, count: u64) -> Self {
        Self { count: Some(count), ..Self::new(Kind::Rejected, time) }
    }

    /// The last moment that the record speaks of: `until`, else `time`. Records are ordered by it.
    pub fn latest(&self) -> &str {
        self.until.as_ref().unwrap_or(&self.time)
    }

    /// Whether an outcome of this record has to follow: of every allowed intent but a question,
    /// which is answered where it is decided.
    pub fn awaits_outcome(&self) -> bool {
        self.kind == Kind::Intent && self.effect.as_deref() != Some("Deny") && !self.is_question()
    }

    /// Whether the record is about a DNS question.
    pub fn is_question(&self) -> bool {
        self.action.as_deref() == Some("network.dns")
    }

    /// How many denials the record stands for: 0 where it is no denial.
    pub fn denials(&self) -> u64 {
        match (self.kind, self.effect.as_deref()) {
            (Kind::Intent, Some("Deny")) => self.count.unwrap_or(1),
            _ => 0,
        }
    }

    /// The chain is alive.
    pub fn heartbeat(time: impl Into<String>) -> Self {
        Self::new(Kind::Heartbeat, time)
    }

    /// The record with every text that outsiders have a say in cut short, so that it fits into a
    /// chain however much JSON escapes it.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let texts = [
            &mut self.resource,
            &mut self.method,
            &mut self.observed,
            &mut self.rule,
            &mut self.reason,
            &mut self.policy,
        ];
        for text in texts.into_iter().flatten() {
            *text = cut(text, SHORT);
        }
        self
    }

    /// The proxy ended in order.
    pub fn close(time: impl Into<String>) -> Self {
        Self::new(Kind::Close, time)
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Genesis,
        Self::Restart,
        Self::Intent,
        Self::Outcome,
        Self::Policy,
        Self::Rejected,
        Self::Heartbeat,
        Self::Close,
    ];

    /// The name in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genesis => "Genesis",
            Self::Restart => "Restart",
            Self::Intent => "Intent",
            Self::Outcome => "Outcome",
            Self::Policy => "Policy",
            Self::Rejected => "Rejected",
            Self::Heartbeat => "Heartbeat",
            Self::Close => "Close",
        }
    }
}

/// Longest text, in bytes, in a record that was shortened.
const SHORT: usize = 512;

/// At most `most` bytes of a text, and `…` where something was cut off.
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut kept = text[..text.floor_char_boundary(most)].to_owned();
    kept.push('…');
    kept
}

/// The host in a resource such as `https://api.example.com:8443/v1`, `tcp://[2001:db8::1]:22` or a
/// bare name; without port, and an IPv6 address without its brackets.
pub fn host_of(resource: &str) -> Option<&str> {
    let rest = resource.split_once("://").map_or(resource, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    if let Some(bracketed) = authority.strip_prefix('[') {
        return bracketed.split_once(']').map(|(host, _)| host);
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_every_form_of_resource() {
        for (resource, host) in [
            ("https://api.example.com/v1", Some("api.example.com")),
            ("https://api.example.com:8443/a:1", Some("api.example.com")),
            ("wss://api.example.com", Some("api.example.com")),
            ("tcp://10.20.0.1:5432", Some("10.20.0.1")),
            ("tcp://[2001:db8::1]:22", Some("2001:db8::1")),
            ("api.example.com", Some("api.example.com")),
            ("", None),
            ("tcp://:22", None),
        ] {
            assert_eq!(host_of(resource), host, "{resource}");
        }
    }

    #[test]
    fn a_record_leaves_out_what_it_does_not_say() {
        let time = "2026-01-02T03:04:05.678Z";
        let text = serde_json::to_string(&Record::heartbeat(time)).unwrap();
        assert_eq!(text, r#"{"v":2,"time":"2026-01-02T03:04:05.678Z","kind":"Heartbeat"}"#);
    }

    #[test]
    fn a_shortened_record_fits_whatever_was_in_it() {
        let worst = Some("\u{1}".repeat(100_000));
        let record = Record {
            method: worst.clone(),
            observed: worst.clone(),
            rule: worst.clone(),
            reason: worst.clone(),
            policy: worst.clone(),
            resource: worst,
            ..Record::new(Kind::Intent, "2026-01-02T03:04:05.678Z")
        };
        let text = serde_json::to_string(&record.shortened()).unwrap();
        assert!(text.len() < crate::chain::MAX_RECORD_BYTES, "{}", text.len());
        assert_eq!(cut("aéé", 2), "a…");
        assert_eq!(cut("aé", 3), "aé");
    }

    #[test]
    fn kinds_are_named_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }
}
