//! Other readings of text: with its escapes decoded.
//!
//! A view is forked from its node at the first escape, and goes on as the same text with every escape
//! of its kind decoded. What begins an escape at the end of a piece opens the view for the time being;
//! where it turns out to be none, the view never was.

mod escape;

use crate::error::DecodeError;
use crate::node::Node;
use crate::place::Place;
use crate::sink::{Ctx, StreamId};
use escape::{LONGEST, Match};
use memchr::{memchr, memchr2};

/// Which escapes a view decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `%41`, `&#65;`, `&lt;`
    Web,
    /// `\n`, `\u0041`, `\x41`, `\101`
    Backslash,
    /// Bytes that are zero, of UTF-16 and UTF-32.
    Wide,
    /// `+AEE-`
    Utf7,
}

pub(crate) const KINDS: usize = 4;
const ALL: [Kind; KINDS] = [Kind::Web, Kind::Backslash, Kind::Wide, Kind::Utf7];

impl Kind {
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Web => 0,
            Self::Backslash => 1,
            Self::Wide => 2,
            Self::Utf7 => 3,
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Web => "web escapes",
            Self::Backslash => "backslash escapes",
            Self::Wide => "without zeros",
            Self::Utf7 => "UTF-7 escapes",
        }
    }

    /// Whether runs of base64 go on in the view. What begins UTF-7 is in their alphabet: nobody could
    /// tell which of the two it is part of, so they begin anew there.
    pub(crate) fn keeps_runs(self) -> bool {
        self != Self::Utf7
    }

    /// The next byte that may begin an escape.
    fn find(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Web => memchr2(b'%', b'&', bytes),
            Self::Backslash => memchr(b'\\', bytes),
            Self::Wide => memchr(0, bytes),
            Self::Utf7 => memchr(b'+', bytes),
        }
    }
}

/// Which views may be opened of a text: percent and entities twice, the others once, three on top of
/// one another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    left: [u8; KINDS],
    chain: u8,
}

impl Allowed {
    pub(crate) fn all() -> Self {
        Self { left: [2, 1, 1, 1], chain: 3 }
    }

    pub(crate) fn has(self, kind: Kind) -> bool {
        self.chain > 0 && self.left.get(kind.index()).is_some_and(|left| *left > 0)
    }

    pub(crate) fn without(mut self, kind: Kind) -> Self {
        if let Some(left) = self.left.get_mut(kind.index()) {
            *left = left.saturating_sub(1);
        }
        self.chain = self.chain.saturating_sub(1);
        self
    }
}

/// The next escapes of a piece of text.
pub(crate) struct Lead<'a> {
    bytes: &'a [u8],
    /// Where the next escape of each kind begins, if it was looked for.
    known: [Option<usize>; KINDS],
}

impl<'a> Lead<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, known: [None; KINDS] }
    }

    /// The first escape from `at` on, or what may begin one at the end, of the kinds that `wanted`
    /// names.
    pub(crate) fn next(
        &mut self,
        at: usize,
        wanted: impl Fn(Kind) -> bool,
    ) -> Option<(usize, Kind)> {
        let mut first: Option<(usize, Kind)> = None;
        for (kind, known) in ALL.into_iter().zip(&mut self.known) {
            if !wanted(kind) {
                continue;
            }
            let place = match *known {
                Some(place) if place >= at => place,
                _ => find_escape(kind, self.bytes, at),
            };
            *known = Some(place);
            if place < self.bytes.len() && first.is_none_or(|(best, _)| place < best) {
                first = Some((place, kind));
            }
        }
        first
    }
}

