//! The one gate between an agent and the world, the same for every protocol.
//!
//! ```text
//! Ask     -> gate.rule()   -> Allowed | Held | Denied
//! Held    -> gate.hold()   -> Allowed          decided again, under the policy of that moment
//! Allowed -> gate.record() -> Recorded         the intent is in the pod's chain
//! (Allowed, Recorded, Route) -> Permit         what `crate::dial` opens connections for
//! ```
//!
//! A protocol asks, and turns a [`Refusal`] into its own words. It cannot go round a step:
//! [`Allowed`] is made by [`Gate::rule`] alone, [`Recorded`] by [`Gate::record`] alone, and
//! nothing but a [`Permit`] opens a connection. [`Standing`] asks the same questions again for as
//! long as bytes are passed.

mod ask;
mod class;
mod counts;
mod hold;
mod journal;
mod pass;
mod ruling;
mod standing;

pub use ask::{Ask, Endpoint};
pub use class::{AddressClass, SYNTHETIC_V6, classify, is_synthetic};
pub use counts::Counts;
pub use journal::{Ending, Journal, METHOD_LIMIT, Noted, Recorded, Subject};
pub use pass::{Permit, Route};
pub use ruling::{Allowed, Decided, Denied, Held, Ruling};
pub use standing::{Carries, Standing};

use crate::refusal::Refusal;
use crate::state::PolicyState;
use crate::wire::detect::{Care, Look};
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use std::sync::Arc;

/// What an agent may do (the policy in force) and what it did (the journal of its chain).
#[derive(Clone)]
pub struct Gate {
    policy: Arc<PolicyState>,
    journal: Journal,
}

impl Gate {
    pub fn new(policy: Arc<PolicyState>, journal: Journal) -> Self {
        Self { policy, journal }
    }

    pub fn policy(&self) -> &Arc<PolicyState> {
        &self.policy
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Whether what `scheme` carries to this endpoint is read request by request. Before the first
    /// policy everything is, so that the refusal can be read.
    pub fn intercepts(&self, scheme: Scheme, to: &Endpoint) -> bool {
        self.policy
            .load()
            .is_none_or(|active| active.policies.intercepts(scheme, &to.host, to.port))
    }

    /// What the agent's clients may call this host beside its own name: the short names of a Service,
    /// by the pod's search list.
    pub fn also_called(&self, host: &Host) -> Vec<Name> {
        let Host::Name(name) = host else { return Vec::new() };
        let active = self.policy.load();
        let vicinity = active.as_ref().and_then(|active| active.policies.vicinity());
        vicinity.map(|vicinity| vicinity.short_forms(name)).unwrap_or_default()
    }

    /// How the first bytes of a connection to this endpoint are looked at.
    pub fn care(&self, to: &Endpoint) -> Care {
        let active = self.policy.load();
        let decides = |scheme| {
            let policies = active.as_ref().map(|active| &active.policies);
            policies.is_none_or(|it| it.decides_requests(scheme, &to.host, to.port))
        };
        let look = |scheme| match decides(scheme) {
            true => Look::Wide,
            false if self.intercepts(scheme, to) => Look::Plain,
            false => Look::Skip,
        };
        Care { tls: look(Scheme::Tls), http: look(Scheme::Tcp) }
    }

    /// Records a refusal. A record that fails changes nothing: it is refused all the same.
    pub fn refuse(&self, subject: &Subject, refusal: &Refusal, observed: Option<&str>) {
        let active = self.policy.load();
        let digest = active.as_ref().map(|active| active.policies.digest());
        self.journal.refused(subject, refusal, observed, digest);
    }
}
