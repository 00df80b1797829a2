//! `application/x-www-form-urlencoded` (URL Standard §5.1): the name and the value of each field, decoded.

use crate::coding::quoted::digit;
use crate::error::DecodeError;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;

/// Bytes of a field's name that a place shows.
const MAX_NAME: usize = 64;

pub(crate) struct Form {
    depth: u8,
    number: u64,
    name: Vec<u8>,
    node: Option<Node>,
    is_value: bool,
    /// What was read of an escape, with its `%`.
    held: [u8; 2],
    len: usize,
    buffer: Vec<u8>,
}

impl Form {
    pub(crate) fn new(depth: u8) -> Self {
        Self {
            depth,
            number: 0,
            name: Vec::new(),
            node: None,
            is_value: false,
            held: [0; 2],
            len: 0,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        for &byte in bytes {
            match byte {
                b'&' | b'=' if byte == b'&' || !self.is_value => {
                    self.end(place, ctx)?;
                    self.is_value = byte == b'=';
                    if byte == b'&' {
                        self.name.clear();
                    }
                }
                other => self.decode(other),
            }
            if self.buffer.len() >= 1024 {
                self.flush(place, ctx)?;
            }
        }
        self.flush(place, ctx)
    }

    fn decode(&mut self, byte: u8) {
        match (self.len, byte) {
            (0, b'%') | (1, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if let Some(slot) = self.held.get_mut(self.len) {
                    *slot = byte;
                    self.len += 1;
                }
            }
            (0, b'+') => self.buffer.push(b' '),
            (0, other) => self.buffer.push(other),
            (2, low) if low.is_ascii_hexdigit() => {
                self.len = 0;
                self.buffer.push(digit(self.held[1]) << 4 | digit(low));
            }
            (_, other) => {
                self.no_escape();
                self.decode(other);
            }
        }
    }

    fn no_escape(&mut self) {
        let held = self.held.get(..std::mem::take(&mut self.len)).unwrap_or_default();
        self.buffer.extend_from_slice(held);
    }

    fn flush(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if !self.is_value {
            let room = MAX_NAME.saturating_sub(self.name.len());
            self.name.extend(self.buffer.iter().take(room));
        }
        let field = field(&self.name, self.number, self.is_value);
        let here = place.step(field);
        let node = match &mut self.node {
            Some(node) => node,
            none => none.insert(Node::open(&Plan::Text, self.depth, &here, ctx)?),
        };
        node.push(&self.buffer, &here, ctx)?;
        self.buffer.clear();
        Ok(())
    }

    fn end(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        self.no_escape();
        self.flush(place, ctx)?;
        if let Some(mut node) = self.node.take() {
            node.finish(&place.step(field(&self.name, self.number, self.is_value)), ctx)?;
        }
        if self.is_value || self.name.is_empty() {
            self.number += 1;
        }
        Ok(())
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.end(place, ctx)
    }
}

fn field(name: &[u8], number: u64, is_value: bool) -> Step<'_> {
    if is_value { Step::Field(name) } else { Step::Number("field name", number + 1) }
}
