//! What is masked in what passes under one rule.

use crate::detect::Set;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One entry of a rule's `mask`, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaskSource {
    /// Names of the catalogue ([`crate::detect`]). Text, as a rule's `action` is.
    pub detectors: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub direction: Direction,
    #[serde(default, skip_serializing_if = "is_default")]
    pub with: With,
    #[serde(default, skip_serializing_if = "is_default")]
    pub numbers: Numbers,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Which bodies are masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    Request,
    /// What the server answers.
    #[default]
    Response,
    Both,
}

impl Direction {
    /// Whether it speaks of this one; `Both` is two.
    pub fn covers(self, other: Self) -> bool {
        self == other || self == Self::Both
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Response => "Response",
            Self::Both => "Both",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands in place of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum With {
    /// `[exeat:credit-card]`.
    #[default]
    Placeholder,
    /// The last four characters, but never more than half of them: `************1111`.
    Partial,
    /// `[exeat:credit-card:0f3a…]`: twelve digits by which equal values of one pod are joined.
    Hash,
}

/// What becomes of numbers in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Numbers {
    /// They stay numbers of the same length, with other digits.
    #[default]
    Keep,
    /// A string stands in their place.
    String,
}

/// One entry of a rule's `mask`, ready to look for.
#[derive(Debug)]
pub struct Mask {
    pub set: Set,
    pub direction: Direction,
    pub with: With,
    pub numbers: Numbers,
}

impl Mask {
    /// Whether what was masked by `others` was masked by this too.
    pub fn is_held_to_by(&self, others: &[Arc<Self>]) -> bool {
        self.set.names().all(|name| {
            others.iter().any(|other| {
                other.direction.covers(self.direction) && other.set.names().any(|one| one == name)
            })
        })
    }
}
