//! `network.dns`: names that may be resolved, and for which types of records.

use super::Rule;
use crate::action::Effect;
use crate::record_type::RecordType;

impl Rule {
    /// Whether a rule of another action lets the addresses of its host be resolved: what may be
    /// reached may be looked up.
    pub(crate) fn lets_resolve(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// Whether a rule of this action speaks of records of this type. Where it lists none, an Allow
    /// speaks of addresses, a Deny of everything.
    pub(crate) fn speaks_of_records(&self, of: RecordType) -> bool {
        match (self.types.as_slice(), self.effect) {
            ([], Effect::Allow) => of.is_address(),
            ([], Effect::Deny) => true,
            (types, _) => types.contains(&of),
        }
    }
}
