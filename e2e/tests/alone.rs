//! Cases that take something of Exeat's away for a moment, which every other case would notice.
//! They run after all others and one by one:
//! `cargo test --workspace --features exeat-e2e/cluster --test alone -- --test-threads=1`.
//! Each puts back what it took, also when it fails.

mod alone {
    mod controller_gone;
    mod scaled;
    mod stored_invalid_policy;
    mod webhook_away;
}
