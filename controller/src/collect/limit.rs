//! How much one chain may send: a bucket of requests and one of bytes, refilled every second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A chain sends one batch after the other, but under `Acknowledged` a small one for each group of
/// intents that wait.
const REQUESTS_PER_SECOND: f64 = 500.0;
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
    /// Takes one request out of the chain's bucket; false when it is empty.
    pub(super) fn take_request(&self, chain: &str, now: Instant) -> bool {
        self.take(chain, 1.0, 0.0, now)
    }

    /// Takes so many bytes out of the chain's bucket; false when it has fewer.
    pub(super) fn take_bytes(&self, chain: &str, bytes: usize, now: Instant) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52 bytes")]
        self.take(chain, 0.0, bytes as f64, now)
    }

    fn take(&self, chain: &str, requests: f64, bytes: f64, now: Instant) -> bool {
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
        if bucket.requests < requests || bucket.bytes < bytes {
            return false;
        }
        bucket.requests -= requests;
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
        let passed = (0..10_000).filter(|_| limits.take_request("pod-1", now)).count();
        assert_eq!(passed, 2000);
        assert!(limits.take_request("pod-2", now));
        assert!(limits.take_request("pod-1", now + Duration::from_secs(1)));
    }

    #[test]
    fn bytes_are_limited_too() {
        let (limits, now) = (Limits::default(), Instant::now());
        let passed = (0..100).filter(|_| limits.take_bytes("pod-1", 4 * 1024 * 1024, now)).count();
        assert_eq!(passed, 8);
    }
}
