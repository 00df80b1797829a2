//! The ports that the proxy holds in the pod's network namespace.

/// Captured TCP, on loopback.
pub const CAPTURE: u16 = 15001;
/// Captured DNS, UDP and TCP, on loopback.
pub const DNS: u16 = 15053;
/// Health and metrics, on the pod's addresses.
pub const OPS: u16 = 15020;
