//! Server-sent events (HTML Standard §9.2.6): the data of each event, its lines joined by line feeds.
//!
//! Every other line (names of events, comments, what is no field) goes into one stream of its own.

use crate::error::DecodeError;
use crate::joins::Joins;
use crate::message::Message;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;
use memchr::memchr2;

pub(crate) struct Events {
    depth: u8,
    line: Line,
    /// A carriage return was the last byte: a line feed behind it belongs to it.
    after_return: bool,
    number: u64,
    event: Option<Message>,
    joins: Option<Box<Joins>>,
    other: Node,
    at_start: bool,
}

/// What was read of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// This many bytes of `data:`.
    Name(usize),
    /// Behind the colon: one space is none of the data.
    Value,
    Data,
    Other,
}

const DATA: &[u8] = b"data:";
const MARK: &[u8] = "\u{feff}".as_bytes();

impl Events {
    pub(crate) fn new(
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Self, DecodeError> {
        let other = Node::open(&Plan::Text, depth, &place.step(Step::Word("fields")), ctx)?;
        Ok(Self {
            depth,
            line: Line::Name(0),
            after_return: false,
            number: 0,
            event: None,
            joins: None,
            other,
            at_start: true,
        })
    }

    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        while let Some((&byte, rest)) = bytes.split_first() {
            let was_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            if was_return && byte == b'\n' {
                bytes = rest;
                continue;
            }
            if matches!(byte, b'\r' | b'\n') {
                self.end_line(place, ctx)?;
                bytes = rest;
                continue;
            }
            bytes = self.in_line(bytes, place, ctx)?;
        }
        Ok(())
    }

    /// Reads on in a line, whose end is not at the begin of `bytes`; what is left.
    fn in_line<'b>(
        &mut self,
        bytes: &'b [u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<&'b [u8], DecodeError> {
        let (&byte, rest) = bytes.split_first().unwrap_or((&b'\n', &[]));
        match self.line {
            Line::Name(at) if DATA.get(at) == Some(&byte) => {
                self.line = if at + 1 == DATA.len() { Line::Value } else { Line::Name(at + 1) };
                Ok(rest)
            }
            Line::Name(0) if self.at_start && MARK.contains(&byte) => Ok(rest),
            Line::Name(at) => {
                let begun = DATA.get(..at).unwrap_or_default();
                self.other.push(begun, &place.step(Step::Word("fields")), ctx)?;
                self.line = Line::Other;
                Ok(bytes)
            }
            Line::Value => {
                self.line = Line::Data;
                self.begin_data(place, ctx)?;
                Ok(if byte == b' ' { rest } else { bytes })
            }
            Line::Data | Line::Other => {
                let end = memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
                let (text, rest) = bytes.split_at(end);
                if self.line == Line::Other {
                    self.other.push(text, &place.step(Step::Word("fields")), ctx)?;
                } else if let Some(event) = &mut self.event {
                    event.push(text, &place.step(Step::Number("event", self.number)), ctx)?;
                }
                Ok(rest)
            }
        }
    }

    /// A line of data begins: the first of an event opens it, each other adds a line feed.
    fn begin_data(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        self.at_start = false;
        if let Some(event) = &mut self.event {
            return event.push(b"\n", &place.step(Step::Number("event", self.number)), ctx);
        }
        self.number += 1;
        let here = place.step(Step::Number("event", self.number));
        let joins = self.joins.take().unwrap_or_default();
        self.event = Some(Message::open(joins, true, self.depth, &here, ctx)?);
        Ok(())
    }

    fn end_line(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        self.at_start = false;
        match std::mem::replace(&mut self.line, Line::Name(0)) {
            Line::Name(0) => self.end_event(place, ctx),
            // A field without a colon: `data` adds an empty line, anything else says nothing.
            Line::Name(4) | Line::Value => self.begin_data(place, ctx),
            Line::Name(_) | Line::Data => Ok(()),
            Line::Other => self.other.push(b"\n", &place.step(Step::Word("fields")), ctx),
        }
    }

    fn end_event(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        if let Some(event) = self.event.take() {
            let here = place.step(Step::Number("event", self.number));
            self.joins = Some(event.finish(&here, ctx)?);
        }
        Ok(())
    }

    /// An event that the end cuts off is read all the same.
    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.end_event(place, ctx)?;
        if let Some(mut joins) = self.joins.take() {
            joins.finish(place, ctx)?;
        }
        self.other.finish(&place.step(Step::Word("fields")), ctx)
    }
}
