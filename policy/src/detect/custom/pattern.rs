//! Patterns in a stream: the leftmost match, as long as it can be.
//!
//! One automaton finds the first place at which any match ends, a second one, run backward from there,
//! where it begins, and a third how far it goes. All keep their state between chunks, or look back
//! at bytes that are kept.

use crate::body::parse;
use regex_automata::Anchored;
use regex_automata::MatchKind;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_syntax::hir::Hir;

/// Longest match, in bytes.
pub(super) const LONGEST: usize = 4 << 10;
/// Largest automaton, in bytes.
const MAX_AUTOMATON: usize = 8 << 20;

type Dfa = dense::DFA<Vec<u32>>;

#[derive(Debug, Clone)]
pub(super) struct Pattern {
    ends: Dfa,
    begins: Dfa,
    goes: Dfa,
    longest: usize,
}

#[derive(Debug, Clone)]
pub(super) struct PatternHunt<'s> {
    pattern: &'s Pattern,
    /// The next byte of whichever automaton runs.
    at: u64,
    /// No match begins before this.
    floor: u64,
    /// No match that may still come begins before this.
    since: u64,
    state: Option<StateID>,
    growing: Option<Growing>,
}

/// A match whose beginning is known.
#[derive(Debug, Clone)]
struct Growing {
    start: u64,
    best: Option<u64>,
}

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let hir = parse(pattern).map_err(|(problem, fix)| format!("{problem}; {fix}"))?;
        let too_complex = "the pattern needs too large an automaton, or a Unicode word boundary; use \
                           ASCII classes such as (?-u:\\w) and smaller repetitions";
        let build = |anchored, reverse| dfa(&hir, anchored, reverse).ok_or(too_complex);
        Ok(Self {
            ends: build(false, false)?,
            begins: build(true, true)?,
            goes: build(true, false)?,
            longest: hir.properties().maximum_len().unwrap_or(LONGEST).min(LONGEST),
        })
    }
}

fn dfa(hir: &Hir, anchored: bool, reverse: bool) -> Option<Dfa> {
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .reverse(reverse)
                .which_captures(thompson::WhichCaptures::None)
                .nfa_size_limit(Some(4 << 20)),
        )
        .build_from_hir(hir)
        .ok()?;
    let kind = if anchored { StartKind::Anchored } else { StartKind::Unanchored };
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(kind)
                .match_kind(MatchKind::All)
                .specialize_start_states(true)
                .accelerate(false)
                .dfa_size_limit(Some(MAX_AUTOMATON))
                .determinize_size_limit(Some(4 * MAX_AUTOMATON)),
        )
        .build_from_nfa(&nfa)
        .ok()
}

/// The state in which a search begins beside a byte, or at an end of the stream.
fn begin(dfa: &Dfa, anchored: Anchored, beside: Option<u8>) -> Option<StateID> {
    dfa.start_state(&start::Config::new().anchored(anchored).look_behind(beside)).ok()
}

impl<'s> PatternHunt<'s> {
    pub(super) fn new(pattern: &'s Pattern, start: u64) -> Self {
        let state = begin(&pattern.ends, Anchored::No, None);
        Self { pattern, at: start, floor: start, since: start, state, growing: None }
    }

    pub(super) fn first_open(&self) -> u64 {
        self.since
    }

    pub(super) fn scan(
        &mut self,
        text: &[u8],
        base: u64,
        ended: bool,
        found: &mut impl FnMut(u64, u64),
    ) {
        loop {
            let done = match self.growing {
                Some(_) => !self.grow(text, base, ended, found),
                None => !self.seek(text, base, ended),
            };
            if done {
                break;
            }
        }
    }

