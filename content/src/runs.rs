//! Runs of base64 and of hex in text.
//!
//! A run is 12 characters of base64 or base64url in a row, or more. It is decoded where the first of
//! what it stands for looks like text, or where it is 44 characters long; so words are no streams. Line
//! breaks and the white space behind them do not end a run that is being decoded. Inside a run that does
//! not look like text, another begins behind each `/`, `+`, `-` and `_`: they are separators of paths
//! and names too.

mod track;

use crate::coding::base64::{NONE, VALUES};
use crate::error::DecodeError;
use crate::place::Place;
use crate::sink::Ctx;
use track::{Alphabet, Track};

/// Shortest run.
const SHORTEST: usize = 12;
/// White space behind a line break inside of a run.
const MAX_INDENT: u8 = 16;

#[derive(Default)]
pub(crate) struct Runs {
    run: Option<Box<Run>>,
}

struct Run {
    main: Track,
    /// From the last separator on.
    after: Option<Track>,
    hex: Option<Track>,
    /// In a line break: white space that was read.
    broken: Option<u8>,
}

fn in_alphabet(byte: u8) -> bool {
    VALUES[usize::from(byte)] != NONE
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'/' | b'+' | b'-' | b'_')
}

impl Runs {
    pub(crate) fn is_idle(&self) -> bool {
        self.run.is_none()
    }

    /// The same runs in another reading.
    pub(crate) fn fork(&self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Self {
        let run = self.run.as_ref().map(|run| {
            Box::new(Run {
                main: run.main.fork(place, ctx),
                after: run.after.as_ref().map(|track| track.fork(place, ctx)),
                hex: run.hex.as_ref().map(|track| track.fork(place, ctx)),
                broken: run.broken,
            })
        });
        Self { run }
    }

    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        if ctx.budget.too_deep(depth.saturating_add(1)) {
            return Ok(());
        }
        while let Some(&byte) = bytes.first() {
            let Some(run) = &mut self.run else {
                let Some(begin) = next_run(bytes) else { return Ok(()) };
                bytes = bytes.get(begin..).unwrap_or_default();
                self.run = Some(Box::default());
                continue;
            };
            if in_alphabet(byte) {
                let end = bytes.iter().position(|byte| !in_alphabet(*byte));
                let (chars, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                run.broken = None;
                run.push(chars, depth, place, ctx)?;
                bytes = rest;
                continue;
            }
            if !run.goes_on(byte) {
                run.finish(depth, place, ctx)?;
                self.run = None;
            }
            bytes = bytes.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    /// Takes bytes; a run that ends in them never was.
    pub(crate) fn pass(
        &mut self,
        bytes: &[u8],
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let behind = bytes.iter().rposition(|byte| !in_alphabet(*byte));
        if behind.is_some() {
            self.cancel(ctx);
        }
        let chars = bytes.get(behind.map_or(0, |at| at + 1)..).unwrap_or_default();
        self.push(chars, depth, place, ctx)
    }

    pub(crate) fn cancel(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(mut run) = self.run.take() {
            let tracks = [Some(run.main), run.after.take(), run.hex.take()];
            for mut track in tracks.into_iter().flatten() {
                track.cancel(ctx);
            }
        }
    }

    pub(crate) fn finish(
        &mut self,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        match self.run.take() {
            Some(mut run) => run.finish(depth, place, ctx),
            None => Ok(()),
        }
    }
}

/// Where the next run begins that is long enough, or that the end cuts off. Looks at every twelfth byte
/// as long as there is none.
fn next_run(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < bytes.len() {
        let probe = (at + SHORTEST - 1).min(bytes.len() - 1);
        let window = bytes.get(at..=probe)?;
        let Some(last) = window.iter().rposition(|byte| !in_alphabet(*byte)) else {
            return Some(at);
        };
        let begin = at + last + 1;
        let end = bytes.get(begin..)?.iter().take(SHORTEST).position(|byte| !in_alphabet(*byte));
        match end {
            None if begin < bytes.len() => return Some(begin),
            None => return None,
            Some(len) => at = begin + len + 1,
        }
    }
    None
}

impl Default for Run {
    fn default() -> Self {
        Self {
            main: Track::new(Alphabet::Base64, true),
            after: None,
            hex: Some(Track::new(Alphabet::Hex, true)),
            broken: None,
        }
    }
}

impl Run {
    /// Whether the run goes on behind a byte that is outside of its alphabet.
    fn goes_on(&mut self, byte: u8) -> bool {
        match (self.broken, byte) {
            (_, b'\r') | (Some(_), b'\n') => {}
            (None, b'\n') => {}
            (Some(read), b' ' | b'\t') if read < MAX_INDENT => {
                self.broken = Some(read + 1);
                return true;
            }
            _ => return false,
        }
        let hex = self.hex.as_ref().is_some_and(Track::is_open);
        let read = self.broken.map_or(0, |read| read.saturating_add(1));
        self.broken = Some(read);
        read < MAX_INDENT && (hex || self.main.may_break())
    }

    fn push(
        &mut self,
        chars: &[u8],
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.main.push(chars, depth, place, ctx)?;
        self.push_hex(chars, depth, place, ctx)?;
        if self.main.is_text() {
            // It has begun later, so it is not decoded yet, and this run has its text.
            self.after = None;
            return Ok(());
        }
        for piece in chars.split_inclusive(|byte| is_separator(*byte)) {
            if let Some(after) = &mut self.after {
                after.push(piece, depth, place, ctx)?;
            }
            let separated = piece.last().is_some_and(|byte| is_separator(*byte));
            let open = self.after.as_ref().is_some_and(Track::is_open);
            if separated && !open {
                self.after = Some(Track::new(Alphabet::Base64, false));
            }
        }
        Ok(())
    }

    fn push_hex(
        &mut self,
        chars: &[u8],
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let mut rest = chars;
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| !byte.is_ascii_hexdigit());
            let (digits, behind) = rest.split_at(end.unwrap_or(rest.len()));
            if !digits.is_empty() {
                let track = self.hex.get_or_insert_with(|| Track::new(Alphabet::Hex, true));
                track.push(digits, depth, place, ctx)?;
            }
            if end.is_some()
                && let Some(mut track) = self.hex.take()
            {
                track.finish(depth, place, ctx)?;
            }
            rest = behind.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    fn finish(
        &mut self,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.main.finish(depth, place, ctx)?;
        for mut track in [self.after.take(), self.hex.take()].into_iter().flatten() {
            track.finish(depth, place, ctx)?;
        }
        Ok(())
    }
}
