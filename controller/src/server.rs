//! TLS servers with limits.
