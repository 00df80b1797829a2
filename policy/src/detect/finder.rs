//! Finds in a stream, chunk by chunk.
//!
//! What is found depends on the bytes alone, never on where the chunks are cut: a match is looked at once
//! all that decides it is known, and goes on where it stopped when it is not.

use super::assignment;
use super::custom::Hunt;
use super::detector::NEAR;
use super::phrase::Phrases;
use super::queue::Queue;
use super::set::Set;
use super::shape::{Open, Step};
use super::starts::{self, Look, RUN};
use super::triggers::{self, Assigned, Fit, Tells, Trigger, assigned};
use std::ops::ControlFlow;

/// So many bytes that were passed are kept: a match may begin in front of what gives it away, and
/// what stands before a match decides about it.
pub(super) const KEPT: usize = 512;
/// Bytes that stand for what comes before the stream, so that every place has some before it.
pub(super) const BEFORE: usize = 8;
/// A chunk is taken in pieces of this size.
const PIECE: usize = 64 << 10;
/// What was passed is dropped when there is so much of it.
const DROP: usize = 4 << 10;

/// What was found: a detector's index in its [`Set`], and where, as offsets in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub start: u64,
    pub end: u64,
    pub detector: usize,
}

/// Looks for the detectors of a set in one stream. Holds at most 16 KiB of what was pushed before.
#[derive(Debug, Clone)]
pub struct Finder<'s> {
    set: &'s Set,
    /// The last bytes of the stream, and the offset of the first of them. Offsets inside count from
    /// [`BEFORE`] bytes in front of the stream.
    text: Vec<u8>,
    base: u64,
    /// Where the next token is looked for, and the next byte that has something in front of it.
    scanned: u64,
    looked: u64,
    /// Where the last context word of each member ended, and until where any counts.
    context: Vec<u64>,
    context_until: u64,
    open: Vec<(usize, Open)>,
    phrases: Phrases,
    hunts: Vec<Hunt<'s>>,
    queue: Queue,
    frontier: u64,
}

impl<'s> Finder<'s> {
    pub fn new(set: &'s Set) -> Self {
        let start = BEFORE as u64;
        Self {
            set,
            text: vec![0; BEFORE],
            base: 0,
            scanned: start,
            looked: start,
            context: vec![0; set.members.len()],
            context_until: 0,
            open: Vec::new(),
            phrases: Phrases::new(start),
            hunts: set.custom.iter().map(|custom| Hunt::new(custom, start)).collect(),
            queue: Queue::default(),
            frontier: start,
        }
    }

    /// Takes the next bytes, in order. `found` gets each finding once it can no longer change, in
    /// the order of the stream; findings never overlap.
    pub fn push(&mut self, chunk: &[u8], found: &mut impl FnMut(Finding)) {
        for piece in chunk.chunks(PIECE) {
            self.text.extend_from_slice(piece);
            self.run(false);
            self.report(found);
            self.forget();
        }
    }

    /// The stream has ended: what waits for more bytes is decided.
    pub fn finish(mut self, found: &mut impl FnMut(Finding)) {
        self.run(true);
        self.report(found);
    }

    /// How many bytes at the end of what was pushed may belong to a finding that is not yet reported;
    /// 0 when none does. What lies before them will not be part of any finding to come.
    pub fn open(&self) -> u64 {
        let first = self.queue.start().unwrap_or(u64::MAX).min(self.frontier);
        self.end().saturating_sub(first)
    }

    fn end(&self) -> u64 {
        self.base + self.text.len() as u64
    }

    fn run(&mut self, ended: bool) {
        let text = std::mem::take(&mut self.text);
        self.go_on(&text, ended);
        self.scan(&text, ended);
        self.look(&text);
        if let Some(member) = self.set.phrase {
            let (queue, base) = (&mut self.queue, self.base);
            self.phrases.scan(&text, base, ended, &mut |start, end| {
                queue.push(Finding { start, end, detector: member }, false);
            });
        }
        for hunt in &mut self.hunts {
            let queue = &mut self.queue;
            hunt.scan(&text, self.base, ended, &mut |finding| queue.push(finding, false));
        }
        self.frontier = if ended { u64::MAX } else { self.first_open(&text) };
        self.text = text;
    }

