//! Masked bodies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalogue;
mod events;
mod layers;
mod properties;
mod support;
