//! Collection of audit.
