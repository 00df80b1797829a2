//! Audit: records, their chain, signed heads, verification and filters. Pure values: no clock, no
//! network, no files. Whoever needs the time passes it in.
//!
//! A pod's proxy writes one chain, named by the pod's uid. Every [`record::Record`] becomes a
//! [`chain::Entry`] whose [`chain::Link`] covers all entries before it, and the chain's end is
//! signed from time to time as a [`head::SignedHead`]. Entries lie in the proxy's spool as
//! [`frame`]s, and are shipped as a [`batch`]. [`verify`] judges a chain twice: for *integrity*
//! (nothing was altered) and for *completeness* (nothing is missing). `docs/audit-format.md` states
//! every byte.

pub mod batch;
pub mod chain;
pub mod export;
pub mod filter;
pub mod frame;
pub mod head;
pub mod key;
pub mod record;
pub mod time;
pub mod verify;
