//! `network.dns`: names that may be resolved. A rule of this action matches by its host alone.

use super::Rule;
use crate::action::Effect;

impl Rule {
    /// Whether a rule of another action lets names of its host be resolved: what may be reached may
    /// be looked up.
    pub(crate) fn lets_resolve(&self) -> bool {
        self.effect == Effect::Allow
    }
}
