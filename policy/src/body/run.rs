//! Runs one automaton over the four views of a body.

use super::machine::Machine;
use super::views::{self, Json, NoNul, Percent, View};
use regex_automata::dfa::Automaton;
use regex_automata::util::primitives::StateID;

/// An automaton and its states in every view.
#[derive(Debug, Clone)]
pub(super) struct Run<'p> {
    pub(super) matcher: Matcher<'p>,
    /// The place in the chunk before which it has seen everything.
    pub(super) place: usize,
    /// The state over the bytes as sent.
    sent: StateID,
    no_nul: View<NoNul>,
    percent: View<Percent>,
    json: View<Json>,
}

/// Steps an automaton, over any view, until a pattern has matched.
#[derive(Debug, Clone)]
pub(super) struct Matcher<'p> {
    machine: &'p Machine,
    /// The place in the rule's list of the pattern that matched.
    pub(super) found: Option<usize>,
}

impl Matcher<'_> {
    /// The state after this byte. Nothing changes any more after a match.
    #[inline]
    pub(super) fn step(&mut self, state: StateID, byte: u8) -> StateID {
        if self.found.is_some() {
            return state;
        }
        let next = self.machine.dfa.next_state(state, byte);
        if self.machine.dfa.is_special_state(next) {
            self.found = self.machine.matched(next);
        }
        next
    }
}

impl<'p> Run<'p> {
    pub(super) fn new(machine: &'p Machine) -> Self {
        Self {
            matcher: Matcher { machine, found: None },
            place: 0,
            sent: machine.start,
            no_nul: View::default(),
            percent: View::default(),
            json: View::default(),
        }
    }

    /// Goes on behind this byte as if nothing had been before it, while it [`rests`](Self::rests).
    pub(super) fn skip_to(&mut self, place: usize, before: u8) {
        self.place = place;
        self.sent = self.matcher.machine.after[usize::from(before)];
    }

    /// Whether no match has begun in any view, nor an escape. Known only where there is a prefilter.
    pub(super) fn rests(&self) -> bool {
        self.joined() && self.matcher.machine.dfa.is_start_state(self.sent)
    }

    /// Whether every view goes with the bytes as sent.
    fn joined(&self) -> bool {
        self.no_nul.state.is_none() && self.percent.state.is_none() && self.json.state.is_none()
    }

    /// Steps to the first place from `until` on where it rests, or to a match, or to the end of the
    /// chunk.
    pub(super) fn step_until(&mut self, chunk: &[u8], until: usize) {
        while self.place < chunk.len() && self.matcher.found.is_none() {
            if self.place >= until && self.rests() {
                return;
            }
            if !self.joined() || views::begins_any(chunk[self.place]) {
                self.step_all(chunk[self.place]);
                self.place += 1;
            } else {
                self.step_joined(chunk, until);
            }
        }
    }

    /// One byte in every view.
    fn step_all(&mut self, byte: u8) {
        let before = self.sent;
        self.sent = self.matcher.step(before, byte);
        let states = (before, self.sent);
        self.no_nul.step(&mut self.matcher, states, byte);
        self.percent.step(&mut self.matcher, states, byte);
        self.json.step(&mut self.matcher, states, byte);
    }

    /// Steps over the bytes as sent, with which all views go, up to the next byte that begins an escape,
    /// or as [`step_until`](Self::step_until).
    fn step_joined(&mut self, chunk: &[u8], until: usize) {
        let machine = self.matcher.machine;
        let (dfa, idle) = (&machine.dfa, &machine.idle);
        let (mut state, mut at) = (self.sent, self.place);
        while let Some(&byte) = chunk.get(at) {
            if idle[usize::from(byte)] && state == machine.start {
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
                self.matcher.found = machine.matched(state);
                if self.matcher.found.is_some() || (at >= until && dfa.is_start_state(state)) {
                    break;
                }
            }
        }
        (self.sent, self.place) = (state, at);
    }

    /// The body has ended: patterns that need to see the end (`$`, `\b`) are decided.
    pub(super) fn finish(&mut self) {
        if let Some(mut state) = self.percent.state {
            for &byte in self.percent.decoder.finish().as_slice() {
                state = self.matcher.step(state, byte);
            }
            self.percent.state = Some(state);
        }
        let split = [self.percent.state, self.json.state, self.no_nul.state];
        for state in std::iter::once(self.sent).chain(split.into_iter().flatten()) {
            if self.matcher.found.is_none() {
                let machine = self.matcher.machine;
                self.matcher.found = machine.matched(machine.dfa.next_eoi_state(state));
            }
        }
    }
}
