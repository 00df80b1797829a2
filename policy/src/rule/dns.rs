//! `network.dns`: names that may be resolved.

use super::Rule;
use crate::action::{Action, Effect};

impl Rule {
    /// Whether this rule, whose host pattern matches a name, speaks of resolving it. An Allow of
    /// requests or connections does too: what may be reached may be looked up.
    pub(crate) fn matches_question(&self) -> bool {
        self.action == Action::NetworkDns || self.effect == Effect::Allow
    }
}
