//! One stream, and what reads it: the tree that everything is decoded in.
//!
//! A node gives its bytes to the sink as they come. What was declared for them, or what their first
//! bytes show, is read by a [`Structure`]. Where no structure takes its place, the bytes are text, in
//! which [`Runs`] of base64 and hex are looked for, and of which [`View`]s are read beside it from
//! their first escape on.

use crate::error::DecodeError;
use crate::joins::Joins;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::runs::Runs;
use crate::sink::{Ctx, StreamId};
use crate::start::{Found, Start};
use crate::structure::Structure;
use crate::view::{Allowed, KINDS, Kind, Lead, View};

pub(crate) struct Node {
    id: StreamId,
    depth: u8,
    start: Start,
    /// What was declared. It does not fail softly.
    declared: Option<Box<Structure>>,
    /// What the first bytes show. It ends where it fails.
    shown: Option<Box<Structure>>,
    runs: Runs,
    views: [Option<Box<View>>; KINDS],
    allowed: Allowed,
    empty: bool,
    /// Of the sequence of messages of which this is one: a JSON text takes them.
    joins: Option<Box<Joins>>,
}

impl Node {
    /// A stream at `place`, whose content is declared as `plan`.
    pub(crate) fn open(
        plan: &Plan,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Self, DecodeError> {
        let id = ctx.open(place);
        let declared = Structure::declared(plan, depth, place, ctx)?.map(Box::new);
        Ok(Self {
            id,
            depth,
            start: Start::new(plan),
            declared,
            shown: None,
            runs: Runs::default(),
            views: [const { None }; KINDS],
            allowed: Allowed::all(),
            empty: true,
            joins: None,
        })
    }

    /// Another reading of this node at `place`, which goes on by itself from here; with the runs that
    /// are open, or with none.
    pub(crate) fn fork(
        &self,
        allowed: Allowed,
        with_runs: bool,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Self {
        let id = ctx.fork(self.id, place);
        let depth = self.depth.saturating_add(1);
        Self {
            id,
            depth,
            start: if self.empty { Start::new(&Plan::Text) } else { Start::ended() },
            declared: None,
            shown: None,
            runs: if with_runs { self.runs.fork(place, ctx) } else { Runs::default() },
            views: [const { None }; KINDS],
            allowed,
            empty: self.empty,
            joins: None,
        }
    }

    /// Lends the joins of a sequence of messages.
    pub(crate) fn lend(&mut self, joins: Box<Joins>) {
        self.joins = Some(joins);
    }

    pub(crate) fn joins(&mut self) -> &mut Option<Box<Joins>> {
        &mut self.joins
    }

    /// Takes text that the node from which this was forked has taken too, so that this is as if it had
    /// been forked behind it: what ends in it never was here.
    pub(crate) fn pass(
        &mut self,
        bytes: &[u8],
        with_runs: bool,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.start = Start::ended();
        self.empty = false;
        ctx.text(self.id, place, bytes)?;
        if with_runs { self.runs.pass(bytes, self.depth, place, ctx) } else { Ok(()) }
    }

    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    pub(crate) fn push(
        &mut self,
        mut bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        while !bytes.is_empty() {
            let (undecided, found) = self.start.take(bytes);
            let (now, rest) = bytes.split_at(undecided);
            self.read(now, place, ctx)?;
            bytes = rest;
            if let Some(found) = found {
                self.show(found, place, ctx)?;
            }
        }
        Ok(())
    }

    /// Begins what the first bytes show.
    fn show(
        &mut self,
        found: Found,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let head = self.start.head();
        let Some(mut shown) = Structure::shown(&found, &mut self.joins, self.depth, place, ctx)?
        else {
            return Ok(());
        };
        if shown.push(head, place, ctx)?.is_some() {
            shown.finish(place, ctx)?;
            self.joins = shown.take_joins().or(self.joins.take());
            return Ok(());
        }
        self.shown = Some(Box::new(shown));
        if !self.is_text() {
            self.end_text(place, ctx)?;
        }
        Ok(())
    }

    fn is_text(&self) -> bool {
        let structures = [&self.declared, &self.shown];
        !structures.into_iter().flatten().any(|one| one.replaces_text())
    }

    /// Reads bytes, to whose end nothing changes but that a structure fails.
    fn read(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut behind = None;
        let was_text = self.is_text();
        if let Some(declared) = &mut self.declared
            && let Some(at) = declared.push(bytes, place, ctx)?
        {
            behind = Some(at);
            declared.finish(place, ctx)?;
            self.declared = None;
        }
        if let Some(shown) = &mut self.shown
            && let Some(at) = shown.push(bytes, place, ctx)?
        {
            behind = Some(behind.unwrap_or(0).max(at));
            shown.finish(place, ctx)?;
            self.joins = shown.take_joins().or(self.joins.take());
            self.shown = None;
        }
        let (before, rest) = match behind {
            Some(at) if !was_text && self.is_text() => bytes.split_at(at.min(bytes.len())),
            _ => (bytes, [].as_slice()),
        };
        if was_text {
            self.text(before, place, ctx)?;
        } else {
            ctx.text(self.id, place, before)?;
        }
        self.empty = false;
        self.text(rest, place, ctx)
    }

    /// Reads bytes as text: runs and views.
    fn text(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let mut leads = Lead::new(bytes);
        let mut at = 0;
        while at < bytes.len() {
            let next = leads.next(at, |kind| self.may_open(kind, ctx));
            let end = match next {
                Some((begin, kind)) if begin == at => {
                    self.view(kind, place, ctx);
                    continue;
                }
                // A view without an escape so far may be gone behind the next byte, and begin again.
                _ if self.views.iter().flatten().any(|view| view.is_tentative()) => at + 1,
                Some((begin, _)) => begin,
                None => bytes.len(),
            };
            self.plain(bytes.get(at..end).unwrap_or_default(), place, ctx)?;
            at = end;
        }
        self.join(place, ctx)
    }

    fn may_open(&self, kind: Kind, ctx: &Ctx<'_>) -> bool {
        self.allowed.has(kind)
            && self.views.get(kind.index()).is_some_and(Option::is_none)
            && !ctx.budget.too_deep(self.depth.saturating_add(1))
    }

    fn plain(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        ctx.text(self.id, place, bytes)?;
        self.empty = false;
        self.runs.push(bytes, self.depth, place, ctx)?;
        for slot in &mut self.views {
            if let Some(view) = slot {
                let here = place.step(Step::Layer(view.label()));
                if !view.push(bytes, &here, ctx)? {
                    view.cancel(ctx);
                    *slot = None;
                }
            }
        }
        Ok(())
    }

    /// Opens a view whose first escape comes next.
    fn view(&mut self, kind: Kind, place: &Place<'_>, ctx: &mut Ctx<'_>) {
        let here = place.step(Step::Layer(kind.label()));
        let node = self.fork(self.allowed.without(kind), kind.keeps_runs(), &here, ctx);
        if let Some(slot) = self.views.get_mut(kind.index()) {
            *slot = Some(Box::new(View::new(kind, node)));
        }
    }

    /// Closes the views that find nothing that is not found here.
    fn join(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        for slot in &mut self.views {
            if let Some(view) = slot
                && view.is_still()
                && ctx.joined(view.id(), self.id)
            {
                view.finish(&place.step(Step::Layer(view.label())), ctx)?;
                *slot = None;
            }
        }
        Ok(())
    }

    /// Whether nothing is open in it but the stream itself.
    pub(crate) fn is_still(&self) -> bool {
        self.declared.is_none()
            && self.shown.is_none()
            && self.start.is_over()
            && self.runs.is_idle()
            && self.views.iter().all(Option::is_none)
    }

    fn end_text(&mut self, place: &Place<'_>, ctx: &mut Ctx<'_>) -> Result<(), DecodeError> {
        self.runs.finish(self.depth, place, ctx)?;
        for slot in &mut self.views {
            if let Some(mut view) = slot.take() {
                view.finish(&place.step(Step::Layer(view.label())), ctx)?;
            }
        }
        Ok(())
    }

    /// The place has ended. Fails where what was declared has not.
    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        for slot in [&mut self.declared, &mut self.shown] {
            if let Some(mut structure) = slot.take() {
                structure.finish(place, ctx)?;
                self.joins = structure.take_joins().or(self.joins.take());
            }
        }
        self.end_text(place, ctx)?;
        ctx.close(self.id, place);
        Ok(())
    }

    /// Ends a stream that never was, and what was forked with it.
    pub(crate) fn cancel(&mut self, ctx: &mut Ctx<'_>) {
        self.runs.cancel(ctx);
        for mut view in self.views.iter_mut().filter_map(Option::take) {
            view.cancel(ctx);
        }
        ctx.cancel(self.id);
    }
}
