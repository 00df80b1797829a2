//! Memory for heads that come in pieces. A small one costs nothing: its connection has room for it.

use super::framing::HEAD_LIMIT;
use crate::wire::{Memory, NoRoom, Room};
use futures::future::BoxFuture;
use std::task::{Context, Poll, ready};

/// A head up to this length takes no room of its own.
pub(super) const FREE: usize = 8 * 1024;
/// A longer one is copied once until it was read.
const ROOM: usize = 2 * HEAD_LIMIT;

/// The room of the head that is being read, if it is a long one.
pub(super) struct Heads {
    memory: Memory,
    room: Option<Room>,
    taking: Option<BoxFuture<'static, Result<Room, NoRoom>>>,
}

impl Heads {
    pub(super) const fn new(memory: Memory) -> Self {
        Self { memory, room: None, taking: None }
    }

    /// Ready once there is room for more behind the `held` bytes of a head.
    ///
    /// # Errors
    /// When there is none for a while.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, held: usize) -> Poll<Result<(), NoRoom>> {
        if held <= FREE {
            self.room = None;
            return Poll::Ready(Ok(()));
        }
        if self.room.is_none() {
            let memory = &self.memory;
            let taking = self.taking.get_or_insert_with(|| {
                let memory = memory.clone();
                Box::pin(async move { memory.take(ROOM).await })
            });
            let taken = ready!(taking.as_mut().poll(cx));
            self.taking = None;
            self.room = Some(taken?);
        }
        Poll::Ready(Ok(()))
    }
}
