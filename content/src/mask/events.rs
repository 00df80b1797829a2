//! Server-sent events (HTML Standard §9.2.6): data is JSON or text, one event at a time and as the sequence
//! that it is part of. All other lines are text.

use super::json::{Joins, Json};
use super::tape::Kind;
use super::watch::Cx;
use crate::start::is_space;
use memchr::memchr2;

/// The sequence of data that is no JSON. No path has this number but by chance.
const TEXT: u64 = 0;

#[derive(Default)]
pub(super) struct Events<'c> {
    line: Line,
    after_return: bool,
    /// Whether the line is empty so far.
    empty: bool,
    data: Data<'c>,
    begun: bool,
}

/// What was read of a line.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Line {
    #[default]
    Begin,
    /// This many bytes of `data:`.
    Name(usize),
    /// Behind the colon: one space is none of the data.
    Value,
    Data,
    Other,
}

#[derive(Default)]
enum Data<'c> {
    #[default]
    Unknown,
    Json(Box<Json<'c>>),
    Text,
}

const DATA: &[u8] = b"data:";

impl<'c> Events<'c> {
    pub(super) fn push(&mut self, bytes: &[u8], at: u64, cx: &mut Cx<'c>, joins: &mut Joins<'c>) {
        let mut done = 0;
        while let Some(&byte) = bytes.get(done) {
            let here = at + done as u64;
            let was_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            if byte == b'\n' && was_return {
                // It belongs to the line that has ended; where that ended an event, so does this.
                if self.empty {
                    cx.mark(here + 1);
                }
                done += 1;
                continue;
            }
            if matches!(byte, b'\r' | b'\n') {
                self.end_line(here, cx, joins);
                done += 1;
                continue;
            }
            self.empty = false;
            let rest = bytes.get(done..).unwrap_or_default();
            done += self.in_line(byte, rest, here, cx, joins);
        }
    }

    fn end_line(&mut self, at: u64, cx: &mut Cx<'c>, joins: &mut Joins<'c>) {
        let was_empty = self.line == Line::Begin;
        match (self.line, &self.data) {
            (Line::Data, Data::Text) => {
                let slot = joins.find(TEXT, cx);
                if let Some(watch) = joins.watch(slot) {
                    watch.unit(b"\n", (at, at + 1), cx);
                }
            }
            (Line::Begin, _) => {
                self.end_event(cx);
                cx.mark(at + 1);
            }
            _ => {}
        }
        self.line = Line::Begin;
        self.empty = was_empty;
        self.begun = true;
    }

    fn end_event(&mut self, cx: &mut Cx<'c>) {
        if let Data::Json(json) = &mut self.data {
            json.finish(cx);
        }
        self.data = Data::Unknown;
    }

    /// Reads on in a line; how many bytes were taken.
    fn in_line(
        &mut self,
        byte: u8,
        bytes: &[u8],
        at: u64,
        cx: &mut Cx<'c>,
        joins: &mut Joins<'c>,
    ) -> usize {
        // A mark at the very begin is none of the first name.
        if !self.begun && self.line == Line::Begin && matches!(byte, 0xef | 0xbb | 0xbf) {
            return 1;
        }
        let name = match self.line {
            Line::Begin => Some(0),
            Line::Name(read) => Some(read),
            _ => None,
        };
        if let Some(read) = name {
            self.line = match DATA.get(read) {
                Some(want) if *want == byte && read + 1 == DATA.len() => Line::Value,
                Some(want) if *want == byte => Line::Name(read + 1),
                _ => Line::Other,
            };
            if self.line != Line::Other {
                return 1;
            }
        }
        if self.line == Line::Value {
            self.line = Line::Data;
            if byte == b' ' {
                return 1;
            }
        }
        let length = memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
        let now = bytes.get(..length).unwrap_or_default();
        if self.line == Line::Data {
            self.data(now, at, cx, joins);
        } else {
            cx.tape.part(at, at + length as u64, Kind::Text);
        }
        length
    }

    fn data(&mut self, mut now: &[u8], mut at: u64, cx: &mut Cx<'c>, joins: &mut Joins<'c>) {
        if matches!(self.data, Data::Unknown) {
            let space = now.iter().take_while(|byte| is_space(**byte)).count();
            match now.get(space) {
                None => return,
                Some(b'{' | b'[' | b'"') => {
                    self.data = Data::Json(Box::new(Json::sequence(false)));
                }
                Some(_) => self.data = Data::Text,
            }
        }
        if let Data::Json(json) = &mut self.data {
            let Some(fault) = json.push(now, at, cx, joins) else { return };
            json.finish(cx);
            self.data = Data::Text;
            at += fault as u64;
            now = now.get(fault..).unwrap_or_default();
        }
        cx.tape.part(at, at + now.len() as u64, Kind::Text);
        let slot = joins.find(TEXT, cx);
        if let Some(watch) = joins.watch(slot) {
            watch.plain(now, at, cx);
        }
    }

    pub(super) fn finish(&mut self, cx: &mut Cx<'c>) {
        self.end_event(cx);
    }

    pub(super) fn unfinished(&self) -> Option<u64> {
        match &self.data {
            Data::Json(json) => json.unfinished(),
            _ => None,
        }
    }

    pub(super) fn open(&self) -> Option<u64> {
        match &self.data {
            Data::Json(json) => json.open(),
            _ => None,
        }
    }
}
