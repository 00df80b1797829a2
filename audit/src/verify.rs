//! Judges a chain, entry by entry, in memory that does not grow with the chain.
//!
//! **Integrity**: nothing was altered. Every [`Fault`] is proof that entries, heads or keys are not
//! what the pod's proxy wrote. **Completeness**: nothing is missing. Every [`Gap`] is something that
//! should be there by now and is not; an honest crash leaves gaps, never faults.
//!
//! Heads come before entries, so that their links can be compared as the entries pass. The public
//! key is the Genesis's, unless one is pinned; then the Genesis must state that one. Whoever holds
//! neither a head nor a pinned key learns only that the entries agree among themselves, which is
//! [`Fault::NoHead`].

use crate::chain::{ChainId, Entry, Link};
use crate::head::{HeadError, SignedHead};
use crate::key::PublicKey;
use crate::record::{Genesis, Kind};
use crate::time;
use serde::Serialize;
use std::collections::BTreeMap;

mod fault;
mod form;
mod intents;
mod missing;

pub use fault::{Fault, Gap};
pub use form::read_record;
use intents::Intents;
use missing::Missing;

/// A chain that says nothing for so long, without a Close, has lost its end. A proxy writes a
/// heartbeat at least every [`HEARTBEAT_MS`] while it says nothing else.
pub const STALE_MS: u64 = 180_000;
/// The longest silence of a proxy that is alive.
pub const HEARTBEAT_MS: u64 = 30_000;
/// Faults and gaps beyond this many are counted, not kept.
pub const MAX_FINDINGS: usize = 1000;
/// Heads that one verification compares.
pub const MAX_HEADS: usize = 64;

/// Reads one chain.
#[derive(Debug)]
pub struct Verifier {
    chain: ChainId,
    pinned: Option<String>,
    heads: Vec<SignedHead>,
    /// The links that passed at the heads' sequences.
    links_at_heads: BTreeMap<u64, Option<Link>>,
    expected: u64,
    /// Link of the entry before `expected`; none after a gap, where it is unknown.
    previous: Option<Link>,
    missing: Missing,
    genesis: Option<Genesis>,
    intents: Intents,
    closed: bool,
    entries: u64,
    last_time: Option<u64>,
    findings: Findings,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub chain: String,
    /// As the chain's first record states; absent where that is not a Genesis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genesis: Option<Genesis>,
    pub entries: u64,
    /// Sequence of the newest head that verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_up_to: Option<u64>,
    /// The last record is a Close.
    pub closed: bool,
    /// Allowed intents of a live chain that have not ended yet.
    pub in_flight: u64,
    /// Empty: the chain has integrity.
    pub faults: Vec<Fault>,
    /// Empty: the chain is complete.
    pub gaps: Vec<Gap>,
    /// Faults and gaps that were counted only.
    pub omitted: u64,
}

#[derive(Debug, Default)]
struct Findings {
    faults: Vec<Fault>,
    gaps: Vec<Gap>,
    omitted: u64,
}

impl Report {
    /// Nothing was altered.
    pub fn has_integrity(&self) -> bool {
        self.faults.is_empty()
    }

    /// Nothing is missing. Only meaningful together with integrity.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

impl Verifier {
    /// Expects the entries of `chain`, from 0 on.
    pub fn new(chain: ChainId) -> Self {
        let start = Link::start(&chain);
        Self {
            chain,
            pinned: None,
            heads: Vec::new(),
            links_at_heads: BTreeMap::new(),
            expected: 0,
            previous: Some(start),
            missing: Missing::default(),
            genesis: None,
            intents: Intents::default(),
            closed: false,
            entries: 0,
            last_time: None,
            findings: Findings::default(),
        }
    }

    /// The public key (hex) that is known from elsewhere to be this chain's.
    #[must_use]
    pub fn pin(mut self, public_key: impl Into<String>) -> Self {
        self.pinned = Some(public_key.into());
        self
    }

    /// A head that must hold: the newest, and any older one that was kept aside. Before the first
    /// entry.
    pub fn head(&mut self, head: SignedHead) {
        if self.heads.len() == MAX_HEADS {
            self.findings.omitted += 1;
            return;
        }
        self.links_at_heads.insert(head.seq, None);
        self.heads.push(head);
    }

    /// The next entry, in the order in which the source gives them.
    pub fn push(&mut self, entry: &Entry) {
        self.entries += 1;
        if entry.seq < self.expected {
            let fault = if self.missing.remove(entry.seq) {
                Fault::Reordered { seq: entry.seq }
            } else {
                Fault::Duplicated { seq: entry.seq }
            };
            self.findings.fault(fault);
            return;
        }
        if entry.seq > self.expected {
            self.findings.omitted += self.missing.insert(self.expected, entry.seq - 1);
            self.previous = None;
        }
        self.check_link(entry);
        self.check_record(entry);
        self.expected = entry.seq.saturating_add(1);
    }

    /// The verdicts. With `now` (milliseconds since 1970) a chain without a Close must have a head
    /// not older than [`STALE_MS`]; without it, freshness is not judged.
    pub fn finish(mut self, now: Option<u64>) -> Report {
        let last = self.expected.checked_sub(1);
        for (from, to) in self.missing.ranges() {
            self.findings.fault(Fault::Dropped { from, to });
        }
        if last.is_none() {
            self.findings.fault(Fault::Empty);
        }
        let signed_up_to = self.check_heads(last);
        let live = !self.closed && self.is_fresh(now);
        if !self.closed && !live {
            let time = self.last_sign_of_life().map(time::rfc3339);
            self.findings.gap(Gap::NoEnd { time });
        }
        let in_flight = if live {
            self.intents.open()
        } else {
            self.intents.end(|gap| self.findings.gap(gap));
            0
        };
        self.findings.omitted += self.intents.omitted();
        Report {
            chain: self.chain.to_string(),
            genesis: self.genesis,
            entries: self.entries,
            signed_up_to,
            closed: self.closed,
            in_flight,
            faults: self.findings.faults,
            gaps: self.findings.gaps,
            omitted: self.findings.omitted,
        }
    }

