//! The automaton of a detector, run from where a match may begin, as far as there are bytes.

use super::detector::{Check, Detector, Edge};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};
use regex_automata::{Anchored, MatchKind};

/// Nothing is longer than this, in bytes.
pub const LONGEST: usize = 16 << 10;
/// Largest automaton of a detector, in bytes.
const MAX_AUTOMATON: usize = 4 << 20;

/// Of how many possible ends of a match the check is tried: the furthest ones.
const ENDS: usize = 16;

/// A compiled detector.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// Bytes that no match begins with.
    never: Box<[bool; 256]>,
    edge: Edge,
    check: Option<Check>,
    pub(super) longest: usize,
}

/// A match that may still grow, or may still become one. Places are offsets in the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    pub(super) start: u64,
    /// The next byte that the automaton sees.
    at: u64,
    state: StateID,
    /// Where it can end, as lengths: the last few, the youngest at `ends[(count - 1) % ENDS]`.
    ends: [u32; ENDS],
    count: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// More bytes may change it.
    Open,
    /// It ends there, or is none.
    Closed(Option<u64>),
}

impl Shape {
    /// None where the shape does not compile: a mistake in the catalogue, which a test excludes.
    pub(super) fn compile(detector: &Detector) -> Option<Self> {
        let config = syntax::Config::new().unicode(false).utf8(false);
        let hir = syntax::parse_with(detector.shape, &config).ok()?;
        let by_shape = hir.properties().maximum_len().unwrap_or(LONGEST);
        let longest = if detector.longest == 0 { by_shape } else { detector.longest };
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().utf8(false))
            .build_from_hir(&hir)
            .ok()?;
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::All)
                    .accelerate(false)
                    .dfa_size_limit(Some(MAX_AUTOMATON))
                    .determinize_size_limit(Some(4 * MAX_AUTOMATON)),
            )
            .build_from_nfa(&nfa)
            .ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        let (edge, check) = (detector.edge, detector.check);
        let mut never = Box::new([false; 256]);
        for (never, byte) in never.iter_mut().zip(0..=u8::MAX) {
            *never = dfa.is_dead_state(dfa.next_state(start, byte));
        }
        Some(Self { dfa, start, never, edge, check, longest: longest.min(LONGEST) })
    }

    pub(super) fn open(&self, start: u64) -> Open {
        Open { start, at: start, state: self.start, ends: [0; ENDS], count: 0 }
    }

    /// Whether a match may begin with a byte, behind others.
    pub(super) fn may_begin(&self, before: &[u8], first: u8) -> bool {
        !self.never.get(usize::from(first)).copied().unwrap_or(false) && self.edge.may_begin(before)
    }

    /// Goes on with a match over `text`, which lies at `base` in the stream and holds everything
    /// from the start of the match to the end of what is known, or of the stream if `ended`.
    pub(super) fn step(&self, open: &mut Open, text: &[u8], base: u64, ended: bool) -> Step {
        let place =
            |offset: u64| usize::try_from(offset.saturating_sub(base)).unwrap_or(usize::MAX);
        let begin = place(open.start);
        let from = place(open.at);
        let last = begin.saturating_add(self.longest);
        let rest = text.get(from..).unwrap_or_default();
        let mut state = open.state;
        for (at, &byte) in rest.iter().enumerate() {
            let end = from + at;
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_dead_state(state) || self.dfa.is_quit_state(state) {
                    return self.close(open, text, begin);
                }
                if self.dfa.is_match_state(state) && self.edge.may_end(byte) {
                    open.may_end(end - begin);
                }
            }
            if end >= last {
                return self.close(open, text, begin);
            }
        }
        if ended {
            if self.dfa.is_match_state(self.dfa.next_eoi_state(state)) {
                open.may_end(text.len().saturating_sub(begin));
            }
            return self.close(open, text, begin);
        }
        open.state = state;
        open.at = base + text.len() as u64;
        if self.is_last(state) { self.close(open, text, begin) } else { Step::Open }
    }

    /// The match is the longest of which the check holds.
    fn close(&self, open: &Open, text: &[u8], begin: usize) -> Step {
        let holds = |length: &usize| {
            let matched = text.get(begin..begin + length);
            matched.is_some_and(|it| self.check.is_none_or(|check| (check.holds)(it)))
        };
        Step::Closed(open.ends().find(holds).map(|length| open.start + length as u64))
    }

    /// Whether no byte leads on from this state. Matches are seen one byte late, so that a match
    /// which is over is in such a state.
    fn is_last(&self, state: StateID) -> bool {
        self.dfa.is_match_state(state)
            && self
                .dfa
                .byte_classes()
                .representatives(0..=u8::MAX)
                .filter_map(|unit| unit.as_u8())
                .all(|byte| self.dfa.is_dead_state(self.dfa.next_state(state, byte)))
    }
}

impl Open {
    fn may_end(&mut self, length: usize) {
        if let Some(end) = self.ends.get_mut(self.count % ENDS) {
            *end = length as u32;
            self.count += 1;
        }
    }

    /// The longest first.
    fn ends(&self) -> impl Iterator<Item = usize> + '_ {
        let oldest = self.count.saturating_sub(ENDS);
        let at = (oldest..self.count).rev();
        at.filter_map(|at| self.ends.get(at % ENDS)).map(|&length| length as usize)
    }
}
