//! The push machine.

use crate::error::DecodeError;
use crate::limits::{Budget, Limits, STEP};
use crate::media::Media;
use crate::node::Node;
use crate::place::Place;
use crate::plan::Plan;
use crate::sink::{Ctx, Sink};

/// Decodes one body as it comes.
pub struct Decoder {
    plan: Result<Plan, DecodeError>,
    called: &'static str,
    budget: Budget,
    next: u64,
    read: u64,
    root: Option<Box<Node>>,
}

impl Decoder {
    /// A decoder for a body that is declared as `media`. A declaration that cannot be read is an error
    /// at the first byte: a body without a byte hides nothing.
    #[must_use]
    pub fn new(media: &Media, limits: Limits) -> Self {
        Self {
            plan: media.plan(),
            called: media.called.unwrap_or("body"),
            budget: Budget::new(limits),
            next: 0,
            read: 0,
            root: None,
        }
    }

    /// Takes bytes of the body. Everything that they stand for is with the sink when this returns.
    ///
    /// After an error the decoder reads nothing more, and gives the same error again.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut dyn Sink) -> Result<(), DecodeError> {
        while !bytes.is_empty() {
            let into = usize::try_from(self.read % STEP as u64).unwrap_or(0);
            let (now, rest) = bytes.split_at((STEP - into).min(bytes.len()));
            self.read = self.read.saturating_add(now.len() as u64);
            self.budget.grant(self.read);
            self.step(now, sink)?;
            bytes = rest;
        }
        Ok(())
    }

    fn step(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), DecodeError> {
        let plan = self.plan.as_ref().map_err(Clone::clone)?;
        let mut ctx = Ctx::new(sink, &mut self.budget, &mut self.next);
        let place = Place::root(self.called);
        let done = match &mut self.root {
            Some(root) => root.push(bytes, &place, &mut ctx),
            None => Node::open(plan, 0, &place, &mut ctx).and_then(|node| {
                let root = self.root.insert(Box::new(node));
                root.push(bytes, &place, &mut ctx)
            }),
        };
        self.fail(done)
    }

    /// The body has ended. Fails where what was declared has not. The decoder is of no use afterwards.
    pub fn finish(&mut self, sink: &mut dyn Sink) -> Result<(), DecodeError> {
        if self.read > 0 {
            self.plan.as_ref().map_err(Clone::clone)?;
        }
        let Some(mut root) = self.root.take() else { return Ok(()) };
        let mut ctx = Ctx::new(sink, &mut self.budget, &mut self.next);
        let done = root.finish(&Place::root(self.called), &mut ctx);
        self.fail(done)
    }

    fn fail(&mut self, done: Result<(), DecodeError>) -> Result<(), DecodeError> {
        if let Err(error) = &done {
            self.plan = Err(error.clone());
            self.root = None;
        }
        done
    }
}
