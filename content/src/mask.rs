//! Masks what is found in a body, as it comes.
//!
//! A [`Masker`] takes a body's codings off, puts something in place of what its [`Masks`] find, and puts
//! the codings back on. All other bytes stay as they are, byte for byte, and any cut of the body gives the
//! same text. JSON stays JSON, a form a form, events events.
//!
//! What is read in place: text; strings, keys and numbers of JSON; names and values of forms; the lines of
//! events, and the texts that model APIs split over many of them; parts of multipart. What was masked is then
//! read once more by the [`Decoder`](crate::Decoder), with all that it knows: where something is still found,
//! it stands in an encoding that cannot be changed in place, and the body is refused from there on.
//!
//! A value in pieces that arrive apart is masked whole, unless [`Masker::flush`] gave out the first of them.
//!
//! Not masked, and refused: gRPC and Connect messages, `aws-chunked`, charsets other than UTF-8 and those that
//! extend ASCII byte by byte.

mod events;
mod form;
mod guard;
mod json;
mod layer;
mod multipart;
mod recode;
mod replace;
mod tape;
mod watch;

pub use replace::{Digest, Masks};
pub use tape::Counts;

use crate::charset::Charset;
use crate::coding::{Codec, Coding, Stop};
use crate::error::DecodeError;
use crate::limits::{Budget, Limits};
use crate::media::Media;
use crate::plan::Plan;
use crate::scan::limits;
use guard::Guard;
use layer::Text;
use recode::Encoder;

/// What is held of a body at most, windows of codings apart: text, events that wait, and what was not read
/// again.
const HELD: usize = 1 << 20;

/// Bytes that the masking of such a body may hold.
#[must_use]
pub fn mask_memory(media: &Media) -> usize {
    let windows = if media.is_compressed() { 2 * limits(media).memory + recode::MEMORY } else { 0 };
    windows + limits(media).memory + HELD
}

/// The codings that are put back on: what to write in `Content-Encoding`, empty where there is none left.
///
/// # Errors
/// When a coding is not known.
pub fn masked_encoding(media: &Media) -> Result<String, DecodeError> {
    let list = media.content_encoding.as_deref().unwrap_or_default().split(',');
    let mut left = Vec::new();
    for name in list.map(str::trim) {
        match Coding::named(name)? {
            None | Some(Coding::Brotli) => {}
            Some(coding) => left.push(coding.name()),
        }
    }
    Ok(left.join(", "))
}

/// Masks one body.
pub struct Masker<'c> {
    codecs: Vec<Codec>,
    budget: Budget,
    read: u64,
    text: Text<'c>,
    guard: Guard<'c>,
    /// The innermost first.
    encoders: Vec<Encoder>,
    begun: bool,
}

impl<'c> Masker<'c> {
    /// # Errors
    /// When the body is declared as something that cannot be masked.
    pub fn new(masks: &'c Masks, media: &Media) -> Result<Self, DecodeError> {
        let (codings, plan) = match media.plan()? {
            Plan::Coded(codings, plan) => (codings, *plan),
            plan => (Vec::new(), plan),
        };
        let (plan, beside) = extends_ascii(plan);
        let text = Text::new(masks, &plan, media.is_lines())?;
        let mut plain = Media { content_encoding: None, transfer_encoding: None, ..media.clone() };
        plain.amz_content_sha256 = None;
        if beside {
            plain.content_type = plain.content_type.map(without_parameters);
        }
        let limits = limits(media);
        let mut encoders = Vec::new();
        for coding in codings.iter().rev() {
            encoders.extend(Encoder::new(*coding)?);
        }
        Ok(Self {
            codecs: codings.into_iter().map(Codec::new).collect(),
            budget: Budget::new(limits),
            read: 0,
            text,
            guard: Guard::new(masks, &plain, Limits { ..limits }),
            encoders,
            begun: false,
        })
    }

