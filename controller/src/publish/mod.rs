//! Streams of policy snapshots to the proxies.
