//! The sidecar that decides what leaves an agent's pod.
//!
//! A room uses only rooms on lines below its own; a test reads the `use` lines and holds them to
//! this table (`tests/layout.rs`).
//!
//! ```text
//! run                    assembly: sources of policy, sinks of audit
//! entry                  how connections come in
//! serve                  the front door: what is spoken, TLS, dispatch
//! protocol               http, opaque, and what they share; a protocol never imports another
//! control                policy in, audit out
//! dns dial               names in, connections out
//! gate                   one way for every act: rule, hold, record, permit
//! content                what bodies hold
//! ops spool              health and metrics; the audit on disk
//! state metrics          the policy in force; counters
//! tls credential         certificates for both sides; what the agent may use and never has
//! wire                   bytes, before anybody knows what they mean
//! refusal                every way to say no
//! config init            what admission tells; the capture rules
//! ```
//!
//! Failure: what is unknown is denied. Before the first snapshot nothing passes; a task that ends
//! ends the process, and without the process nothing passes either.

pub mod config;
pub mod content;
pub mod control;
pub mod credential;
pub mod dial;
pub mod dns;
pub mod entry;
pub mod gate;
pub mod init;
pub mod metrics;
pub mod ops;
pub mod protocol;
pub mod refusal;
pub mod run;
pub mod serve;
pub mod spool;
pub mod state;
pub mod tls;
pub mod wire;
