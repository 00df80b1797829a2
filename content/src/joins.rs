//! Strings at the same path of consecutive JSON texts, joined: model APIs split a text over many events
//! (`delta.text`, `choices[0].delta.content`, `candidates[0].content.parts[0].text`).

use crate::error::DecodeError;
use crate::json::Path;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;

/// Paths that are joined at the same time; the one that was used the longest ago makes room.
const MAX_PATHS: usize = 64;

#[derive(Default)]
pub(crate) struct Joins {
    slots: Vec<Slot>,
    clock: u64,
}

struct Slot {
    sequence: u64,
    used: u64,
    label: String,
    node: Node,
}

impl Joins {
    /// The joined stream for strings at this path; it is opened where there is none.
    pub(crate) fn find(
        &mut self,
        path: &Path,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<usize, DecodeError> {
        self.find_by(path.sequence(), || path.in_sequence(), depth, place, ctx)
    }

    pub(crate) fn find_by(
        &mut self,
        sequence: u64,
        label: impl FnOnce() -> String,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<usize, DecodeError> {
        self.clock += 1;
        let known = self.slots.iter_mut().enumerate().find(|(_, slot)| slot.sequence == sequence);
        if let Some((at, slot)) = known {
            slot.used = self.clock;
            return Ok(at);
        }
        let label = label();
        let here = place.step(Step::Joined(&label));
        let node = Node::open(&Plan::Text, depth, &here, ctx)?;
        let slot = Slot { sequence, used: self.clock, label, node };
        if self.slots.len() < MAX_PATHS {
            self.slots.push(slot);
            return Ok(self.slots.len() - 1);
        }
        let oldest = self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.used);
        let at = oldest.map_or(0, |(at, _)| at);
        if let Some(old) = self.slots.get_mut(at) {
            let mut gone = std::mem::replace(old, slot);
            gone.node.finish(&place.step(Step::Joined(&gone.label)), ctx)?;
        }
        Ok(at)
    }

    pub(crate) fn push(
        &mut self,
        slot: usize,
        text: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        match self.slots.get_mut(slot) {
            Some(slot) => slot.node.push(text, &place.step(Step::Joined(&slot.label)), ctx),
            None => Ok(()),
        }
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        for mut slot in self.slots.drain(..) {
            slot.node.finish(&place.step(Step::Joined(&slot.label)), ctx)?;
        }
        Ok(())
    }
}
