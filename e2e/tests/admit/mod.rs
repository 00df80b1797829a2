//! What admission lets in, and what it makes of it.

mod bad_policies;
mod changed_later;
mod forbidden_pods;
mod injected_whole;
mod table;
mod tiers;
mod with_policy_is_injected;
mod without_policy_is_refused;
mod workloads;
