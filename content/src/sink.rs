//! What takes the decoded text.

use crate::error::DecodeError;
use crate::limits::Budget;
use crate::place::Place;

/// One decoding of one place. Numbers are not used twice by the same decoder; which number a stream
/// gets may depend on how the body was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub(crate) u64);

/// Takes streams of text. What a stream is given, one piece after another, is contiguous.
///
/// A place is lent for the call and costs nothing until it is printed.
pub trait Sink {
    /// A stream begins, at nothing.
    fn open(&mut self, id: StreamId, at: &Place<'_>);

    /// A stream begins as another reading of `of`: its text so far is the text of `of` up to this
    /// moment. A matcher copies its state.
    fn fork(&mut self, id: StreamId, of: StreamId, at: &Place<'_>);

    fn text(&mut self, id: StreamId, at: &Place<'_>, text: &[u8]);

    fn close(&mut self, id: StreamId, at: &Place<'_>);

    /// What was taken for an escape at the end of a piece is none: the stream, which came from
    /// [`Self::fork`], never was.
    fn cancel(&mut self, id: StreamId) {
        let _ = id;
    }

    /// Whether everything that `id` would find from here on is found by `of` too, from which it was
    /// forked: both matchers are in the same state. The stream is then closed, and forked again at the
    /// next escape. Saying no is always right.
    fn joined(&mut self, id: StreamId, of: StreamId) -> bool {
        let _ = (id, of);
        false
    }
}

/// The sink, the budget and the numbers of streams, as they are handed down.
pub(crate) struct Ctx<'a> {
    sink: &'a mut dyn Sink,
    pub(crate) budget: &'a mut Budget,
    next: &'a mut u64,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(sink: &'a mut dyn Sink, budget: &'a mut Budget, next: &'a mut u64) -> Self {
        Self { sink, budget, next }
    }

    /// The budget apart from the rest, so that a codec and what reads its output can have both.
    pub(crate) fn split(&mut self) -> (&mut Budget, Rest<'_>) {
        (&mut *self.budget, Rest { sink: &mut *self.sink, next: &mut *self.next })
    }

    fn number(&mut self) -> StreamId {
        self.budget.open();
        let id = StreamId(*self.next);
        *self.next += 1;
        id
    }

    pub(crate) fn open(&mut self, at: &Place<'_>) -> StreamId {
        let id = self.number();
        self.sink.open(id, at);
        id
    }

    pub(crate) fn fork(&mut self, of: StreamId, at: &Place<'_>) -> StreamId {
        let id = self.number();
        self.sink.fork(id, of, at);
        id
    }

    /// Gives text to a stream. The body as sent is not paid for.
    pub(crate) fn text(
        &mut self,
        id: StreamId,
        at: &Place<'_>,
        text: &[u8],
    ) -> Result<(), DecodeError> {
        if text.is_empty() {
            return Ok(());
        }
        let paid = if id.0 == 0 { 0 } else { text.len() };
        self.budget.spend(paid).map_err(|why| at.error(why))?;
        self.sink.text(id, at, text);
        Ok(())
    }

    pub(crate) fn close(&mut self, id: StreamId, at: &Place<'_>) {
        self.budget.close();
        self.sink.close(id, at);
    }

    pub(crate) fn cancel(&mut self, id: StreamId) {
        self.budget.close();
        self.sink.cancel(id);
    }

    pub(crate) fn joined(&mut self, id: StreamId, of: StreamId) -> bool {
        self.sink.joined(id, of)
    }
}

/// A context without its budget.
pub(crate) struct Rest<'a> {
    sink: &'a mut dyn Sink,
    next: &'a mut u64,
}

impl Rest<'_> {
    pub(crate) fn with<'b>(&'b mut self, budget: &'b mut Budget) -> Ctx<'b> {
        Ctx { sink: &mut *self.sink, budget, next: &mut *self.next }
    }
}
