//! JSON, RFC 8259: every string and every key is a stream, its escapes decoded, at its path.
//!
//! One text, or several in a row (NDJSON, RFC 7464). Read in one pass that jumps from quote to quote.
//! Only what tells strings apart is checked: a reader that is more lenient than a parser misses nothing.
//! What can be in no JSON text is a fault; from there on the place is read as text.

mod escape;
mod path;

pub(crate) use escape::Escape;
pub(crate) use path::Path;

use crate::error::DecodeError;
use crate::joins::Joins;
use crate::node::Node;
use crate::place::{Place, Step};
use crate::plan::Plan;
use crate::sink::Ctx;
use crate::start::is_space;
use memchr::memchr2;

/// Deepest nesting of arrays and objects: what parsers take by default.
pub(crate) const MAX_NESTING: usize = 128;
/// Text of a string that is collected before it is given on, so that escapes cost no call each.
const BUFFER: usize = 1 << 10;

pub(crate) struct Json {
    depth: u8,
    state: State,
    path: Path,
    /// Strings at the same path of several texts, or of the elements of one array, joined.
    joins: Option<Box<Joins>>,
    /// Whether the joins are those of a sequence of messages, of which this is one.
    lent: bool,
    string: Option<Open>,
    buffer: Vec<u8>,
}

#[derive(PartialEq, Eq)]
enum State {
    Between,
    Scalar,
    String,
}

/// The string that is being read.
struct Open {
    node: Node,
    escape: Escape,
    is_key: bool,
    joined: Option<usize>,
}

impl Json {
    /// `lent`: the joins of a sequence of messages of which this is one. `joins`: there are several
    /// texts, or an array of them.
    pub(crate) fn new(joins: bool, lent: Option<Box<Joins>>, depth: u8) -> Self {
        Self {
            depth,
            state: State::Between,
            path: Path::default(),
            lent: lent.is_some(),
            joins: lent.or_else(|| joins.then(Box::default)),
            string: None,
            buffer: Vec::new(),
        }
    }

    /// Gives back what was lent.
    pub(crate) fn take_joins(&mut self) -> Option<Box<Joins>> {
        self.joins.take().filter(|_| self.lent)
    }