    fn report(&mut self, found: &mut impl FnMut(Finding)) {
        let before = BEFORE as u64;
        self.queue.report(self.frontier, &mut |finding| {
            let Finding { start, end, detector } = finding;
            found(Finding { start: start - before, end: end - before, detector });
        });
    }

    fn forget(&mut self) {
        let keep =
            self.end().saturating_sub(KEPT as u64).min(self.frontier.saturating_sub(BEFORE as u64));
        let drop = usize::try_from(keep.saturating_sub(self.base)).unwrap_or(0);
        if drop >= DROP {
            self.text.drain(..drop);
            self.base += drop as u64;
        }
    }

    /// Goes on with what was open.
    fn go_on(&mut self, text: &[u8], ended: bool) {
        let mut open = std::mem::take(&mut self.open);
        open.retain_mut(|(member, open)| self.step(*member, open, text, ended));
        // Nothing is opened meanwhile.
        self.open = open;
    }

    /// Whether it is still open.
    fn step(&mut self, member: usize, open: &mut Open, text: &[u8], ended: bool) -> bool {
        let Some(it) = self.set.members.get(member) else { return false };
        let Some(shape) = it.shape else { return false };
        match shape.step(open, text, self.base, ended) {
            Step::Open => true,
            Step::Closed(end) => {
                if let Some(end) = end {
                    let finding = Finding { start: open.start, end, detector: member };
                    self.queue.push(finding, it.generic);
                }
                false
            }
        }
    }

    /// A match of the member may begin at this place of the text.
    fn begin(&mut self, member: usize, place: usize, text: &[u8], ended: bool) {
        let shape = self.set.members.get(member).and_then(|member| member.shape);
        let Some(shape) = shape else { return };
        let first = text.get(place).copied().unwrap_or_default();
        if !shape.may_begin(text.get(..place).unwrap_or_default(), first) {
            return;
        }
        let mut open = shape.open(self.base + place as u64);
        if self.step(member, &mut open, text, ended) {
            self.open.push((member, open));
        }
    }

