//! A record that borrows its texts, for a writer that must not allocate. It alone says in what order
//! and under what names fields are written: [`Record`] writes itself as one.

use super::{Genesis, Kind, RECORD_VERSION, Record};
use crate::chain::{ChainError, MAX_RECORD_BYTES};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The borrowed form of [`Record`], field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordRef<'a> {
    pub v: u32,
    pub time: &'a str,
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genesis: Option<&'a Genesis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_digest: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unclean: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durability: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked: Option<&'a BTreeMap<String, u64>>,
}

impl<'a> RecordRef<'a> {
    /// A record of `kind` at `time` (see [`crate::time`]) that says nothing else yet.
    pub const fn new(kind: Kind, time: &'a str) -> Self {
        Self {
            v: RECORD_VERSION,
            time,
            kind,
            id: None,
            genesis: None,
            action: None,
            resource: None,
            query_digest: None,
            method: None,
            effect: None,
            observed: None,
            rule: None,
            code: None,
            reason: None,
            policy: None,
            address: None,
            status: None,
            bytes_out: None,
            bytes_in: None,
            body_digest: None,
            duration_ms: None,
            count: None,
            until: None,
            unclean: false,
            cut: None,
            durability: None,
            masked: None,
        }
    }

    /// Appends the record's bytes to `out`. A record that would be longer than
    /// [`MAX_RECORD_BYTES`] is written [shortened](Record::shortened): whoever makes a record long
    /// must not be able to keep it out of the chain.
    ///
    /// # Errors
    /// When the record cannot be serialised, or is too long even so; `out` is as it was then.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), ChainError> {
        let start = out.len();
        let written = json(self, out).and_then(|()| {
            if out.len() - start <= MAX_RECORD_BYTES {
                return Ok(());
            }
            out.truncate(start);
            json(&self.to_record().shortened(), out)?;
            match out.len() - start {
                ..=MAX_RECORD_BYTES => Ok(()),
                length => Err(ChainError::RecordTooLong(length)),
            }
        });
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// The record with texts of its own.
    pub fn to_record(&self) -> Record {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Record {
            v: self.v,
            time: self.time.to_owned(),
            kind: self.kind,
            id: self.id,
            genesis: self.genesis.cloned(),
            action: owned(self.action),
            resource: owned(self.resource),
            query_digest: owned(self.query_digest),
            method: owned(self.method),
            effect: owned(self.effect),
            observed: owned(self.observed),
            rule: owned(self.rule),
            code: owned(self.code),
            reason: owned(self.reason),
            policy: owned(self.policy),
            address: owned(self.address),
            status: self.status,
            bytes_out: self.bytes_out,
            bytes_in: self.bytes_in,
            body_digest: owned(self.body_digest),
            duration_ms: self.duration_ms,
            count: self.count,
            until: owned(self.until),
            unclean: self.unclean,
            cut: self.cut,
            durability: owned(self.durability),
            masked: self.masked.cloned(),
        }
    }
}

impl<'a> From<&'a Record> for RecordRef<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            v: record.v,
            time: &record.time,
            kind: record.kind,
            id: record.id,
            genesis: record.genesis.as_ref(),
            action: record.action.as_deref(),
            resource: record.resource.as_deref(),
            query_digest: record.query_digest.as_deref(),
            method: record.method.as_deref(),
            effect: record.effect.as_deref(),
            observed: record.observed.as_deref(),
            rule: record.rule.as_deref(),
            code: record.code.as_deref(),
            reason: record.reason.as_deref(),
            policy: record.policy.as_deref(),
            address: record.address.as_deref(),
            status: record.status,
            bytes_out: record.bytes_out,
            bytes_in: record.bytes_in,
            body_digest: record.body_digest.as_deref(),
            duration_ms: record.duration_ms,
            count: record.count,
            until: record.until.as_deref(),
            unclean: record.unclean,
            cut: record.cut,
            durability: record.durability.as_deref(),
            masked: record.masked.as_ref(),
        }
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RecordRef::from(self).serialize(serializer)
    }
}

