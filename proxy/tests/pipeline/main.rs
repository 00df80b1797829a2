//! The whole pipeline, from a captured connection to a server that counts what reaches it. Names,
//! addresses and connections are the test's; TLS, HTTP, policy and audit are the real ones.

// A helper that fails has failed its test.
#![allow(clippy::unwrap_used)]

mod denied;
mod disguise;
mod dns;
mod http;
mod opaque;
mod records;
mod silent;
mod smuggling;
mod standing;
mod tls;
mod world;
