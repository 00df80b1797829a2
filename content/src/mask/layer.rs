//! The text of a body without its codings: what is found in it, and what has not left of it.

use super::events::Events;
use super::form::Form;
use super::json::{Joins, Json};
use super::multipart::Multipart;
use super::replace::Masks;
use super::tape::{Counts, Kind, Tape};
use super::watch::{Cx, Watch};
use crate::error::{DecodeError, Why};
use crate::plan::Plan;
use crate::start::is_space;
use std::collections::VecDeque;

/// A body is looked at in steps of this many bytes, wherever it is cut.
const STEP: u64 = 4 << 10;
/// Where more than this is held, texts that are joined are taken for ended.
const HELD: u64 = 256 << 10;

pub(super) struct Text<'c> {
    cx: Cx<'c>,
    whole: Watch<'c>,
    reader: Reader<'c>,
    joins: Joins<'c>,
    /// Whether only whole events or lines leave.
    in_marks: bool,
    /// What stands before this has been waited for for long enough.
    waited: u64,
}

enum Reader<'c> {
    /// Nothing but white space so far.
    Unknown,
    Plain,
    Json(Box<Json<'c>>),
    Events(Box<Events<'c>>),
    Form(Form<'c>),
    Multipart(Multipart),
}

impl<'c> Text<'c> {
    pub(super) fn new(masks: &'c Masks, plan: &Plan, lines: bool) -> Result<Self, DecodeError> {
        let mut tape = Tape::default();
        let reader = match plan {
            Plan::Text => Reader::Unknown,
            Plan::Json { .. } if lines => Reader::Json(Box::new(Json::sequence(true))),
            Plan::Json { .. } => Reader::Json(Box::default()),
            Plan::Events => Reader::Events(Box::default()),
            Plan::Form => {
                tape.form = true;
                Reader::Form(Form::default())
            }
            Plan::Multipart(boundary) => Reader::Multipart(Multipart::new(boundary)),
            Plan::Charset(..) => return Err(DecodeError::new("charset", Why::Unmaskable)),
            Plan::Frames(..) => return Err(DecodeError::new("grpc message", Why::Unmaskable)),
            Plan::Coded(..) | Plan::Beside(..) => {
                return Err(DecodeError::new("coding", Why::Unmaskable));
            }
        };
        let in_marks = lines || matches!(reader, Reader::Events(_));
        let cx = Cx { masks, tape, marks: VecDeque::new() };
        let (whole, joins) = (Watch::new(masks), Joins::default());
        Ok(Self { cx, whole, reader, joins, in_marks, waited: 0 })
    }

    /// Whether all that leaves has been read to an end.
    pub(super) fn leaves_whole(&self) -> bool {
        self.in_marks
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.cx.tape.counts
    }

    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let room = STEP - self.cx.tape.end() % STEP;
            let length = usize::try_from(room).unwrap_or(bytes.len()).min(bytes.len());
            let (now, rest) = bytes.split_at(length);
            let at = self.cx.tape.end();
            self.cx.tape.push(now);
            self.read(now, at);
            self.whole.plain(now, at, &mut self.cx);
            let is_step = self.cx.tape.end().is_multiple_of(STEP);
            if is_step && self.cx.tape.end() - self.until().0 > HELD {
                self.joins.finish(&mut self.cx);
            }
            self.release(out);
            bytes = rest;
        }
    }

    fn read(&mut self, mut now: &[u8], mut at: u64) {
        let (cx, joins) = (&mut self.cx, &mut self.joins);
        if let Reader::Unknown = self.reader {
            let space = now.iter().take_while(|byte| is_space(**byte)).count();
            self.reader = match now.get(space) {
                None => Reader::Unknown,
                Some(b'{' | b'[') => Reader::Json(Box::default()),
                Some(_) => Reader::Plain,
            };
        }
        if let Reader::Json(json) = &mut self.reader {
            let Some(fault) = json.push(now, at, cx, joins) else { return };
            json.finish(cx);
            // From here on it is text.
            at += fault as u64;
            now = now.get(fault..).unwrap_or_default();
            self.reader = Reader::Plain;
        }
        match &mut self.reader {
            Reader::Unknown | Reader::Plain => {
                cx.tape.part(at, at + now.len() as u64, Kind::Text);
                if self.in_marks {
                    for (_, here) in now.iter().zip(at..).filter(|(byte, _)| **byte == b'\n') {
                        cx.mark(here + 1);
                    }
                }
            }
            Reader::Events(events) => events.push(now, at, cx, joins),
            Reader::Form(form) => form.push(now, at, cx),
            Reader::Multipart(parts) => parts.push(now, at, cx),
            Reader::Json(_) => {}
        }
    }

    /// What stands before the first place is decided. The second: what is not to be cut whatever is
    /// waited for.
    fn until(&self) -> (u64, u64) {
        let (open, unfinished) = match &self.reader {
            Reader::Unknown | Reader::Plain => (None, None),
            Reader::Json(json) => (json.open(), json.unfinished()),
            Reader::Events(events) => (events.open(), events.unfinished()),
            Reader::Form(form) => (form.open(), form.unfinished()),
            Reader::Multipart(parts) => (None, parts.unfinished()),
        };
        let end = self.cx.tape.end();
        let whole = self.whole.open().map(|(at, _)| at);
        let joined = self.joins.open().map(|(at, _)| at);
        let first = [open, whole, joined].into_iter().flatten().min().unwrap_or(end);
        let hard = unfinished.unwrap_or(end);
        (first.max(self.waited).min(hard), hard)
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        let (mut until, _) = self.until();
        let marks = &mut self.cx.marks;
        let mut last = None;
        while marks.front().is_some_and(|mark| *mark <= until) {
            last = marks.pop_front();
        }
        if self.in_marks && self.cx.tape.end() - self.cx.tape.base() <= 2 * HELD {
            let Some(mark) = last else { return };
            until = mark;
        }
        self.cx.tape.release(until, self.cx.masks, out);
        // Where a change reaches beyond a mark, the rest of what came before the mark is still to leave.
        if let Some(mark) = last
            && self.cx.tape.base() < mark
        {
            self.cx.marks.push_front(mark);
        }
    }

    /// What is open is given out as it stands.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.waited = self.until().1;
        self.release(out);
    }

    /// Bytes of text, of which a value may be a part that is not over.
    pub(super) fn waiting(&self) -> usize {
        let whole = self.whole.open().map_or(0, |(_, open)| open);
        self.joins.open().map_or(0, |(_, open)| open).max(whole)
    }

    pub(super) fn holds(&self) -> bool {
        self.cx.tape.base() < self.cx.tape.end()
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        let cx = &mut self.cx;
        match &mut self.reader {
            Reader::Json(json) => json.finish(cx),
            Reader::Events(events) => events.finish(cx),
            Reader::Form(form) => form.finish(cx),
            Reader::Multipart(parts) => parts.finish(cx.tape.end(), cx),
            Reader::Unknown | Reader::Plain => {}
        }
        self.joins.finish(cx);
        std::mem::replace(&mut self.whole, Watch::new(cx.masks)).finish(cx);
        let end = cx.tape.end();
        cx.tape.release(end, cx.masks, out);
    }
}