    /// Takes the next bytes, and gives out what can leave.
    ///
    /// # Errors
    /// When a coding cannot be taken off, a limit is reached, or a value stands where it cannot be masked.
    /// The body is of no use from there on.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        self.begun |= !bytes.is_empty();
        self.read = self.read.saturating_add(bytes.len() as u64);
        self.budget.grant(self.read);
        let Self { codecs, budget, text, guard, .. } = self;
        let mut checked = Vec::new();
        decode(codecs, bytes, budget, &mut |bytes| {
            let mut masked = Vec::new();
            text.push(bytes, &mut masked);
            guard.push(&masked, text.leaves_whole(), &mut checked)
        })?;
        self.encode(checked, out)
    }

    /// Gives out what waits for more to come, but for what cannot be cut. What belongs to a value that goes on
    /// is not masked then; what comes of it later is.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let (mut masked, mut checked) = (Vec::new(), Vec::new());
        self.text.flush(&mut masked);
        self.guard.push(&masked, true, &mut checked)?;
        self.encode(checked, out)
    }

    /// Bytes of text at the end that may belong to a value that goes on.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.text.waiting()
    }

    /// Whether anything has not left.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.text.holds() || self.guard.holds()
    }

    /// The body has ended.
    ///
    /// # Errors
    /// As [`Self::push`], and when a coding has not ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let (mut masked, mut checked) = (Vec::new(), Vec::new());
        {
            let Self { codecs, budget, text, guard, .. } = self;
            end(codecs, budget, &mut |bytes| {
                let mut masked = Vec::new();
                text.push(bytes, &mut masked);
                guard.push(&masked, text.leaves_whole(), &mut checked)
            })?;
        }
        self.text.finish(&mut masked);
        self.guard.push(&masked, false, &mut checked)?;
        self.guard.finish(&mut checked)?;
        self.encode(checked, out)?;
        if !self.begun {
            return Ok(());
        }
        let mut rest = std::mem::take(&mut self.encoders).into_iter();
        while let Some(encoder) = rest.next() {
            let mut text = Vec::new();
            encoder.finish(&mut text)?;
            for outer in rest.as_mut_slice() {
                let mut wrapped = Vec::new();
                outer.push(&text, &mut wrapped)?;
                text = wrapped;
            }
            out.append(&mut text);
        }
        Ok(())
    }

    /// How often each detector's values were masked so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        self.text.counts()
    }

    fn encode(&mut self, mut text: Vec<u8>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        for encoder in &mut self.encoders {
            let mut wrapped = Vec::new();
            encoder.push(&text, &mut wrapped)?;
            text = wrapped;
        }
        out.append(&mut text);
        Ok(())
    }
}

/// Text of a charset whose bytes below 0x80 are those of ASCII, and no others, is read as it is.
fn extends_ascii(plan: Plan) -> (Plan, bool) {
    match plan {
        Plan::Charset(Charset::Web(encoding), inner)
            if encoding.is_single_byte() && encoding.is_ascii_compatible() =>
        {
            (*inner, true)
        }
        plan => (plan, false),
    }
}

fn without_parameters(value: String) -> String {
    value.split(';').next().unwrap_or_default().to_owned()
}

type Out<'a> = dyn FnMut(&[u8]) -> Result<(), DecodeError> + 'a;

/// Takes the codings off, the outermost first.
fn decode(
    codecs: &mut [Codec],
    bytes: &[u8],
    budget: &mut Budget,
    out: &mut Out<'_>,
) -> Result<(), DecodeError> {
    let Some((first, inner)) = codecs.split_first_mut() else { return out(bytes) };
    let name = first.name();
    let done = first.push(bytes, budget, &mut |text, budget| {
        budget.spend(text.len()).map_err(|why| DecodeError::new(name, why))?;
        decode(inner, text, budget, out)
    });
    done.map_err(|stop: Stop| stop.or(name))
}

/// The same at the end of what came.
fn end(codecs: &mut [Codec], budget: &mut Budget, out: &mut Out<'_>) -> Result<(), DecodeError> {
    let Some((first, inner)) = codecs.split_first_mut() else { return Ok(()) };
    let name = first.name();
    let done = first.finish(budget, &mut |text, budget| decode(inner, text, budget, out));
    done.map_err(|stop: Stop| stop.or(name))?;
    end(inner, budget, out)
}
