//! The sidecar that decides what leaves an agent's pod.
//!
//! `init` writes the capture rules; `run` puts the rest together: `capture` accepts what the rules
//! redirect, `dns` answers the agent's questions, `connection` decides and relays, `spool` records
//! before anything goes out, `control` speaks to the controller, `ops` answers the kubelet.
//!
//! Failure: what is unknown is denied. Before the first snapshot nothing passes; a task that ends
//! ends the process, and without the process nothing passes either.

pub mod capture;
pub mod config;
pub mod connection;
pub mod control;
pub mod dial;
pub mod dns;
pub mod http;
pub mod init;
pub mod inspect;
pub mod metrics;
pub mod opaque;
pub mod ops;
pub mod problem;
pub mod rejected;
pub mod resolve;
pub mod run;
pub mod spool;
pub mod state;
pub mod tls;
