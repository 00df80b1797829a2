//! The end of an act on which nothing moves any more.

use crate::gate::Counts;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// A relay or an exchange on which nothing moves for this many minutes is ended. Models think long,
/// and a stream may wait for its next event for as long as that.
const QUIET_MINUTES: u32 = 60;

/// Returns once not a byte has moved in either direction for [`QUIET_MINUTES`].
pub(super) async fn quiet(counts: Counts) {
    let mut minutes = interval(Duration::from_secs(60));
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last, mut still) = (counts.totals(), 0);
    loop {
        minutes.tick().await;
        let now = counts.totals();
        still = if now == last { still + 1 } else { 0 };
        last = now;
        if still > QUIET_MINUTES {
            return;
        }
    }
}
