//! What is recorded, who may read it, and what a policy's status says.

mod recorded;
mod status;
