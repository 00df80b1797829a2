//! A batch, checked as far as it can be without the store.

use crate::identity::PodIdentity;
use exeat_audit::batch::Batch;
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
    fn read(seq: u64, link: Link, text: String, received: u64) -> Result<Self, Refusal> {
        let record = verify::read_record(&text).map_err(|problem| at(seq, problem))?;
        if (record.kind == Kind::Genesis) != (seq == 0) {
            return Err(at(seq, "the first record, and only that, is a Genesis"));
        }
        let time = time::parse(record.latest()).unwrap_or_default().min(received);
        Ok(Self { seq, link, text, record, time })
    }

    pub(super) fn host(&self) -> Option<&str> {
        self.record.resource.as_deref().and_then(host_of)
    }

    /// How many denials the entry stands for. A resolver that tries its search list wants nothing
    /// that is denied, and who says nothing asks for nothing: that is none.
    pub(super) fn denials(&self) -> u64 {
        match self.record.code.as_deref() {
            Some("SearchDomain" | "Silent") => 0,
            _ => self.record.denials(),
        }
    }
}

/// Checks everything about a batch, received at `received`, that does not need the store.
///
/// The links are computed from the one that the batch says comes first. If that is not the link
/// that is stored there, the store finds out: by the link of an entry that it has too, or by the
/// link of the first one that it has not.
///
/// # Errors
/// When it is another pod's, or does not hold together.
pub(super) fn prepare(
    pod: PodIdentity,
    batch: &Batch<'_>,
    received: u64,
) -> Result<Prepared, Refusal> {
    let chain = batch.chain.clone();
    if chain.as_str() != pod.pod_uid {
        return Err(Refusal::Foreign { chain: chain.to_string() });
    }
    if batch.first == 0 && batch.previous != Link::start(&chain) {
        return Err(at(0, "it does not follow the start of the chain"));
    }
    let mut rows = Vec::with_capacity(batch.records.len());
    let mut link = batch.previous;
    for (seq, record) in (batch.first..).zip(&batch.records) {
        link = link.next(seq, record);
        let text = std::str::from_utf8(record).map_err(|error| at(seq, error))?;
        rows.push(Row::read(seq, link, text.to_owned(), received)?);
    }
    prepared(pod, chain, rows, batch.head(link))
}

/// The same for a batch of the version before, which states every link.
///
/// # Errors
/// As [`prepare`].
pub(super) fn prepare_json(
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
        let seq = entry.seq;
        let link: Link = entry.link.parse().map_err(|error| at(seq, error))?;
        let expected = match rows.last() {
            Some(last) if last.seq.checked_add(1) != Some(seq) => {
                return Err(at(seq, "the entries of a batch follow each other"));
            }
            Some(last) => Some(last.link),
            None if seq == 0 => Some(Link::start(&chain)),
            None => None,
        };
        if expected.is_some_and(|it| it.next(seq, entry.record.as_bytes()) != link) {
            return Err(at(seq, "the link is not that of this record in this place"));
        }
        rows.push(Row::read(seq, link, entry.record, received)?);
    }
    if let Some(last) = rows.last()
        && (batch.head.seq != last.seq || batch.head.link != last.link.to_string())
    {
        return Err(unverified("the head does not cover the last entry of the batch"));
    }
    prepared(pod, chain, rows, batch.head)
}

fn prepared(
    pod: PodIdentity,
    chain: ChainId,
    rows: Vec<Row>,
    head: SignedHead,
) -> Result<Prepared, Refusal> {
    let key = rows.first().map(|row| genesis_key(&pod, row)).transpose()?.flatten();
    Ok(Prepared { chain, pod, rows, head, key })
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

fn at(seq: u64, problem: impl std::fmt::Display) -> Refusal {
    unverified(format!("entry {seq}: {problem}"))
}
