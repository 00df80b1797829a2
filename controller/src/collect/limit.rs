//! How much one chain may send: a bucket of requests and one of bytes, refilled every second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

const REQUESTS_PER_SECOND: f64 = 50.0;
const BYTES_PER_SECOND: f64 = 8.0 * 1024.0 * 1024.0;
/// A bucket holds what comes in so many seconds.
const BURST_SECONDS: f64 = 4.0;
/// Buckets that are full again are forgotten when there are more.
const KEPT_AT_MOST: usize = 10_000;

/// Buckets by chain.
#[derive(Debug, Default)]
pub(super) struct Limits(Mutex<HashMap<String, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    since: Instant,
    requests: f64,
    bytes: f64,
}

impl Limits {
    /// Takes one request of `bytes` out of the chain's buckets; false when they are empty.
    pub(super) fn take(&self, chain: &str, bytes: usize, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEPT_AT_MOST && !buckets.contains_key(chain) {
            buckets.retain(|_, bucket| {
                now.saturating_duration_since(bucket.since).as_secs_f64() < BURST_SECONDS
            });
            if buckets.len() >= KEPT_AT_MOST {
                return false;
            }
        }
        let full = Bucket {
            since: now,
            requests: REQUESTS_PER_SECOND * BURST_SECONDS,
            bytes: BYTES_PER_SECOND * BURST_SECONDS,
        };
        let bucket = buckets.entry(chain.to_owned()).or_insert(full);
        let seconds = now.saturating_duration_since(bucket.since).as_secs_f64();
        bucket.since = now;
        bucket.requests = (bucket.requests + seconds * REQUESTS_PER_SECOND).min(full.requests);
        bucket.bytes = (bucket.bytes + seconds * BYTES_PER_SECOND).min(full.bytes);
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52 bytes")]
        let bytes = bytes as f64;
        if bucket.requests < 1.0 || bucket.bytes < bytes {
            return false;
        }
        bucket.requests -= 1.0;
        bucket.bytes -= bytes;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_held_and_others_are_not() {
        let (limits, now) = (Limits::default(), Instant::now());
        let passed = (0..1000).filter(|_| limits.take("pod-1", 10, now)).count();
        assert_eq!(passed, 200);
        assert!(limits.take("pod-2", 10, now));
        assert!(limits.take("pod-1", 10, now + Duration::from_secs(1)));
    }

    #[test]
    fn bytes_are_limited_too() {
        let (limits, now) = (Limits::default(), Instant::now());
        let passed = (0..100).filter(|_| limits.take("pod-1", 4 * 1024 * 1024, now)).count();
        assert_eq!(passed, 8);
    }
}
