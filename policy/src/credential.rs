//! Credentials that a rule adds to what it allows. The agent never has them: it holds a placeholder,
//! which stands for the value in one place of the requests that the rule allows, and nowhere else.
//!
//! This module says which value goes where. It never sees a value.

mod placeholder;

pub use placeholder::Placeholder;

use crate::source::{PolicyRef, PolicySource};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a template has where the value goes.
pub const VALUE: &str = "{value}";

/// One key of a Kubernetes Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretKey {
    /// The policy's own.
    pub namespace: String,
    pub name: String,
    pub key: String,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}[{}]", self.namespace, self.name, self.key)
    }
}

/// Where in a request the value stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Slot {
    /// A header line, with text around the value.
    Header { name: String, before: String, after: String },
    /// A parameter of the query.
    Query { name: String },
    /// The password of RFC 7617, under this user name.
    Basic { username: String },
}

/// Whether the agent has to send the placeholder.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum PlaceholderUse {
    /// The value is added to every request that the rule allows.
    #[default]
    Optional,
    /// A request without the placeholder in its place is denied.
    Required,
}

impl PlaceholderUse {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::Optional
    }
}

/// The credential of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub secret: SecretKey,
    pub slot: Slot,
    pub placeholder: PlaceholderUse,
    /// The variable in the agent's containers that holds the placeholder.
    pub env: Option<String>,
    /// The host of its rule, as written: keys of some hosts have a shape by which clients know them.
    pub host: String,
}

impl Credential {
    /// Whether both put the same value into the same place.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.secret == other.secret && self.slot == other.slot
    }
}

/// The credentials of a policy as written, each as far as it compiles. Patterns and detectors are not
/// compiled, so this is cheap.
pub fn named_by(policy: &PolicySource) -> Vec<Arc<Credential>> {
    let origin: &PolicyRef = &policy.origin;
    let all = policy.rules.iter().filter(|rule| rule.credential.is_some());
    all.filter_map(|rule| crate::compile::credential_of(rule, origin)).collect()
}

#[cfg(test)]
mod tests;
