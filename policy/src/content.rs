//! What must not be in what an agent sends, as one rule says it.

use crate::body::BodyPatterns;
use crate::detect::Set;
use std::sync::Arc;

/// The `denyBodyPatterns`, `denyPatterns` and `denyDetectors` of one rule.
#[derive(Debug, Default)]
pub struct Content {
    /// Not in the body.
    pub body: Option<BodyPatterns>,
    /// Nowhere: not in the path, the query, a header line, the body or its trailers.
    pub anywhere: Option<BodyPatterns>,
    /// Nowhere either.
    pub detectors: Option<Set>,
}

impl Content {
    /// Whether anything but the body is looked at.
    pub const fn reads_heads(&self) -> bool {
        self.anywhere.is_some() || self.detectors.is_some()
    }

    /// Whether what was held to `others` was held to all of this too.
    pub fn is_held_to_by(&self, others: &[Arc<Self>]) -> bool {
        let listed = |list: &Option<BodyPatterns>, of: fn(&Self) -> &Option<BodyPatterns>| {
            let has = |pattern: &String| {
                others
                    .iter()
                    .filter_map(|it| of(it).as_ref())
                    .any(|it| it.patterns().contains(pattern))
            };
            list.iter().flat_map(BodyPatterns::patterns).all(has)
        };
        let found = |name: &str| {
            others
                .iter()
                .filter_map(|it| it.detectors.as_ref())
                .any(|it| it.names().any(|one| one == name))
        };
        listed(&self.body, |it| &it.body)
            && listed(&self.anywhere, |it| &it.anywhere)
            && self.detectors.iter().flat_map(Set::names).all(found)
    }
}
