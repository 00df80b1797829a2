//! Whether something that goes on is still allowed.
//!
//! [`Standing`] asks again all that was asked at first: the act, the address in use, and whether
//! what it carries may still pass unread. While the policy stays it costs one comparison.

use super::pass::acceptable;
use super::ruling::{Allowed, Dialled, rule};
use super::{Ask, Gate};
use crate::refusal::Refusal;
use crate::state::{Active, PolicyState};
use exeat_policy::content::Content;
use exeat_policy::mask::Mask;
use exeat_policy::pattern::Scheme;
use std::sync::{Arc, PoisonError};

/// What goes on under a decision.
#[derive(Debug, Clone)]
pub enum Carries {
    /// Bytes that nobody reads. HTTP or TLS may be inside, passed as they are because requests
    /// under these schemes were not decided.
    Opaque(&'static [Scheme]),
    /// What the agent sends in a request or a WebSocket, and what it was held to and masked by.
    Sent(Vec<Arc<Content>>, Vec<Arc<Mask>>),
    /// What the server answers, and what it was masked by.
    Answer(Vec<Arc<Mask>>),
}

/// Asks again whether an act that goes on is still allowed.
pub struct Standing {
    ask: Arc<Ask>,
    /// The policy that was asked last.
    seen: Option<Arc<Active>>,
    policy: Arc<PolicyState>,
    address: Dialled,
    carries: Carries,
}

impl Allowed {
    /// The question whether this is still allowed, for an act that may outlast the policy that
    /// allowed it.
    pub fn standing(&self, gate: &Gate, carries: Carries) -> Standing {
        // What is opaque was told apart before this decision, perhaps under another policy.
        let seen = (!matches!(carries, Carries::Opaque(_))).then(|| self.active.clone());
        let (ask, address) = (self.ask.clone(), self.address.clone());
        Standing { ask, seen, policy: gate.policy().clone(), address, carries }
    }
}

impl Standing {
    /// # Errors
    /// When the policy changed and does not allow it any more.
    pub fn check(&mut self) -> Result<(), Refusal> {
        if self.seen.as_ref().is_some_and(|seen| self.policy.is(seen)) {
            return Ok(());
        }
        match rule(&self.policy, self.ask.clone()).at_once() {
            Ok(allowed) if self.reaches(&allowed) && self.carries.may_pass(&allowed) => {
                self.seen = Some(allowed.active);
                Ok(())
            }
            _ => Err(Refusal::PolicyChanged),
        }
    }

    /// Whether the address in use could be dialled now.
    fn reaches(&self, allowed: &Allowed) -> bool {
        let address = *self.address.lock().unwrap_or_else(PoisonError::into_inner);
        address.is_none_or(|address| acceptable(allowed, address))
    }

    /// Waits until it is no longer allowed.
    pub async fn revoked(&mut self) -> Refusal {
        let mut changes = self.policy.subscribe();
        loop {
            if let Err(refusal) = self.check() {
                return refusal;
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

impl Carries {
    fn may_pass(&self, allowed: &Allowed) -> bool {
        match self {
            Self::Opaque(readable) => {
                let (to, policies) = (allowed.ask.to(), &allowed.active.policies);
                to.is_some_and(|to| {
                    !readable.iter().any(|as_| policies.intercepts(*as_, &to.host, to.port))
                })
            }
            Self::Sent(scanned, masked) => {
                allowed.observing()
                    || (allowed.content().iter().all(|one| one.is_held_to_by(scanned))
                        && allowed.masks().iter().all(|one| one.is_held_to_by(masked)))
            }
            Self::Answer(masked) => allowed.masks().iter().all(|one| one.is_held_to_by(masked)),
        }
    }
}
