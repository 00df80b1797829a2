//! Paths of what is served. `{id}` stands for the id of a chain.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// `GET`, for proxies: the stream of [`crate::snapshots`].
pub const SNAPSHOTS: &str = "/v1/snapshots";
/// `GET`, for proxies: the stream of [`crate::credentials`].
pub const CREDENTIALS: &str = "/v1/credentials";
/// `POST`, for proxies: a batch of audit. Answered with [`crate::messages::Acknowledged`].
pub const AUDIT: &str = "/v1/audit";
/// `GET`, for proxies: how much of their own chain is stored, as [`crate::messages::Acknowledged`].
pub const AUDIT_HEAD: &str = "/v1/audit/head";
/// `GET`, for people: [`crate::messages::Records`] by [`crate::messages::RecordsQuery`].
pub const RECORDS: &str = "/v1/records";
/// `GET`, for people: [`crate::messages::Chains`] by [`crate::messages::PageQuery`].
pub const CHAINS: &str = "/v1/chains";
/// `GET`, for people: [`crate::messages::Entries`] by [`crate::messages::PageQuery`].
pub const CHAIN_ENTRIES: &str = "/v1/chains/{id}/entries";
/// `GET`, for people: the signed head of a chain.
pub const CHAIN_HEAD: &str = "/v1/chains/{id}/head";

/// `POST`, for the API server: what a pod gets, or why it is refused.
pub const MUTATE_POD: &str = "/mutate-pod";
/// `POST`, for the API server: whether a pod is as it must be.
pub const VALIDATE_POD: &str = "/validate-pod";
/// `POST`, for the API server: whether a policy compiles.
pub const VALIDATE_POLICY: &str = "/validate-policy";
/// `POST`, for the API server: warnings about pod templates.
pub const WARN_WORKLOAD: &str = "/warn-workload";

/// `GET` at the ports of health and metrics.
pub const LIVEZ: &str = "/livez";
pub const READYZ: &str = "/readyz";
/// Of the proxy alone.
pub const STARTUPZ: &str = "/startupz";
pub const METRICS: &str = "/metrics";

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of one chain's entries.
pub fn chain_entries(id: &str) -> String {
    CHAIN_ENTRIES.replace("{id}", &escaped(id))
}

/// `text` as it stands in a segment of a path or in a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_segment() {
        assert_eq!(chain_entries("a-1.b_2~"), "/v1/chains/a-1.b_2~/entries");
        assert_eq!(chain_entries("a/../b?c#d%"), "/v1/chains/a%2F..%2Fb%3Fc%23d%25/entries");
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped("action:network *&é"), "action%3Anetwork%20%2A%26%C3%A9");
    }
}
