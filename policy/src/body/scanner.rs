//! Scans one body, chunk by chunk.

use super::escapes::Ahead;
use super::patterns::BodyPatterns;
use super::views::{self, Json, NoNul, Percent, View};
use regex_automata::dfa::Automaton;
use regex_automata::util::primitives::StateID;

/// Scans one body. After a match it stays matched.
#[derive(Debug)]
pub struct Scanner<'p> {
    automata: Automata<'p>,
    /// The state of the automaton over the bytes as sent.
    sent: StateID,
    no_nul: View<NoNul>,
    percent: View<Percent>,
    json: View<Json>,
}

/// Runs the automaton of a set of patterns, over any view, until one has matched.
#[derive(Debug)]
pub(super) struct Automata<'p> {
    patterns: &'p BodyPatterns,
    found: Option<usize>,
}

impl Automata<'_> {
    /// The state after this byte. Nothing changes any more after a match.
    #[inline]
    pub(super) fn step(&mut self, state: StateID, byte: u8) -> StateID {
        if self.found.is_some() {
            return state;
        }
        let next = self.patterns.dfa.next_state(state, byte);
        if self.patterns.dfa.is_special_state(next) {
            self.examine(next);
        }
        next
    }

    /// A match, or a state from which the automaton cannot tell: the latter counts as a match of
    /// the first pattern, since what cannot be decided is denied.
    fn examine(&mut self, state: StateID) {
        let dfa = &self.patterns.dfa;
        if dfa.is_match_state(state) {
            self.found = Some(dfa.match_pattern(state, 0).as_usize());
        } else if dfa.is_quit_state(state) {
            self.found = Some(0);
        }
    }
}

impl<'p> Scanner<'p> {
    pub fn new(patterns: &'p BodyPatterns) -> Self {
        Self {
            automata: Automata { patterns, found: None },
            sent: patterns.start,
            no_nul: View::default(),
            percent: View::default(),
            json: View::default(),
        }
    }

    /// Takes the next bytes of the body, in order. Returns the index of a pattern as soon as one
    /// has matched in any view: of the one that matched at the earliest byte.
    pub fn push(&mut self, chunk: &[u8]) -> Option<usize> {
        let patterns = self.automata.patterns;
        let mut ahead = patterns
            .prefilter
            .as_ref()
            .map(|prefilter| Ahead::new(prefilter, chunk, patterns.looks_around));
        let mut at = 0;
        while at < chunk.len() && self.automata.found.is_none() {
            let mut until = if ahead.is_some() { at } else { chunk.len() };
            if let Some(ahead) = ahead.as_mut().filter(|_| self.rests()) {
                let stop = ahead.next(at);
                if stop.from > at {
                    at = stop.from;
                    self.sent = patterns.after[usize::from(chunk[at - 1])];
                }
                until = stop.until;
            }
            at = self.step_until(chunk, at, until);
        }
        self.automata.found
    }

    /// The body has ended: patterns that need to see the end (`$`, `\b`) are decided.
    pub fn finish(&mut self) -> Option<usize> {
        if let Some(mut state) = self.percent.state {
            for &byte in self.percent.decoder.finish().as_slice() {
                state = self.automata.step(state, byte);
            }
            self.percent.state = Some(state);
        }
        let split = [self.percent.state, self.json.state, self.no_nul.state];
        for state in std::iter::once(self.sent).chain(split.into_iter().flatten()) {
            if self.automata.found.is_none() {
                let end = self.automata.patterns.dfa.next_eoi_state(state);
                self.automata.examine(end);
            }
        }
        self.automata.found
    }

    /// Whether every view goes with the bytes as sent.
    fn joined(&self) -> bool {
        self.no_nul.state.is_none() && self.percent.state.is_none() && self.json.state.is_none()
    }

    /// Whether no match has begun in any view. Known only where there is a prefilter.
    fn rests(&self) -> bool {
        self.joined() && self.automata.patterns.dfa.is_start_state(self.sent)
    }

    /// Steps from `at` to the first place from `until` on where no match has begun, or to a match,
    /// or to the end of the chunk.
    fn step_until(&mut self, chunk: &[u8], mut at: usize, until: usize) -> usize {
        while at < chunk.len() && self.automata.found.is_none() {
            if self.joined() {
                at = self.step_joined(chunk, at, until);
                if self.automata.found.is_some() || (at >= until && self.rests()) {
                    break;
                }
                if at == chunk.len() {
                    break;
                }
            }
            self.step_all(chunk[at]);
            at += 1;
            if at >= until && self.rests() {
                break;
            }
        }
        at
    }

    /// One byte in every view.
    fn step_all(&mut self, byte: u8) {
        let before = self.sent;
        self.sent = self.automata.step(before, byte);
        let states = (before, self.sent);
        self.no_nul.step(&mut self.automata, states, byte);
        self.percent.step(&mut self.automata, states, byte);
        self.json.step(&mut self.automata, states, byte);
    }

    /// Steps the automaton of the bytes as sent, with which all views go, up to the next byte that
    /// begins an escape, or as [`step_until`](Self::step_until).
    fn step_joined(&mut self, chunk: &[u8], mut at: usize, until: usize) -> usize {
        let patterns = self.automata.patterns;
        let (dfa, idle) = (&patterns.dfa, &patterns.idle);
        let mut state = self.sent;
        while let Some(&byte) = chunk.get(at) {
            if idle[usize::from(byte)] && state == patterns.start {
                at += 1;
                if at >= until {
                    break;
                }
                continue;
            }
            if views::begins_any(byte) {
                break;
            }
            state = dfa.next_state(state, byte);
            at += 1;
            if dfa.is_special_state(state) {
                if dfa.is_start_state(state) {
                    if at >= until {
                        break;
                    }
                } else {
                    self.automata.examine(state);
                    if self.automata.found.is_some() {
                        break;
                    }
                }
            }
        }
        self.sent = state;
        at
    }
}