    fn check_link(&mut self, entry: &Entry) {
        let Ok(stated) = entry.link.parse::<Link>() else {
            self.findings.fault(Fault::Malformed {
                seq: entry.seq,
                problem: "the link is not 64 lower-case hex digits".to_owned(),
            });
            self.previous = None;
            return;
        };
        if let Some(previous) = self.previous
            && previous.next(entry.seq, entry.record.as_bytes()) != stated
        {
            let fault = match foreign_owner(entry, stated) {
                Some(owner) => Fault::Swapped { seq: entry.seq, owner },
                None => Fault::Edited { seq: entry.seq },
            };
            self.findings.fault(fault);
        }
        // One edit is one fault: what follows is judged by the link that is stated here.
        self.previous = Some(stated);
        if let Some(at_head) = self.links_at_heads.get_mut(&entry.seq) {
            *at_head = Some(stated);
        }
    }

    fn check_record(&mut self, entry: &Entry) {
        let seq = entry.seq;
        let record = match read_record(&entry.record) {
            Ok(record) => record,
            Err(problem) => return self.findings.fault(Fault::Malformed { seq, problem }),
        };
        self.last_time = time::parse(record.latest()).or(self.last_time);
        if (record.kind == Kind::Genesis) != (seq == 0) {
            self.findings.fault(Fault::MisplacedGenesis { seq });
        }
        if self.closed && record.kind != Kind::Restart {
            self.findings.gap(Gap::AfterClose { seq });
        }
        self.closed = record.kind == Kind::Close;
        if seq == 0 {
            self.check_genesis(record.genesis.as_ref());
        }
        self.intents.read(seq, &record, |gap| self.findings.gap(gap));
    }

    fn check_genesis(&mut self, genesis: Option<&Genesis>) {
        let Some(genesis) = genesis else {
            return self.findings.fault(Fault::MisplacedGenesis { seq: 0 });
        };
        let is_known =
            self.findings.faults.iter().any(|fault| matches!(fault, Fault::Swapped { seq: 0, .. }));
        if genesis.pod_uid != self.chain.as_str() && !is_known {
            self.findings.fault(Fault::Swapped { seq: 0, owner: genesis.pod_uid.clone() });
        }
        if self.pinned.as_ref().is_some_and(|pinned| *pinned != genesis.public_key) {
            self.findings.fault(Fault::KeyChanged);
        }
        self.genesis = Some(genesis.clone());
    }

    /// Sequence of the newest head that holds.
    fn check_heads(&mut self, last: Option<u64>) -> Option<u64> {
        let text = self.pinned.as_deref().or(self.genesis.as_ref().map(|it| &*it.public_key));
        let key = text.map(PublicKey::from_hex);
        let mut newest: Option<&SignedHead> = None;
        for head in &self.heads {
            if head.chain != self.chain.as_str() {
                self.findings.fault(Fault::Swapped { seq: head.seq, owner: head.chain.clone() });
                continue;
            }
            let link = match &key {
                Some(Ok(key)) => head.verify(key),
                Some(Err(_)) | None => Err(HeadError::Signature),
            };
            let Ok(link) = link else {
                self.findings.fault(Fault::BadSignature { seq: head.seq });
                continue;
            };
            if last.is_none_or(|last| last < head.seq) {
                self.findings.fault(Fault::CutTail { last, signed: head.seq });
            } else if let Some(Some(passed)) = self.links_at_heads.get(&head.seq)
                && *passed != link
            {
                self.findings.fault(Fault::Rewritten { seq: head.seq });
            }
            if newest.is_none_or(|newest| (newest.seq, &newest.time) < (head.seq, &head.time)) {
                newest = Some(head);
            }
        }
        match (newest, last) {
            (None, Some(_)) if self.heads.is_empty() => self.findings.fault(Fault::NoHead),
            (Some(head), Some(last)) if head.seq < last => {
                self.findings.fault(Fault::Unsigned { from: head.seq.saturating_add(1), to: last });
            }
            _ => {}
        }
        let newest = newest.cloned();
        let time = newest.as_ref().and_then(|head| time::parse(&head.time));
        self.last_time = self.last_time.max(time);
        newest.map(|head| head.seq)
    }

    fn is_fresh(&self, now: Option<u64>) -> bool {
        now.is_none_or(|now| {
            self.last_sign_of_life().is_some_and(|last| now.saturating_sub(last) <= STALE_MS)
        })
    }

    const fn last_sign_of_life(&self) -> Option<u64> {
        self.last_time
    }
}

impl Findings {
    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FINDINGS {
            self.faults.push(fault);
        } else {
            self.omitted += 1;
        }
    }

    fn gap(&mut self, gap: Gap) {
        if self.gaps.len() < MAX_FINDINGS {
            self.gaps.push(gap);
        } else {
            self.omitted += 1;
        }
    }
}

/// A first entry that does not fit this chain, but the one that it names itself.
fn foreign_owner(entry: &Entry, stated: Link) -> Option<String> {
    if entry.seq != 0 {
        return None;
    }
    let owner = read_record(&entry.record).ok()?.genesis?.pod_uid;
    let chain: ChainId = owner.parse().ok()?;
    (Link::start(&chain).next(0, entry.record.as_bytes()) == stated).then_some(owner)
}

#[cfg(test)]
mod tests;
