//! gRPC and gRPC-Web frames, and Connect's envelopes: a flag, a length of four bytes, a message.
//!
//! gRPC over HTTP/2, "Length-Prefixed-Message"; gRPC-Web, "Protocol differences"; Connect,
//! "Streaming RPCs".

use crate::coding::Coding;
use crate::error::{DecodeError, Why};
use crate::joins::Joins;
use crate::message::Message;
use crate::place::{Place, Step};
use crate::plan::{Framing, Plan};
use crate::sink::Ctx;
use crate::structure::Coded;

const KIND: &str = "grpc message";
const COMPRESSED: u8 = 1;

pub(crate) struct Frames {
    framing: Framing,
    coding: Option<Coding>,
    depth: u8,
    head: [u8; 5],
    filled: usize,
    left: u32,
    number: u64,
    message: Option<Body>,
    joins: Option<Box<Joins>>,
}

enum Body {
    Plain(Message),
    Coded(Coded),
}

impl Frames {
    pub(crate) fn new(framing: Framing, coding: Option<Coding>, depth: u8) -> Self {
        Self {
            framing,
            coding,
            depth,
            head: [0; 5],
            filled: 0,
            left: 0,
            number: 0,
            message: None,
            joins: None,
        }
    }

    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        while !bytes.is_empty() {
            if self.message.is_none() {
                let (&byte, rest) = bytes.split_first().unwrap_or((&0, &[]));
                if let Some(slot) = self.head.get_mut(self.filled) {
                    *slot = byte;
                }
                self.filled += 1;
                bytes = rest;
                if self.filled == self.head.len() {
                    self.begin(place, ctx)?;
                }
            } else {
                let len = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                let (now, rest) = bytes.split_at(len);
                let here = place.step(Step::Number(KIND, self.number));
                match &mut self.message {
                    Some(Body::Plain(message)) => message.push(now, &here, ctx)?,
                    Some(Body::Coded(coded)) => drop(coded.push(now, &here, ctx)?),
                    None => {}
                }
                self.left = self.left.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));
                bytes = rest;
            }
            if self.left == 0 {
                self.end(place, ctx)?;
            }
        }
        Ok(())
    }

    /// A head is whole: its message begins.
    fn begin(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        let [flags, length @ ..] = self.head;
        self.filled = 0;
        self.left = u32::from_be_bytes(length);
        self.number += 1;
        let here = place.step(Step::Number(KIND, self.number));
        if flags & !(COMPRESSED | self.framing.end) != 0 {
            return Err(here.error(Why::Protocol));
        }
        let body = if flags & COMPRESSED != 0 && self.left > 0 {
            let coding = self.coding.ok_or_else(|| here.error(Why::Unknown))?;
            let plan = if self.framing.json { Plan::Json { joins: false } } else { Plan::Text };
            Body::Coded(Coded::new(coding, &plan, false, self.depth, &here, ctx)?)
        } else {
            let joins = self.joins.take().unwrap_or_default();
            Body::Plain(Message::open(joins, false, self.depth, &here, ctx)?)
        };
        self.message = Some(body);
        Ok(())
    }

    fn end(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        let here = place.step(Step::Number(KIND, self.number));
        match self.message.take() {
            Some(Body::Plain(message)) => self.joins = Some(message.finish(&here, ctx)?),
            Some(Body::Coded(mut coded)) => coded.finish(&here, ctx)?,
            None => {}
        }
        Ok(())
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        if self.filled > 0 || self.message.is_some() {
            return Err(place.step(Step::Number(KIND, self.number)).error(Why::Truncated));
        }
        match self.joins.take() {
            Some(mut joins) => joins.finish(place, ctx),
            None => Ok(()),
        }
    }
}
