//! Bodies and what they decode to.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hostile;
mod layers;
mod messages;
mod support;
mod websocket;
