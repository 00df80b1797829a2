//! What an agent may reach under a policy, asked with ordinary clients.

mod allowed_https_passes;
mod counters_count;
mod denied_requests;
mod dns;
