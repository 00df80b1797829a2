//! Audit: records, their chain, signed heads, verification and filters. Pure values: no clock, no
//! network, no files. Whoever needs the time passes it in.
//!
//! A pod's proxy writes one chain, named by the pod's uid. Every [`record::Record`] becomes a
//! [`batch::Entry`] whose [`chain::Link`] covers all entries before it, and the chain's end is
//! signed from time to time as a [`batch::SignedHead`]. [`verify`] judges a chain twice: for
//! *integrity* (nothing was altered) and for *completeness* (nothing is missing).
//! `docs/audit-format.md` states every byte.

pub mod batch;
pub mod chain;
pub mod export;
pub mod filter;
pub mod head;
pub mod record;
pub mod time;
pub mod verify;
