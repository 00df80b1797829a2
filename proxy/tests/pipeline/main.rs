//! The whole pipeline, from a captured connection to a server that counts what reaches it. Names,
//! addresses and connections are the test's; TLS, HTTP, policy and audit are the real ones.

// A helper that fails has failed its test.
#![allow(clippy::unwrap_used)]

mod clients;
mod content;
mod credentials;
mod denied;
mod disguise;
mod dns;
mod endings;
mod frames;
mod http;
mod masks;
mod opaque;
mod peak;
mod records;
mod services;
mod shared;
mod silent;
mod smuggling;
mod standing;
mod targets;
mod tls;
mod world;