    /// Reads on. Returns where a fault is, if there is one.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Option<usize>, DecodeError> {
        let mut joins = self.joins.take();
        let done = self.run(bytes, place, ctx, joins.as_deref_mut());
        self.joins = joins;
        done
    }

    fn run(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        mut joins: Option<&mut Joins>,
    ) -> Result<Option<usize>, DecodeError> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.state == State::String {
                at += self.in_string(rest, place, ctx, joins.as_deref_mut())?;
                continue;
            }
            let byte = rest.first().copied().unwrap_or(b' ');
            if byte == b'"' {
                if !self.path.may_begin_string() {
                    return Ok(Some(at));
                }
                self.begin_string(place, ctx, joins.as_deref_mut())?;
            } else if !self.between(byte) {
                return Ok(Some(at));
            }
            at += 1;
        }
        self.flush(place, ctx, joins)?;
        Ok(None)
    }

    /// A byte outside of strings. Whether it may stand there.
    fn between(&mut self, byte: u8) -> bool {
        let scalar = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        if scalar {
            let first = self.state != State::Scalar;
            self.state = State::Scalar;
            return self.path.scalar(byte, first);
        }
        self.state = State::Between;
        match byte {
            b'{' | b'[' => self.path.nesting() < MAX_NESTING && self.path.enter(byte == b'{'),
            b'}' | b']' => self.path.leave(byte == b'}'),
            b',' => self.path.comma(),
            b':' => self.path.colon(),
            other => is_space(other) || other == 0xef || other == 0xbb || other == 0xbf,
        }
    }

    fn begin_string(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        joins: Option<&mut Joins>,
    ) -> Result<(), DecodeError> {
        self.state = State::String;
        let is_key = self.path.begin_string();
        let here = place.step(step(&self.path, is_key));
        let depth = self.depth;
        let node = Node::open(&Plan::Text, depth, &here, ctx)?;
        let joined = match joins {
            Some(joins) if !is_key => {
                Some(joins.find(&self.path, depth, sequence(self.lent, place), ctx)?)
            }
            _ => None,
        };
        self.string = Some(Open { node, escape: Escape::default(), is_key, joined });
        Ok(())
    }

    /// Reads on in a string; how many bytes were taken.
    fn in_string(
        &mut self,
        bytes: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        mut joins: Option<&mut Joins>,
    ) -> Result<usize, DecodeError> {
        let Some(open) = &mut self.string else {
            self.state = State::Between;
            return Ok(0);
        };
        let byte = bytes.first().copied().unwrap_or(b'"');
        if !open.escape.is_plain() {
            let taken = open.escape.push(byte, &mut self.buffer);
            self.flush_full(place, ctx, joins)?;
            return Ok(usize::from(taken));
        }
        let plain = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
        let text = bytes.get(..plain).unwrap_or_default();
        if !text.is_empty() {
            open.escape.end(&mut self.buffer);
            if text.len() < BUFFER / 4 {
                self.buffer.extend_from_slice(text);
                self.flush_full(place, ctx, joins.as_deref_mut())?;
            } else {
                self.flush(place, ctx, joins.as_deref_mut())?;
                self.give(text, place, ctx, joins.as_deref_mut())?;
            }
        }
        match bytes.get(plain) {
            Some(b'\\') => {
                if let Some(open) = &mut self.string {
                    open.escape.begin();
                }
                Ok(plain + 1)
            }
            Some(_) => {
                self.end_string(place, ctx, joins)?;
                Ok(plain + 1)
            }
            None => Ok(plain),
        }
    }

    fn end_string(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        joins: Option<&mut Joins>,
    ) -> Result<(), DecodeError> {
        if let Some(open) = &mut self.string {
            open.escape.end(&mut self.buffer);
        }
        self.flush(place, ctx, joins)?;
        self.state = State::Between;
        let Some(mut open) = self.string.take() else { return Ok(()) };
        open.node.finish(&place.step(step(&self.path, open.is_key)), ctx)
    }

    fn flush_full(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        joins: Option<&mut Joins>,
    ) -> Result<(), DecodeError> {
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush(place, ctx, joins) }
    }

    fn flush(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        joins: Option<&mut Joins>,
    ) -> Result<(), DecodeError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut text = std::mem::take(&mut self.buffer);
        let done = self.give(&text, place, ctx, joins);
        text.clear();
        self.buffer = text;
        done
    }

    fn give(
        &mut self,
        text: &[u8],
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
        joins: Option<&mut Joins>,
    ) -> Result<(), DecodeError> {
        let Some(open) = &mut self.string else { return Ok(()) };
        if open.is_key {
            self.path.key(text);
        }
        let here = place.step(step(&self.path, open.is_key));
        open.node.push(text, &here, ctx)?;
        match (joins, open.joined) {
            (Some(joins), Some(slot)) => joins.push(slot, text, sequence(self.lent, place), ctx),
            _ => Ok(()),
        }
    }

    /// The text has ended, wherever.
    pub(crate) fn finish(
        &mut self,
        place: &Place<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), DecodeError> {
        let mut joins = self.joins.take();
        if self.string.is_some() {
            self.end_string(place, ctx, joins.as_deref_mut())?;
        }
        self.joins = joins;
        match &mut self.joins {
            Some(joins) if !self.lent => joins.finish(place, ctx),
            _ => Ok(()),
        }
    }
}

fn step(path: &Path, is_key: bool) -> Step<'_> {
    if is_key { Step::Key(path) } else { Step::Json(path) }
}

/// The place of joined streams: that of the sequence.
fn sequence<'p>(lent: bool, place: &'p Place<'p>) -> &'p Place<'p> {
    if lent { place.outer().unwrap_or(place) } else { place }
}