    /// Looks at every token.
    fn scan(&mut self, text: &[u8], ended: bool) {
        let from = usize::try_from(self.scanned - self.base).unwrap_or(text.len());
        let set = self.set;
        let base = self.base;
        let place_of = |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(0);
        let look = Look {
            triggers: &set.triggers,
            runs: !set.runs.is_empty() || set.assigned.is_some(),
            all_until: place_of(self.context_until),
        };
        let stopped = starts::each(text, from, look, |place, may_run| {
            if self.token(text, place, may_run, ended) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(place_of(self.context_until))
            }
        });
        self.scanned = self.base + stopped as u64;
    }

    /// Looks at one token. True when more bytes are needed: then nothing was begun.
    fn token(&mut self, text: &[u8], place: usize, may_run: bool, ended: bool) -> bool {
        let run = if may_run { long_run(text, place) } else { Some(false) };
        let word = self.set.triggers.may_stand(text, place);
        let triggers: &'s [Trigger] = if word { self.set.triggers.at(text, place) } else { &[] };
        let is_near_end = !ended && place + triggers::MOST > text.len();
        if is_near_end && (run.is_none() || (word && needs_more(triggers, text, place))) {
            return true;
        }
        let head = text.get(place..).and_then(|rest| rest.first_chunk::<8>());
        for trigger in triggers {
            if head.is_some_and(|head| trigger.differs(*head)) {
                continue;
            }
            let Fit::Until(end) = trigger.fits(text, place, ended) else { continue };
            match trigger.tells {
                Tells::Begins { back } => {
                    self.begin(trigger.member, place.saturating_sub(back), text, ended);
                }
                Tells::Names => {
                    if let Assigned::At(value) = assigned(text, end, ended) {
                        self.begin(trigger.member, value, text, ended);
                    }
                }
                Tells::Context => {
                    let end = self.base + end as u64;
                    if let Some(context) = self.context.get_mut(trigger.member) {
                        *context = end;
                    }
                    self.context_until = self.context_until.max(end + NEAR as u64);
                }
            }
        }
        if run == Some(true) {
            let set = self.set;
            for &member in &set.runs {
                self.begin(member, place, text, ended);
            }
            if let Some(member) = self.set.assigned
                && let Some(value) = assignment::value(text, place)
            {
                self.begin(member, value, text, ended);
            }
        }
        if self.context_until > self.base + place as u64 {
            self.near(text, place, ended);
        }
        false
    }

    /// Begins what has its context before this place.
    fn near(&mut self, text: &[u8], place: usize, ended: bool) {
        let at = self.base + place as u64;
        let set = self.set;
        for &member in &set.near {
            let context = self.context.get(member).copied().unwrap_or_default();
            if context == 0 || context > at || at - context > NEAR as u64 {
                continue;
            }
            self.begin(member, place, text, ended);
            if let Some(sign) = place.checked_sub(1)
                && matches!(text.get(sign), Some(b'+' | b'('))
            {
                self.begin(member, sign, text, ended);
            }
        }
    }

    /// Looks for bytes that have the beginning of a match in front of them.
    fn look(&mut self, text: &[u8]) {
        let from = usize::try_from(self.looked - self.base).unwrap_or(text.len());
        let set = self.set;
        for before in &set.before {
            let rest = text.get(from..).unwrap_or_default();
            for at in memchr::memchr_iter(before.byte, rest) {
                let place = from + at;
                let front = text.get(..place).unwrap_or_default();
                let length = trailing(front, before.class, before.most);
                if length > 0 && length <= before.most {
                    self.begin(before.member, place - length, text, false);
                }
            }
        }
        self.looked = self.base + text.len() as u64;
    }

    /// No match to come begins before this.
    fn first_open(&self, text: &[u8]) -> u64 {
        let end = self.base + text.len() as u64;
        let mut first = self.scanned;
        for (_, open) in &self.open {
            first = first.min(open.start);
        }
        for before in &self.set.before {
            let length = trailing(text, before.class, before.most);
            if length <= before.most {
                first = first.min(end - length as u64);
            }
        }
        for &(member, back) in &self.set.backs {
            first = first.min(end - self.back_open(member, back, text) as u64);
        }
        if self.set.assigned.is_some() {
            first = first.min(end - assignment::open(text) as u64);
        }
        if self.context_until >= end && matches!(text.last(), Some(b'+' | b'(')) {
            first = first.min(end - 1);
        }
        if self.set.phrase.is_some() {
            first = first.min(self.phrases.first_open());
        }
        self.hunts.iter().fold(first, |first, hunt| first.min(hunt.first_open()))
    }

    /// How many bytes at the end may come before an anchor that stands `back` bytes into its match, or be a
    /// part of one.
    fn back_open(&self, member: usize, back: usize, text: &[u8]) -> usize {
        let Some(shape) = self.set.members.get(member).and_then(|member| member.shape) else {
            return 0;
        };
        let scanned = usize::try_from(self.scanned - self.base).unwrap_or(text.len());
        let may_begin = |begin: &usize| {
            let mut open = shape.open(*begin as u64);
            shape.step(&mut open, text, 0, false) == Step::Open
        };
        let first = (scanned.saturating_sub(back)..text.len()).find(may_begin);
        first.map_or(0, |first| text.len() - first)
    }
}

/// Whether the text ends before a literal or what is assigned behind it is known.
fn needs_more(triggers: &[Trigger], text: &[u8], place: usize) -> bool {
    if place + 3 > text.len() {
        return true;
    }
    triggers.iter().any(|trigger| match trigger.fits(text, place, false) {
        Fit::Unknown => true,
        Fit::Until(end) if trigger.tells == Tells::Names => {
            matches!(assigned(text, end, false), Assigned::Unknown)
        }
        _ => false,
    })
}

/// Whether enough letters and digits follow; none where the text ends before that is known.
fn long_run(text: &[u8], place: usize) -> Option<bool> {
    let run = text.get(place..).unwrap_or_default().iter().take(RUN);
    let length = run.take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if length == RUN {
        Some(true)
    } else if place + length == text.len() {
        None
    } else {
        Some(false)
    }
}

/// How many bytes at the end of a text are of a class, but not above one more than `most`.
fn trailing(text: &[u8], class: fn(u8) -> bool, most: usize) -> usize {
    text.iter().rev().take(most + 1).take_while(|&&byte| class(byte)).count()
}
