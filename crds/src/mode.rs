//! `spec.mode`.

use exeat_policy::source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether refusals are carried out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// What is not allowed is refused.
    #[default]
    Enforce,
    /// Decisions are made and recorded, and everything passes.
    Observe,
}

impl From<Mode> for source::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Enforce => Self::Enforce,
            Mode::Observe => Self::Observe,
        }
    }
}
