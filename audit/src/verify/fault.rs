//! What verification names.

use serde::Serialize;
use std::fmt;

/// Proof that a chain is not what its proxy wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// There is no entry at all.
    Empty,
    /// Nothing signed covers the entries.
    NoHead,
    /// An entry's link, or its record, cannot be read.
    Malformed { seq: u64, problem: String },
    /// The record, sequence or link of this entry (or the link before it) is not what was chained.
    Edited { seq: u64 },
    /// Entries are absent from the middle, or from the start.
    Dropped { from: u64, to: u64 },
    /// The entry comes later than its place.
    Reordered { seq: u64 },
    /// The entry comes more than once.
    Duplicated { seq: u64 },
    /// The entries agree among themselves, but not with what was signed at this entry.
    Rewritten { seq: u64 },
    /// The chain's key has signed up to an entry that is not there.
    CutTail { last: Option<u64>, signed: u64 },
    /// Entries beyond what the newest head covers.
    Unsigned { from: u64, to: u64 },
    /// The entry or head belongs to another chain.
    Swapped { seq: u64, owner: String },
    /// A head is not signed by the chain's key, or that key is none.
    BadSignature { seq: u64 },
    /// The Genesis states another public key than the one that is known.
    KeyChanged,
    /// A first entry that is no Genesis, or a Genesis elsewhere.
    MisplacedGenesis { seq: u64 },
}

/// Something that should be there by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "gap", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gap {
    /// No Close, and no sign of life since `time`.
    NoEnd { time: Option<String> },
    /// An allowed intent of a chain that has ended has no outcome.
    NoOutcome { seq: u64, id: u64 },
    /// The proxy was restarted at `restart`, while this allowed intent had no outcome yet.
    Interrupted { seq: u64, id: u64, restart: u64 },
    /// An outcome of no intent, or a second one.
    NoIntent { seq: u64, id: Option<u64> },
    /// An intent without id, or with the id of one that is still open.
    AmbiguousIntent { seq: u64 },
    /// Something other than a Restart follows a Close.
    AfterClose { seq: u64 },
}

impl Fault {
    /// The name in reports, as in `docs/audit-format.md`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoHead => "no-head",
            Self::Malformed { .. } => "malformed",
            Self::Edited { .. } => "edited",
            Self::Dropped { .. } => "dropped",
            Self::Reordered { .. } => "reordered",
            Self::Duplicated { .. } => "duplicated",
            Self::Rewritten { .. } => "rewritten",
            Self::CutTail { .. } => "cut-tail",
            Self::Unsigned { .. } => "unsigned",
            Self::Swapped { .. } => "swapped",
            Self::BadSignature { .. } => "bad-signature",
            Self::KeyChanged => "key-changed",
            Self::MisplacedGenesis { .. } => "misplaced-genesis",
        }
    }
}

impl Gap {
    /// The name in reports, as in `docs/audit-format.md`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoEnd { .. } => "no-end",
            Self::NoOutcome { .. } => "no-outcome",
            Self::Interrupted { .. } => "interrupted",
            Self::NoIntent { .. } => "no-intent",
            Self::AmbiguousIntent { .. } => "ambiguous-intent",
            Self::AfterClose { .. } => "after-close",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Empty => write!(f, "the chain has no entries"),
            Self::NoHead => write!(f, "no signed head covers the entries"),
            Self::Malformed { seq, problem } => write!(f, "entry {seq}: {problem}"),
            Self::Edited { seq } => write!(f, "entry {seq} is not what was chained"),
            Self::Dropped { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Dropped { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Reordered { seq } => write!(f, "entry {seq} is out of its place"),
            Self::Duplicated { seq } => write!(f, "entry {seq} comes more than once"),
            Self::Rewritten { seq } => {
                write!(f, "the entries up to {seq} are not those that were signed")
            }
            Self::CutTail { last: Some(last), signed } => {
                write!(f, "the chain ends at entry {last}, but entry {signed} was signed")
            }
            Self::CutTail { last: None, signed } => {
                write!(f, "there are no entries, but entry {signed} was signed")
            }
            Self::Unsigned { from, to } => {
                write!(f, "entries {from} to {to} are beyond the newest signed head")
            }
            Self::Swapped { seq, owner } => {
                write!(f, "entry or head {seq} belongs to the chain {owner:?}")
            }
            Self::BadSignature { seq } => {
                write!(f, "the head at entry {seq} is not signed by the chain's key")
            }
            Self::KeyChanged => write!(f, "the first record states another key than is known"),
            Self::MisplacedGenesis { seq } => {
                write!(f, "entry {seq}: the first record, and only that, is a Genesis")
            }
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::NoEnd { time: Some(time) } => {
                write!(f, "no closing record, and no sign of life since {time}")
            }
            Self::NoEnd { time: None } => write!(f, "no closing record, and no sign of life"),
            Self::NoOutcome { seq, id } => write!(f, "the intent {id} of entry {seq} never ended"),
            Self::Interrupted { seq, id, restart } => write!(
                f,
                "the intent {id} of entry {seq} was under way when the proxy restarted \
                 (entry {restart})"
            ),
            Self::NoIntent { seq, id: Some(id) } => {
                write!(f, "entry {seq} is an outcome, but no intent {id} is open")
            }
            Self::NoIntent { seq, id: None } => write!(f, "entry {seq} is an outcome of nothing"),
            Self::AmbiguousIntent { seq } => {
                write!(f, "the intent of entry {seq} has no id of its own")
            }
            Self::AfterClose { seq } => write!(f, "entry {seq} follows a Close"),
        }
    }
}
