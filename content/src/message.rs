//! One message of a sequence: the data of an event, a message of gRPC or of a WebSocket.
//!
//! A JSON message has its strings joined with those of the messages before.

use crate::error::DecodeError;
use crate::joins::Joins;
use crate::node::Node;
use crate::place::Place;
use crate::plan::Plan;
use crate::sink::Ctx;
use crate::start::is_space;

pub(crate) struct Message {
    node: Node,
    depth: u8,
    plain: Plain,
}

/// How text that is no JSON is joined.
#[derive(Clone, Copy)]
enum Plain {
    Apart,
    Undecided,
    Joined(usize),
}

impl Message {
    /// `plain`: text that is no JSON is joined too. The joins come back with [`Self::finish`].
    pub(crate) fn open(
        joins: Box<Joins>,
        plain: bool,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Self, DecodeError> {
        let mut node = Node::open(&Plan::Text, depth, place, ctx)?;
        node.lend(joins);
        let plain = if plain { Plain::Undecided } else { Plain::Apart };
        Ok(Self { node, depth, plain })
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        self.node.push(bytes, place, ctx)?;
        let outer = place.outer().unwrap_or(place);
        if let Plain::Undecided = self.plain {
            let first = bytes.iter().find(|byte| !is_space(**byte));
            match (first, self.node.joins()) {
                (None, _) => {}
                (Some(b'{' | b'['), _) | (_, None) => self.plain = Plain::Apart,
                (Some(_), Some(joins)) => {
                    let name = || " data".to_owned();
                    let slot = joins.find_by(0, name, self.depth, outer, ctx)?;
                    self.plain = Plain::Joined(slot);
                }
            }
        }
        match (self.plain, self.node.joins()) {
            (Plain::Joined(slot), Some(joins)) => joins.push(slot, bytes, outer, ctx),
            _ => Ok(()),
        }
    }

    pub(crate) fn finish(
        mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Box<Joins>, DecodeError> {
        self.node.finish(place, ctx)?;
        Ok(self.node.joins().take().unwrap_or_default())
    }
}
