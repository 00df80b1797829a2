//! What reads a place by its structure.

use crate::charset;
use crate::coding::{Codec, Coding, Stop};
use crate::error::{DecodeError, Why};
use crate::form::Form;
use crate::frames::Frames;
use crate::joins::Joins;
use crate::json::Json;
use crate::multipart::Multipart;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;
use crate::sse::Events;
use crate::start::Found;

pub(crate) enum Structure {
    Coded(Coded),
    Charset(charset::Reader),
    Json(Box<Json>),
    Form(Box<Form>),
    Events(Box<Events>),
    Multipart(Box<Multipart>),
    Frames(Box<Frames>),
}

impl Structure {
    /// What reads a place that was declared so.
    pub(crate) fn declared(
        plan: &Plan,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Option<Self>, DecodeError> {
        let depth = depth.saturating_add(1);
        let too_deep = ctx.budget.too_deep(depth);
        if too_deep && !matches!(plan, Plan::Text | Plan::Json { .. }) {
            return Err(place.error(Why::TooDeep));
        }
        Ok(Some(match plan {
            Plan::Text | Plan::Json { .. } => return Ok(None),
            Plan::Coded(codings, inner) => {
                let Some((first, rest)) = codings.split_first() else { return Ok(None) };
                let plan = if rest.is_empty() {
                    inner.as_ref().clone()
                } else {
                    Plan::Coded(rest.to_vec(), inner.clone())
                };
                Self::Coded(Coded::new(*first, &plan, false, depth, place, ctx)?)
            }
            Plan::Beside(coding, inner) => {
                Self::Coded(Coded::new(*coding, inner, true, depth, place, ctx)?)
            }
            Plan::Charset(charset, inner) => {
                Self::Charset(charset::Reader::new(*charset, inner, depth, place, ctx)?)
            }
            Plan::Form => Self::Form(Box::new(Form::new(depth))),
            Plan::Events => Self::Events(Box::new(Events::new(depth, place, ctx)?)),
            Plan::Multipart(boundary) => Self::Multipart(Box::new(Multipart::new(boundary, depth))),
            Plan::Frames(framing, coding) => {
                if framing.text {
                    let framing = crate::plan::Framing { text: false, ..*framing };
                    let plan = Plan::Frames(framing, *coding);
                    Self::Coded(Coded::new(Coding::Base64, &plan, false, depth, place, ctx)?)
                } else {
                    Self::Frames(Box::new(Frames::new(*framing, *coding, depth)))
                }
            }
        }))
    }

    /// What reads a place whose first bytes show this. Nothing where it would be too deep.
    pub(crate) fn shown(
        found: &Found,
        lent: &mut Option<Box<Joins>>,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Option<Self>, DecodeError> {
        let depth = depth.saturating_add(1);
        if ctx.budget.too_deep(depth) {
            return Ok(None);
        }
        Ok(Some(match found {
            Found::Coded(coding) => {
                Self::Coded(Coded::new(*coding, &Plan::Text, true, depth, place, ctx)?)
            }
            Found::Charset(charset, plan) => {
                Self::Charset(charset::Reader::new(*charset, plan, depth, place, ctx)?)
            }
            Found::Json { joins } => Self::Json(Box::new(Json::new(*joins, lent.take(), depth))),
        }))
    }

    /// Gives back the joins that were lent.
    pub(crate) fn take_joins(&mut self) -> Option<Box<Joins>> {
        match self {
            Self::Json(json) => json.take_joins(),
            _ => None,
        }
    }

    /// Whether everything that text can hide is read by the structure.
    pub(crate) fn replaces_text(&self) -> bool {
        match self {
            Self::Coded(coded) => !coded.shown,
            Self::Charset(_) | Self::Form(_) => false,
            Self::Json(_) | Self::Events(_) | Self::Multipart(_) | Self::Frames(_) => true,
        }
    }

    /// Where it failed, if it may fail, and from where on the bytes are none of it.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Option<usize>, DecodeError> {
        match self {
            Self::Coded(coded) => return coded.push(bytes, place, ctx),
            Self::Json(json) => return json.push(bytes, place, ctx),
            Self::Charset(reader) => reader.push(bytes, place, ctx)?,
            Self::Form(form) => form.push(bytes, place, ctx)?,
            Self::Events(events) => events.push(bytes, place, ctx)?,
            Self::Multipart(parts) => parts.push(bytes, place, ctx)?,
            Self::Frames(frames) => frames.push(bytes, place, ctx)?,
        }
        Ok(None)
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Coded(coded) => coded.finish(place, ctx),
            Self::Charset(reader) => reader.finish(place, ctx),
            Self::Json(json) => json.finish(place, ctx),
            Self::Form(form) => form.finish(place, ctx),
            Self::Events(events) => events.finish(place, ctx),
            Self::Multipart(parts) => parts.finish(place, ctx),
            Self::Frames(frames) => frames.finish(place, ctx),
        }
    }
}

/// A coding, and what is under it.
pub(crate) struct Coded {
    coding: Coding,
    codec: Codec,
    /// Nobody declared it: that it fails is no error.
    shown: bool,
    failed: bool,
    inner: Box<Node>,
}

impl Coded {
    pub(crate) fn new(
        coding: Coding,
        plan: &Plan,
        shown: bool,
        depth: u8,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Self, DecodeError> {
        let here = place.step(Step::Layer(coding.name()));
        let inner = Box::new(Node::open(plan, depth, &here, ctx)?);
        Ok(Self { coding, codec: Codec::new(coding), shown, failed: false, inner })
    }

    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Option<usize>, DecodeError> {
        let here = place.step(Step::Layer(self.coding.name()));
        let done = run(&mut self.codec, Some(bytes), &mut self.inner, &here, ctx);
        match done {
            Ok(()) => Ok(None),
            Err(Stop::Inner(error)) => Err(error),
            Err(Stop::Own(why)) if self.shown && why != Why::TooMuchOutput => {
                self.failed = true;
                Ok(Some(bytes.len()))
            }
            Err(Stop::Own(why)) => Err(here.error(why)),
        }
    }

    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let here = place.step(Step::Layer(self.coding.name()));
        let done = if self.failed {
            Ok(())
        } else {
            run(&mut self.codec, None, &mut self.inner, &here, ctx)
        };
        self.codec.release(ctx.budget);
        match done {
            Err(Stop::Inner(error)) => return Err(error),
            Err(Stop::Own(why)) if !self.shown => return Err(here.error(why)),
            _ => {}
        }
        self.inner.finish(&here, ctx)
    }
}

/// Runs a codec on bytes, or to its end, and reads what it puts out.
fn run(
    codec: &mut Codec,
    bytes: Option<&[u8]>,
    inner: &mut Node,
    here: &Place<'_>,
    ctx: &mut Ctx<'_>,
) -> Result<(), Stop> {
    let (budget, mut rest) = ctx.split();
    let mut out = |text: &[u8], budget: &mut _| {
        let mut ctx = rest.with(budget);
        inner.push(text, here, &mut ctx)
    };
    match bytes {
        Some(bytes) => codec.push(bytes, budget, &mut out),
        None => codec.finish(budget, &mut out),
    }
}
