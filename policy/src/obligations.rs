//! What an act that is not denied is held to.

use crate::content::Content;
use crate::mask::Mask;
use crate::rule::Rule;
use std::sync::Arc;

/// The obligations of every rule that matched, together; none of them lifts another.
///
/// Credentials, the terms of an approval, recording and limits become fields here as soon as
/// the schema has them. Callers read the fields that they carry out, and only [`Default`] makes an
/// empty value, so that a new field changes no caller.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Obligations {
    /// What must not be in what the agent sends. Empty: it is not read.
    pub deny: Vec<Arc<Content>>,
    /// What is masked in bodies. Empty: they pass as they are.
    pub mask: Vec<Arc<Mask>>,
}

impl Obligations {
    /// Adds what this rule demands.
    pub(crate) fn add(&mut self, rule: &Rule) {
        for mask in &rule.masks {
            if !self.mask.iter().any(|have| Arc::ptr_eq(have, mask)) {
                self.mask.push(Arc::clone(mask));
            }
        }
        let Some(content) = &rule.content else { return };
        // A rule may match under several readings.
        if !self.deny.iter().any(|have| Arc::ptr_eq(have, content)) {
            self.deny.push(Arc::clone(content));
        }
    }
}
