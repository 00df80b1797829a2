//! Acts that wait for an approval.
//!
//! No rule holds anything yet: `RequireApproval` is not in the schema, so [`Held`] is made by no
//! policy. What is held is decided again under the policy of the moment at which the wait ends, and
//! without an approval that is a denial.

use super::Gate;
use super::ruling::{Allowed, Denied, Held, Ruling, rule};
use crate::refusal::Refusal;
use exeat_policy::Code;

impl Gate {
    /// The act, once it may pass.
    ///
    /// # Errors
    /// When nobody approves it, or the policy changed meanwhile and denies it.
    pub async fn hold(&self, held: Held) -> Result<Allowed, Denied> {
        match rule(&self.policy, held.ask) {
            Ruling::Allowed(allowed) => Ok(allowed),
            Ruling::Held(held) => Err(held.denied()),
            Ruling::Denied(denied) => Err(denied),
        }
    }

    /// Decides, and waits for an approval where one is needed.
    ///
    /// # Errors
    /// As [`Gate::hold`], and when the policy denies the act.
    pub async fn pass(&self, ask: super::Ask) -> Result<Allowed, Denied> {
        match self.rule(ask) {
            Ruling::Allowed(allowed) => Ok(allowed),
            Ruling::Held(held) => self.hold(held).await,
            Ruling::Denied(denied) => Err(denied),
        }
    }
}

impl Held {
    /// The denial of an act that nobody approved.
    pub(super) fn denied(self) -> Denied {
        let refusal = Refusal::Denied {
            code: Code::DefaultDeny,
            rule: None,
            reason: "this needs an approval, and nobody gave one".to_owned(),
        };
        Denied { refusal, observed: None, decided: None }
    }
}