    /// Looks for the end of a match. True when one was found, and where it begins.
    fn seek(&mut self, text: &[u8], base: u64, ended: bool) -> bool {
        let Some(mut state) = self.state else { return false };
        let ends = &self.pattern.ends;
        let from = usize::try_from(self.at - base).unwrap_or(usize::MAX);
        let mut since = usize::try_from(self.since.saturating_sub(base)).unwrap_or(0);
        let mut matched = None;
        for (at, &byte) in text.get(from..).unwrap_or_default().iter().enumerate() {
            state = ends.next_state(state, byte);
            if ends.is_special_state(state) {
                if ends.is_match_state(state) {
                    matched = Some(from + at);
                    break;
                }
                if ends.is_start_state(state) {
                    since = from + at + 1;
                } else if ends.is_quit_state(state) || ends.is_dead_state(state) {
                    self.state = None;
                    self.since = u64::MAX;
                    return false;
                }
            }
        }
        if matched.is_none() && ended && ends.is_match_state(ends.next_eoi_state(state)) {
            matched = Some(text.len());
        }
        if let Some(end) = matched {
            let start = self.start_of(text, base, since, (end, ended));
            self.growing = Some(Growing { start, best: None });
            self.since = start;
            self.at = start;
            self.state = begin(&self.pattern.goes, Anchored::Yes, byte_before(text, base, start));
            return true;
        }
        self.state = Some(state);
        self.at = base + text.len() as u64;
        let nearest = self.at.saturating_sub(self.pattern.longest as u64);
        self.since = (base + since as u64).max(nearest).max(self.floor);
        false
    }

    /// The leftmost beginning of a match that ends there.
    fn start_of(&self, text: &[u8], base: u64, since: usize, (end, ended): (usize, bool)) -> u64 {
        let begins = &self.pattern.begins;
        let floor = self.floor.max((base + end as u64).saturating_sub(self.pattern.longest as u64));
        let floor = usize::try_from(floor.saturating_sub(base)).unwrap_or(0).max(since).min(end);
        let beside = if end == text.len() && ended { None } else { text.get(end).copied() };
        let mut first = end;
        let Some(mut state) = begin(begins, Anchored::Yes, beside) else {
            return base + end as u64;
        };
        let before = text.get(floor..end).unwrap_or_default();
        for (at, &byte) in before.iter().enumerate().rev() {
            state = begins.next_state(state, byte);
            if begins.is_match_state(state) {
                first = floor + at + 1;
            } else if begins.is_dead_state(state) || begins.is_quit_state(state) {
                return base + first as u64;
            }
        }
        let last = match byte_before(text, base, base + floor as u64) {
            Some(byte) => begins.next_state(state, byte),
            None => begins.next_eoi_state(state),
        };
        base + (if begins.is_match_state(last) { floor } else { first }) as u64
    }

    /// Follows a match as far as it goes. True when it is decided.
    fn grow(
        &mut self,
        text: &[u8],
        base: u64,
        ended: bool,
        found: &mut impl FnMut(u64, u64),
    ) -> bool {
        let goes = &self.pattern.goes;
        let Some(growing) = &mut self.growing else { return false };
        let last = growing.start + self.pattern.longest as u64;
        let from = usize::try_from(self.at - base).unwrap_or(usize::MAX);
        let mut over = self.state.is_none();
        if let Some(mut state) = self.state {
            for (at, &byte) in text.get(from..).unwrap_or_default().iter().enumerate() {
                let end = base + (from + at) as u64;
                state = goes.next_state(state, byte);
                if goes.is_match_state(state) && end > growing.start {
                    growing.best = Some(end);
                }
                if goes.is_dead_state(state) || goes.is_quit_state(state) || end >= last {
                    over = true;
                    break;
                }
            }
            if !over {
                self.at = base + text.len() as u64;
                self.state = Some(state);
                if !ended {
                    return false;
                }
                if goes.is_match_state(goes.next_eoi_state(state)) {
                    growing.best = Some(self.at);
                }
            }
        }
        // What has no length that counts is passed over, so that the search goes on.
        let next = growing.best.unwrap_or(growing.start + 1);
        if let Some(end) = growing.best {
            found(growing.start, end);
        }
        self.growing = None;
        self.at = next;
        self.floor = next;
        self.since = next;
        self.state = begin(&self.pattern.ends, Anchored::No, byte_before(text, base, next));
        next < base + text.len() as u64
    }
}

/// The byte in front of a place; none at the beginning of the stream.
fn byte_before(text: &[u8], base: u64, place: u64) -> Option<u8> {
    if place <= super::super::finder::BEFORE as u64 {
        return None;
    }
    let at = usize::try_from(place.saturating_sub(base)).ok()?;
    text.get(at.checked_sub(1)?).copied()
}
