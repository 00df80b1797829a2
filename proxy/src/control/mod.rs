//! The proxy's side of the control API: policy comes in, audit goes out. TLS by the controller's
//! authority, and a token that names this pod, read anew for every call since the kubelet renews it.

mod client;
pub mod credentials;
pub mod file;
pub mod ship;
pub mod snapshots;

pub use client::{Client, ControlConfig, ControlError, Roots};
