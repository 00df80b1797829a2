//! Audit: records, their chain, signed heads and verification. Pure values.

pub mod batch;
pub mod record;
