//! What admission lets in, and what it makes of it.

mod with_policy_is_injected;
mod without_policy_is_refused;