fn json(record: &impl Serialize, out: &mut Vec<u8>) -> Result<(), ChainError> {
    serde_json::to_writer(out, record).map_err(|error| ChainError::Record(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::of("\\PC{0,12}|[\\x00-\\x7f\"\\\\]{0,12}")
    }

    fn number() -> impl Strategy<Value = Option<u64>> {
        prop::option::of(any::<u64>())
    }

    prop_compose! {
        fn texts()(
            it in (text(), text(), text(), text(), text(), text()),
            rest in (text(), text(), text(), text(), text(), text(), text()),
        ) -> Record {
            Record {
                action: it.0, resource: it.1, query_digest: it.2, method: it.3, effect: it.4,
                observed: it.5, rule: rest.0, code: rest.1, reason: rest.2, policy: rest.3,
                address: rest.4, body_digest: rest.5, durability: rest.6,
                ..Record::new(Kind::Intent, TIME)
            }
        }
    }

    prop_compose! {
        fn records()(
            texts in texts(),
            numbers in (number(), number(), number(), number(), number(), number()),
            masked in prop::option::of(prop::collection::btree_map("\\PC{0,4}", any::<u64>(), 0..3)),
            v in 1..=RECORD_VERSION,
            status in prop::option::of(any::<u16>()),
            unclean in any::<bool>(),
            until in text(),
            kind in prop::sample::select(Kind::ALL.to_vec()),
            public_key in prop::option::of("[0-9a-f]{0,8}"),
        ) -> Record {
            let genesis = public_key.map(|public_key| Genesis {
                pod_uid: "pod-1".to_owned(),
                pod_name: "research-0".to_owned(),
                namespace: "agents".to_owned(),
                service_account: "research".to_owned(),
                node: "node-1".to_owned(),
                image: "exeat-proxy:test".to_owned(),
                public_key,
                policy: String::new(),
            });
            Record {
                v, kind, status, unclean, until, genesis, id: numbers.0, bytes_out: numbers.1,
                bytes_in: numbers.2, duration_ms: numbers.3, count: numbers.4, cut: numbers.5, masked,
                ..texts
            }
        }
    }

    proptest! {
        #[test]
        fn both_forms_have_the_same_bytes_and_all_of_the_record(record in records()) {
            let borrowed = RecordRef::from(&record);
            let mut bytes = b"before".to_vec();
            borrowed.write(&mut bytes).unwrap();
            prop_assert_eq!(&bytes[..6], b"before");
            let text = std::str::from_utf8(&bytes[6..]).unwrap();
            prop_assert_eq!(&serde_json::to_string(&record).unwrap(), text);
            prop_assert_eq!(&serde_json::from_str::<Record>(text).unwrap(), &record);
            prop_assert_eq!(borrowed.to_record(), record);
        }
    }

    #[test]
    fn fields_are_written_in_the_order_of_the_document() {
        let masked = BTreeMap::from([("Response/iban".to_owned(), 6)]);
        let record = RecordRef {
            id: Some(7),
            action: Some("network.request"),
            resource: Some("https://a.example/"),
            query_digest: Some("sha256:00"),
            method: Some("GET"),
            effect: Some("Deny"),
            observed: Some("Deny"),
            rule: Some("Guardrail//p/r"),
            code: Some("Rule"),
            reason: Some("because"),
            policy: Some("sha256:01"),
            address: Some("192.0.2.1:443"),
            status: Some(200),
            bytes_out: Some(1),
            bytes_in: Some(2),
            body_digest: Some("sha256:02"),
            duration_ms: Some(3),
            count: Some(4),
            until: Some(TIME),
            unclean: true,
            cut: Some(5),
            durability: Some("Spooled"),
            masked: Some(&masked),
            ..RecordRef::new(Kind::Intent, TIME)
        };
        let mut bytes = Vec::new();
        record.write(&mut bytes).unwrap();
        let expected = concat!(
            r#"{"v":2,"time":"2026-01-02T03:04:05.678Z","kind":"Intent","id":7,"#,
            r#""action":"network.request","resource":"https://a.example/","#,
            r#""queryDigest":"sha256:00","method":"GET","effect":"Deny","observed":"Deny","#,
            r#""rule":"Guardrail//p/r","code":"Rule","reason":"because","policy":"sha256:01","#,
            r#""address":"192.0.2.1:443","status":200,"bytesOut":1,"bytesIn":2,"#,
            r#""bodyDigest":"sha256:02","durationMs":3,"count":4,"#,
            r#""until":"2026-01-02T03:04:05.678Z","unclean":true,"cut":5,"durability":"Spooled","#,
            r#""masked":{"Response/iban":6}}"#,
        );
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
    }

    #[test]
    fn a_record_that_is_too_long_is_written_shortened() {
        let long = "\u{1}".repeat(MAX_RECORD_BYTES);
        let record = RecordRef { resource: Some(&long), ..RecordRef::new(Kind::Intent, TIME) };
        let mut bytes = Vec::new();
        record.write(&mut bytes).unwrap();
        let read: Record = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(read, record.to_record().shortened());

        // What is too long in a field that is never cut cannot be written at all.
        let record = RecordRef { action: Some(&long), ..RecordRef::new(Kind::Intent, TIME) };
        let mut out = b"before".to_vec();
        assert!(matches!(record.write(&mut out), Err(ChainError::RecordTooLong(_))));
        assert_eq!(out, b"before");
    }
}