/// Where an escape begins from `at` on, or may begin; the end where there is none.
fn find_escape(kind: Kind, bytes: &[u8], mut at: usize) -> usize {
    while let Some(rest) = bytes.get(at..)
        && let Some(found) = kind.find(rest)
    {
        at += found;
        if !matches!(escape::matches(kind, bytes.get(at..).unwrap_or_default()), Match::None) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

pub(crate) struct View {
    kind: Kind,
    node: Box<Node>,
    /// What may be an escape.
    held: [u8; LONGEST],
    len: usize,
    /// Whether an escape was decoded.
    confirmed: bool,
}

impl View {
    pub(crate) fn new(kind: Kind, node: Node) -> Self {
        let node = Box::new(node);
        Self { kind, node, held: [0; LONGEST], len: 0, confirmed: false }
    }

    pub(crate) fn label(&self) -> &'static str {
        self.kind.label()
    }

    pub(crate) fn id(&self) -> StreamId {
        self.node.id()
    }

    /// Whether nothing is held and nothing is open in it.
    pub(crate) fn is_still(&self) -> bool {
        self.len == 0 && self.node.is_still()
    }

    /// Whether it is not known yet that there is an escape. It is then to be given single bytes.
    pub(crate) fn is_tentative(&self) -> bool {
        !self.confirmed
    }

    /// Reads on. No where there was no escape.
    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, DecodeError> {
        while self.len > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(true) };
            if let Some(slot) = self.held.get_mut(self.len) {
                *slot = byte;
                self.len += 1;
            }
            bytes = rest;
            let held = self.held;
            let held = held.get(..self.len).unwrap_or_default();
            if matches!(escape::matches(self.kind, held), Match::More) && self.len < LONGEST {
                continue;
            }
            // What is behind an escape, or behind a byte that begins none, is read again.
            self.len = 0;
            if !self.read(held, place, ctx)? {
                return Ok(false);
            }
        }
        self.read(bytes, place, ctx)
    }

    fn read(
        &mut self,
        mut bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<bool, DecodeError> {
        let mut buffer = [0; 256];
        let mut filled = 0;
        while !bytes.is_empty() {
            let plain = self.kind.find(bytes).unwrap_or(bytes.len());
            let (text, rest) = bytes.split_at(plain);
            if !self.confirmed {
                // Whole in one piece, the text would have been forked behind these bytes, or never.
                if rest.is_empty() {
                    return Ok(false);
                }
                self.node.pass(text, self.kind.keeps_runs(), place, ctx)?;
            } else {
                self.collect(text, &mut buffer, &mut filled, place, ctx)?;
            }
            bytes = match escape::matches(self.kind, rest) {
                _ if rest.is_empty() => rest,
                Match::None => {
                    let (lead, behind) = rest.split_at(1);
                    if self.confirmed {
                        self.collect(lead, &mut buffer, &mut filled, place, ctx)?;
                    } else {
                        self.node.pass(lead, self.kind.keeps_runs(), place, ctx)?;
                    }
                    behind
                }
                Match::More => {
                    self.hold(rest);
                    &[]
                }
                Match::Escape { text, len, taken } => {
                    self.confirmed = true;
                    let text = text.get(..len).unwrap_or_default();
                    self.collect(text, &mut buffer, &mut filled, place, ctx)?;
                    rest.get(taken..).unwrap_or_default()
                }
            };
        }
        self.node.push(buffer.get(..filled).unwrap_or_default(), place, ctx)?;
        Ok(self.confirmed || self.len > 0)
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.len = 0;
        for (slot, byte) in self.held.iter_mut().zip(bytes) {
            *slot = *byte;
            self.len += 1;
        }
    }

    /// Collects short pieces, so that escapes cost no call each.
    fn collect(
        &mut self,
        text: &[u8],
        buffer: &mut [u8; 256],
        filled: &mut usize,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        if *filled + text.len() > buffer.len() {
            self.node.push(buffer.get(..*filled).unwrap_or_default(), place, ctx)?;
            *filled = 0;
            if text.len() > buffer.len() / 2 {
                return self.node.push(text, place, ctx);
            }
        }
        if let Some(slot) = buffer.get_mut(*filled..*filled + text.len()) {
            slot.copy_from_slice(text);
            *filled += text.len();
        }
        Ok(())
    }

    /// The text has ended: what is held is no escape.
    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        if !self.confirmed {
            self.cancel(ctx);
            return Ok(());
        }
        let held = self.held;
        let held = held.get(..self.len).unwrap_or_default();
        self.node.push(held, place, ctx)?;
        self.node.finish(place, ctx)
    }

    pub(crate) fn cancel(&mut self, ctx: &mut Ctx<'_>) {
        self.node.cancel(ctx);
    }
}
