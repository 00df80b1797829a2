//! Queries and JSON bodies of the control API. Times are RFC 3339 in UTC with milliseconds.
//!
//! Whoever serves refuses a query with an unknown term; whoever reads an answer passes over fields
//! that it does not know.

use crate::paths;
use serde::{Deserialize, Serialize};

pub use exeat_audit::batch::Acknowledged;
pub use exeat_audit::chain::Entry;
pub use exeat_audit::head::SignedHead;

/// Which records: [`paths::RECORDS`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordsQuery {
    /// An expression of [`exeat_audit::filter`]. Empty: every record.
    #[serde(default)]
    pub filter: String,
    /// How many, counted from the newest. Absent: 50.
    pub last: Option<u32>,
    /// Of one namespace only; absent: of all, which the caller must be allowed to read.
    pub namespace: Option<String>,
}

/// Which part of a list: [`paths::CHAINS`], [`paths::CHAIN_ENTRIES`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// As in [`RecordsQuery`].
    pub namespace: Option<String>,
    /// What the page begins after: [`Chains::next`], or the sequence of an entry. Absent: the first.
    pub after: Option<u64>,
    /// Most items of the page. Absent, or more: [`PAGE_AT_MOST`].
    pub limit: Option<u32>,
}

/// No page has more items.
pub const PAGE_AT_MOST: u32 = 1000;
/// No answer has more records.
pub const RECORDS_AT_MOST: u32 = 10_000;
/// Records of an answer to a query that does not say how many.
pub const RECORDS_DEFAULT: u32 = 50;

/// The answer to [`RecordsQuery`], the oldest record first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records<R> {
    pub records: Vec<FoundRecord<R>>,
}

/// A record in its place. `R` is its form: the collector passes on what it stored, so that a field
/// that it does not know reaches a reader that does; a reader takes an `exeat_audit` record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundRecord<R> {
    pub chain: String,
    pub seq: u64,
    pub namespace: String,
    pub pod: String,
    pub record: R,
}

/// Chains, in the order in which they were first seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chains {
    pub chains: Vec<Chain>,
    /// The `after` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A chain, as far as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chain {
    pub chain: String,
    pub namespace: String,
    pub pod: String,
    /// Hex of the Ed25519 key that signs its heads.
    pub public_key: String,
    pub entries: u64,
    pub head: SignedHead,
    /// When something of it was delivered last.
    pub last_seen: String,
    /// Its last entry says that it ends.
    pub closed: bool,
    /// Something that contradicts this chain was delivered, and refused.
    pub broken: bool,
}

/// Entries of one chain, by sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    pub entries: Vec<Entry>,
}

/// Why a request is not answered as asked: RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    /// The status of the answer once more.
    pub status: u16,
    pub title: String,
    /// A sentence for people.
    pub detail: String,
}

/// The media type of a [`Problem`].
pub const PROBLEM_TYPE: &str = "application/problem+json";

impl Problem {
    /// A problem of no type but its status.
    pub fn new(status: u16, title: impl Into<String>, detail: impl Into<String>) -> Self {
        let kind = "about:blank".to_owned();
        Self { kind, status, title: title.into(), detail: detail.into() }
    }
}

impl RecordsQuery {
    /// Path and query of the request.
    pub fn request(&self) -> String {
        let last = self.last.map(|last| last.to_string());
        let filter = Some(self.filter.as_str()).filter(|filter| !filter.is_empty());
        let terms = [
            ("filter", filter),
            ("last", last.as_deref()),
            ("namespace", self.namespace.as_deref()),
        ];
        request(paths::RECORDS, &terms)
    }
}

impl PageQuery {
    /// Path and query of the request for the list at `path`.
    pub fn request(&self, path: &str) -> String {
        let (after, limit) =
            (self.after.map(|it| it.to_string()), self.limit.map(|it| it.to_string()));
        let terms = [
            ("after", after.as_deref()),
            ("limit", limit.as_deref()),
            ("namespace", self.namespace.as_deref()),
        ];
        request(path, &terms)
    }
}

/// The path with those terms that have a value.
fn request(path: &str, terms: &[(&str, Option<&str>)]) -> String {
    let terms: Vec<String> = terms
        .iter()
        .filter_map(|(key, value)| value.map(|value| format!("{key}={}", paths::escaped(value))))
        .collect();
    if terms.is_empty() { path.to_owned() } else { format!("{path}?{}", terms.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_has_the_terms_that_were_given() {
        assert_eq!(RecordsQuery::default().request(), "/v1/records");
        let query = RecordsQuery {
            filter: "effect:Deny host:a&b".to_owned(),
            last: Some(7),
            namespace: Some("agents".to_owned()),
        };
        let expected = "/v1/records?filter=effect%3ADeny%20host%3Aa%26b&last=7&namespace=agents";
        assert_eq!(query.request(), expected);
        assert_eq!(PageQuery::default().request(paths::CHAINS), "/v1/chains");
        let query = PageQuery { after: Some(0), limit: Some(9), namespace: None };
        let path = paths::chain_entries("uid-1");
        assert_eq!(query.request(&path), "/v1/chains/uid-1/entries?after=0&limit=9");
    }

    #[test]
    fn the_last_page_has_no_next_and_readers_pass_over_what_they_do_not_know() {
        let last = Chains { chains: Vec::new(), next: None };
        assert_eq!(serde_json::to_value(&last).unwrap(), json!({"chains": []}));
        let read: Chains = serde_json::from_value(json!({"chains": [], "since": 1})).unwrap();
        assert_eq!(read, last);
        assert!(serde_json::from_value::<PageQuery>(json!({"afer": 1})).is_err());
    }
}
