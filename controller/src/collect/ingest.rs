//! A batch, checked as far as it can be without the store.

use crate::identity::PodIdentity;
use exeat_audit::batch::json::{JsonBatch, MAX_ENTRIES};
use exeat_audit::chain::{ChainId, Link};
use exeat_audit::head::SignedHead;
use exeat_audit::key::PublicKey;
use exeat_audit::record::{Kind, Record, host_of};
use exeat_audit::{time, verify};

/// Why a batch is not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the chain {chain:?} is not the caller's")]
    Foreign { chain: String },
    #[error("{0}")]
    Unverified(String),
    #[error("entry {seq} contradicts what is stored; the chain is marked as broken")]
    Fork { seq: u64 },
}

/// A batch whose entries follow each other and whose head covers the last of them. What is still to
/// be checked: that the first follows what is stored, and that the head is signed.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) chain: ChainId,
    pub(super) pod: PodIdentity,
    pub(super) rows: Vec<Row>,
    pub(super) head: SignedHead,
    /// Of the Genesis, where the batch has it.
    pub(super) key: Option<PublicKey>,
}

/// An entry with what the index needs.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) link: Link,
    pub(super) text: String,
    pub(super) record: Record,
    /// Milliseconds since 1970 by which it is ordered and shown: the record's own time, but never
    /// later than when it was received. The writer's clock may say anything.
    pub(super) time: u64,
}

impl Row {
    pub(super) fn host(&self) -> Option<&str> {
        self.record.resource.as_deref().and_then(host_of)
    }

    pub(super) fn is_denial(&self) -> bool {
        // A resolver that tries its search list wants nothing that is denied.
        let by_search_list = self.record.code.as_deref() == Some("SearchDomain");
        self.record.kind == Kind::Intent
            && self.record.effect.as_deref() == Some("Deny")
            && !by_search_list
    }
}

/// Checks everything about a batch, received at `received`, that does not need the store.
///
/// # Errors
/// When it is another pod's, or does not hold together.
pub(super) fn prepare(
    pod: PodIdentity,
    batch: JsonBatch,
    received: u64,
) -> Result<Prepared, Refusal> {
    if batch.chain != pod.pod_uid || batch.head.chain != pod.pod_uid {
        return Err(Refusal::Foreign { chain: batch.chain });
    }
    let chain: ChainId = batch.chain.parse().map_err(unverified)?;
    if batch.entries.len() > MAX_ENTRIES {
        return Err(unverified(format!("a batch has at most {MAX_ENTRIES} entries")));
    }
    let mut rows: Vec<Row> = Vec::with_capacity(batch.entries.len());
    for entry in batch.entries {
        let at = |problem: String| unverified(format!("entry {}: {problem}", entry.seq));
        let link: Link = entry.link.parse().map_err(|error| at(format!("{error}")))?;
        let record = verify::read_record(&entry.record).map_err(at)?;
        let expected = match rows.last() {
            Some(last) if last.seq.checked_add(1) != Some(entry.seq) => {
                return Err(at("the entries of a batch follow each other".to_owned()));
            }
            Some(last) => Some(last.link),
            None if entry.seq == 0 => Some(Link::start(&chain)),
            None => None,
        };
        if expected.is_some_and(|it| it.next(entry.seq, entry.record.as_bytes()) != link) {
            return Err(at("the link is not that of this record in this place".to_owned()));
        }
        if (record.kind == Kind::Genesis) != (entry.seq == 0) {
            return Err(at("the first record, and only that, is a Genesis".to_owned()));
        }
        let time = time::parse(&record.time).unwrap_or_default().min(received);
        rows.push(Row { seq: entry.seq, link, text: entry.record, record, time });
    }
    if let Some(last) = rows.last()
        && (batch.head.seq != last.seq || batch.head.link != last.link.to_string())
    {
        return Err(unverified("the head does not cover the last entry of the batch"));
    }
    let key = rows.first().map(|row| genesis_key(&pod, row)).transpose()?.flatten();
    Ok(Prepared { chain, pod, rows, head: batch.head, key })
}

fn genesis_key(pod: &PodIdentity, first: &Row) -> Result<Option<PublicKey>, Refusal> {
    if first.seq != 0 {
        return Ok(None);
    }
    let genesis = first.record.genesis.as_ref();
    let genesis = genesis.ok_or_else(|| unverified("the Genesis does not say whose it is"))?;
    let stated = (&genesis.pod_uid, &genesis.pod_name, &genesis.namespace);
    if stated != (&pod.pod_uid, &pod.pod_name, &pod.namespace) {
        return Err(unverified("the Genesis names another pod than the caller's"));
    }
    PublicKey::from_hex(&genesis.public_key).map(Some).map_err(unverified)
}

/// A refusal with this reason.
pub(super) fn unverified(problem: impl ToString) -> Refusal {
    Refusal::Unverified(problem.to_string())
}
