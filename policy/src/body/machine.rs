//! Automata over bytes, each for some of the patterns of a rule.
//!
//! Patterns share an automaton while it stays small. Those that count what may also begin them, such as
//! `AKIA[0-9A-Z]{16}`, make one that grows by multiplication if they share it, so that they get
//! automata of their own instead.

use super::views;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_syntax::hir::Hir;

/// Largest automaton that patterns share, in bytes. One pattern alone may take what room there is.
const MAX_SHARED: usize = 1 << 20;
/// How much more memory than the automaton its building may take.
const BUILD_FACTOR: usize = 4;
const MAX_NFA: usize = 4 << 20;

/// One pattern, and its place in the list of its rule.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) index: usize,
    pub(super) hir: Hir,
}

/// An automaton that matches some patterns of a rule.
#[derive(Debug)]
pub(super) struct Machine {
    /// The places of its patterns in the list of the rule.
    indices: Vec<usize>,
    pub(super) dfa: dense::DFA<Vec<u32>>,
    /// The state at the beginning of a body.
    pub(super) start: StateID,
    /// The state behind each byte, where no match has begun.
    pub(super) after: Box<[StateID; 256]>,
    /// Bytes at which neither a match nor an escape begins; none where the bytes around matter.
    pub(super) idle: Box<[bool; 256]>,
}

impl Machine {
    /// Automata for all of these patterns, as few as stay small, and what is left of `room` bytes. Start
    /// states are told apart from others if `special_starts`.
    ///
    /// # Errors
    /// The place of a pattern whose automaton is larger than the room for it.
    pub(super) fn all(
        patterns: &[Pattern],
        special_starts: bool,
        room: usize,
    ) -> Result<(Vec<Self>, usize), usize> {
        let most = if patterns.len() == 1 { room } else { room.min(MAX_SHARED) };
        if let Some(machine) = Self::new(patterns, special_starts, most) {
            let room = room.saturating_sub(machine.dfa.memory_usage());
            return Ok((vec![machine], room));
        }
        if let [pattern] = patterns {
            return Err(pattern.index);
        }
        let (front, back) = patterns.split_at(patterns.len() / 2);
        let (mut machines, room) = Self::all(front, special_starts, room)?;
        let (more, room) = Self::all(back, special_starts, room)?;
        machines.extend(more);
        Ok((machines, room))
    }

    fn new(patterns: &[Pattern], special_starts: bool, most: usize) -> Option<Self> {
        let hirs: Vec<_> = patterns.iter().map(|pattern| &pattern.hir).collect();
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_NFA)))
            .build_many_from_hir(&hirs)
            .ok()?;
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Unanchored)
                    .specialize_start_states(special_starts)
                    .accelerate(false)
                    .dfa_size_limit(Some(most))
                    .determinize_size_limit(Some(most.saturating_mul(BUILD_FACTOR))),
            )
            .build_from_nfa(&nfa)
            .ok()?;
        let start_at = |behind| dfa.start_state(&start::Config::new().look_behind(behind)).ok();
        let start = start_at(None)?;
        let mut after = Box::new([start; 256]);
        for byte in 0..=u8::MAX {
            after[usize::from(byte)] = start_at(Some(byte))?;
        }
        let looks_around = hirs.iter().any(|hir| !hir.properties().look_set().is_empty());
        let mut idle = Box::new([false; 256]);
        for byte in 0..=u8::MAX {
            idle[usize::from(byte)] =
                !looks_around && !views::begins_any(byte) && dfa.next_state(start, byte) == start;
        }
        let indices = patterns.iter().map(|pattern| pattern.index).collect();
        Some(Self { indices, dfa, start, after, idle })
    }

    /// The place of a pattern that matches in this state, which is special, if one does. Where the
    /// automaton cannot tell, the first does: what cannot be decided is denied.
    pub(super) fn matched(&self, state: StateID) -> Option<usize> {
        if self.dfa.is_match_state(state) {
            return self.indices.get(self.dfa.match_pattern(state, 0).as_usize()).copied();
        }
        self.dfa.is_quit_state(state).then(|| self.indices.first().copied().unwrap_or(0))
    }
}
