//! What an act that is not denied is held to.

use crate::content::Content;
use crate::credential::Credential;
use crate::mask::Mask;
use crate::rule::Rule;
use std::sync::Arc;

/// The obligations of every rule that matched, together; none of them lifts another.
///
/// The terms of an approval, recording and limits become fields here as soon as
/// the schema has them. Callers read the fields that they carry out, and only [`Default`] makes an
/// empty value, so that a new field changes no caller.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Obligations {
    /// What must not be in what the agent sends. Empty: it is not read.
    pub deny: Vec<Arc<Content>>,
    /// The credentials of the rules, one of each. Two contradict one another.
    credentials: Vec<Arc<Credential>>,
    /// What is masked in bodies. Empty: they pass as they are.
    pub mask: Vec<Arc<Mask>>,
}

impl Obligations {
    /// Adds what this rule demands.
    pub(crate) fn add(&mut self, rule: &Rule) {
        if let Some(credential) = &rule.credential {
            self.add_credential(credential);
        }
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
    /// Of rules that agree, the one that asks for the placeholder is the one that holds.
    fn add_credential(&mut self, credential: &Arc<Credential>) {
        match self.credentials.iter_mut().find(|have| have.agrees_with(credential)) {
            Some(have) if have.placeholder < credential.placeholder => *have = credential.clone(),
            Some(_) => {}
            None => self.credentials.push(Arc::clone(credential)),
        }
    }

    /// The credential that is added to the request.
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        self.credentials.first()
    }

    /// Whether the rules do not agree on it: what they allow is denied.
    pub(crate) fn conflict(&self) -> bool {
        self.credentials.len() > 1
    }
}
