//! A request whose client waits for leave to send its body (RFC 9110 §10.1.1).
//!
//! The expectation goes on to the server, and the body follows once the server says 100. A server
//! that answers without it does not want the body, which is then never asked for. One that says
//! nothing gets the body after a second, as clients do it that are not answered either.

use futures::task::AtomicWaker;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

const PATIENCE: Duration = Duration::from_secs(1);

const OPEN: u8 = 0;
const GIVEN: u8 = 1;
const WITHHELD: u8 = 2;

/// Says whether the body may go.
#[derive(Debug, Clone, Default)]
pub(super) struct Leave(Arc<State>);

#[derive(Debug, Default)]
struct State {
    said: AtomicU8,
    waker: AtomicWaker,
}

/// The body's side of it.
#[derive(Debug)]
pub(super) struct Waiting {
    leave: Leave,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Leave {
    /// It may.
    pub(super) fn give(&self) {
        self.say(GIVEN);
    }

    /// The server has answered without it.
    pub(super) fn withhold(&self) {
        self.say(WITHHELD);
    }

    /// Whether it was said that it may.
    pub(super) fn is_given(&self) -> bool {
        self.0.said.load(Ordering::Acquire) == GIVEN
    }

    pub(super) fn waiting(&self) -> Waiting {
        Waiting { leave: self.clone(), patience: None }
    }

    fn say(&self, what: u8) {
        // The first word holds.
        let said = self.0.said.compare_exchange(OPEN, what, Ordering::AcqRel, Ordering::Acquire);
        if said.is_ok() {
            self.0.waker.wake();
        }
    }
}

impl Waiting {
    /// Ready once the body may go, or never will: false.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.leave.0.waker.register(cx.waker());
        match self.leave.0.said.load(Ordering::Acquire) {
            GIVEN => return Poll::Ready(true),
            WITHHELD => return Poll::Ready(false),
            _ => {}
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if patience.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.leave.give();
        Poll::Ready(self.leave.0.said.load(Ordering::Acquire) == GIVEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    async fn ended(leave: &Leave) -> bool {
        let mut waiting = leave.waiting();
        poll_fn(|cx| waiting.poll(cx)).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_word_holds_and_silence_is_leave() {
        let leave = Leave::default();
        leave.give();
        leave.withhold();
        assert!(ended(&leave).await);
        let leave = Leave::default();
        leave.withhold();
        assert!(!ended(&leave).await);
        assert!(ended(&Leave::default()).await);
        let leave = Leave::default();
        let (given, ()) = tokio::join!(ended(&leave), async {
            tokio::task::yield_now().await;
            leave.withhold();
        });
        assert!(!given);
    }
}
