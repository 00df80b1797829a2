//! How many requests go over one HTTP/2 connection at once. A server says how many it takes
//! (RFC 9113 §5.1.2); one more would wait until another ends, which a long poll does not soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// However many a server takes.
const MOST: usize = 256;

/// The streams of one connection.
pub(super) struct Lanes {
    open: AtomicUsize,
    /// What the server says at this moment.
    stated: Box<dyn Fn() -> usize + Send + Sync>,
    /// What was learned by being refused; zero once nothing more is sent over this connection.
    learned: AtomicUsize,
    /// Told when a stream has ended.
    freed: Arc<Notify>,
}

/// One stream. It has ended when this is dropped.
pub(super) struct Lane(Arc<Lanes>);

impl Lanes {
    pub(super) fn new(
        stated: impl Fn() -> usize + Send + Sync + 'static,
        freed: Arc<Notify>,
    ) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            stated: Box::new(stated),
            learned: AtomicUsize::new(MOST),
            freed,
        })
    }

    /// One more stream, where there is room.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Lane> {
        let most = (self.stated)().min(self.learned.load(Ordering::Acquire));
        self.open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < most).then_some(open + 1)
            })
            .ok()
            .map(|_| Lane(self.clone()))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    /// Whether it takes no more requests, now or ever.
    pub(super) fn is_retired(&self) -> bool {
        self.learned.load(Ordering::Acquire) == 0
    }
}

impl Lane {
    /// The server refused this stream: it takes fewer than it said.
    pub(super) fn refused(&self) {
        let fewer = self.0.open.load(Ordering::Acquire).saturating_sub(1).max(1);
        self.0.learned.fetch_min(fewer, Ordering::AcqRel);
    }

    /// The server takes no more requests over this connection.
    pub(super) fn retire(&self) {
        self.0.learned.store(0, Ordering::Release);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_streams_than_the_server_takes() {
        let stated = Arc::new(AtomicUsize::new(2));
        let says = stated.clone();
        let lanes = Lanes::new(move || says.load(Ordering::SeqCst), Arc::default());
        let (one, two) = (lanes.enter().unwrap(), lanes.enter().unwrap());
        assert!(lanes.enter().is_none());
        stated.store(10, Ordering::SeqCst);
        let three = lanes.enter().unwrap();
        three.refused();
        drop(three);
        assert!(lanes.enter().is_none(), "it takes two");
        drop(one);
        assert!(lanes.enter().is_some());
        two.retire();
        assert!(lanes.enter().is_none() && lanes.is_retired());
        drop(two);
        assert!(lanes.is_idle());
    }
}
