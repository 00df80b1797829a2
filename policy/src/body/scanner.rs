//! Scans one body, chunk by chunk.

use super::escapes::Ahead;
use super::patterns::{BodyPatterns, Group};
use super::prefilter::Prefilter;
use super::run::Run;

/// Scans one body. After a match it stays matched.
#[derive(Debug, Clone)]
pub struct Scanner<'p> {
    groups: Vec<Scan<'p>>,
    found: Option<usize>,
}

/// The scan for one group of patterns.
#[derive(Debug, Clone)]
struct Scan<'p> {
    prefilter: Option<&'p Prefilter>,
    looks_around: bool,
    runs: Vec<Run<'p>>,
}

impl<'p> Scanner<'p> {
    pub fn new(patterns: &'p BodyPatterns) -> Self {
        Self { groups: patterns.groups.iter().map(Scan::new).collect(), found: None }
    }

    /// Takes the next bytes of the body, in order. Returns the index of a pattern once one has matched
    /// in any view: if several match, of any of them.
    pub fn push(&mut self, chunk: &[u8]) -> Option<usize> {
        if self.found.is_none() {
            self.found = self.groups.iter_mut().find_map(|group| group.push(chunk));
        }
        self.found
    }

    /// The body has ended: patterns that need to see the end (`$`, `\b`) are decided.
    pub fn finish(&mut self) -> Option<usize> {
        if self.found.is_none() {
            self.found = self.groups.iter_mut().find_map(Scan::finish);
        }
        self.found
    }
}

impl<'p> Scan<'p> {
    fn new(group: &'p Group) -> Self {
        Self {
            prefilter: group.prefilter.as_ref(),
            looks_around: group.looks_around,
            runs: group.machines.iter().map(Run::new).collect(),
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Option<usize> {
        self.runs.iter_mut().for_each(|run| run.place = 0);
        let Some(prefilter) = self.prefilter else {
            return self.step_until(chunk, chunk.len()).err();
        };
        let mut ahead = Ahead::new(prefilter, chunk, self.looks_around);
        let mut at = 0;
        while at < chunk.len() {
            let mut until = at;
            if self.runs.iter().all(Run::rests) {
                let stop = ahead.next(at);
                if stop.from > at {
                    self.runs
                        .iter_mut()
                        .for_each(|run| run.skip_to(stop.from, chunk[stop.from - 1]));
                }
                until = stop.until;
            }
            match self.step_until(chunk, until) {
                Ok(place) => at = place,
                Err(found) => return Some(found),
            }
        }
        None
    }

    /// Steps every automaton to one place, the first from `until` on where all of them rest, or to the
    /// end of the chunk. A match is the error.
    fn step_until(&mut self, chunk: &[u8], until: usize) -> Result<usize, usize> {
        let mut until = until;
        loop {
            for run in &mut self.runs {
                run.step_until(chunk, until);
                if let Some(found) = run.matcher.found {
                    return Err(found);
                }
            }
            let furthest = self.runs.iter().map(|run| run.place).max().unwrap_or(chunk.len());
            if self.runs.iter().all(|run| run.place == furthest) {
                return Ok(furthest);
            }
            until = furthest;
        }
    }

    fn finish(&mut self) -> Option<usize> {
        self.runs.iter_mut().find_map(|run| {
            run.finish();
            run.matcher.found
        })
    }
}
