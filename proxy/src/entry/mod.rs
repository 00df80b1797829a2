//! How connections come in: by the capture rules of the pod's network namespace.

pub mod own_ports;
pub mod redirect;
pub mod rejected;
