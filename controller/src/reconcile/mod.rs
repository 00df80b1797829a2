//! What the Lease holder writes: NetworkPolicies, status and events.
