//! From an ask to the right to act on it.
//!
//! [`Gate::rule`] decides under the policy of this moment. Only a decision that lets the act pass
//! makes an [`Allowed`], without which there is no record of an allowed intent, no permit, and no
//! connection.

use super::{Ask, Gate};
use crate::refusal::Refusal;
use crate::state::{Active, PolicyState};
use exeat_content::Found;
use exeat_policy::content::Content;
use exeat_policy::credential::Credential;
use exeat_policy::mask::Mask;
use exeat_policy::normal::Host;
use exeat_policy::{Code, Decision, Verdict};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// What the policy says of an [`Ask`].
#[derive(Debug, Clone)]
pub enum Ruling {
    Allowed(Allowed),
    /// Somebody has to approve it first: [`Gate::hold`].
    Held(Held),
    Denied(Denied),
}

/// A decision, and the policy that it was made under.
#[derive(Debug, Clone)]
pub struct Decided {
    pub decision: Decision,
    pub active: Arc<Active>,
}

/// An act that the policy lets pass. Made by [`Gate::rule`] alone.
#[derive(Debug, Clone)]
pub struct Allowed {
    pub(super) ask: Arc<Ask>,
    pub(super) decision: Decision,
    pub(super) active: Arc<Active>,
    /// Shared with every [`Standing`]: a body is watched from before its connection is made.
    pub(super) address: Dialled,
}

/// The address that an act's connection leads to, once there is one.
pub(super) type Dialled = Arc<Mutex<Option<SocketAddr>>>;

/// An act that waits for an approval.
#[derive(Debug, Clone)]
pub struct Held {
    pub(super) ask: Arc<Ask>,
}

/// An act that the policy does not let pass.
#[derive(Debug, Clone)]
pub struct Denied {
    pub refusal: Refusal,
    /// What Observe policies said of the same act.
    pub observed: Option<String>,
    /// None where no policy has arrived yet.
    pub decided: Option<Box<Decided>>,
}

impl Gate {
    /// Decides under the policy in force. No policy: no.
    pub fn rule(&self, ask: Ask) -> Ruling {
        rule(&self.policy, Arc::new(ask))
    }
}

/// See [`Gate::rule`].
pub(super) fn rule(policy: &PolicyState, ask: Arc<Ask>) -> Ruling {
    let Some(active) = policy.load() else {
        let refusal = Refusal::Denied {
            code: Code::NoPolicy,
            rule: None,
            reason: "no policy has arrived yet".to_owned(),
        };
        return Ruling::Denied(Denied { refusal, observed: None, decided: None });
    };
    let decision = active.policies.decide(&ask.intent());
    match decision.verdict {
        Verdict::Allow => {
            Ruling::Allowed(Allowed { ask, decision, active, address: Dialled::default() })
        }
        Verdict::Hold => Ruling::Held(Held { ask }),
        Verdict::Deny => Ruling::Denied(Denied::by(&ask, Decided { decision, active })),
    }
}

impl Ruling {
    /// The act as it may pass at once; what is held counts as denied. For whoever asks again about
    /// something that goes on already, and cannot wait.
    pub fn at_once(self) -> Result<Allowed, Denied> {
        match self {
            Self::Allowed(allowed) => Ok(allowed),
            Self::Held(held) => Err(held.denied()),
            Self::Denied(denied) => Err(denied),
        }
    }
}

impl Ruling {
    /// What was decided, whatever it is; none where no policy has arrived yet.
    pub fn decided(self) -> Option<Decided> {
        match self {
            Self::Allowed(Allowed { decision, active, .. }) => Some(Decided { decision, active }),
            Self::Held(_) => None,
            Self::Denied(denied) => denied.decided.map(|decided| *decided),
        }
    }
}

impl Allowed {
    pub fn ask(&self) -> &Ask {
        &self.ask
    }

    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The policy that allowed it.
    pub fn active(&self) -> &Arc<Active> {
        &self.active
    }

    /// What must not be in what the agent sends.
    pub fn content(&self) -> &[Arc<Content>] {
        &self.decision.obligations.deny
    }

    /// What is added to the request. Policies that observe add nothing.
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        self.decision.obligations.credential().filter(|_| !self.observing())
    }

    /// What finds a placeholder where it does not belong. Policies that observe look for none.
    pub fn placeholders(&self) -> &[Arc<Content>] {
        if self.observing() { &[] } else { self.active.placeholders.content() }
    }

    /// What is masked in bodies. Nothing where policies only observe.
    pub fn masks(&self) -> &[Arc<Mask>] {
        if self.observing() { &[] } else { &self.decision.obligations.mask }
    }

    /// Everything passes, and what would have been refused is only recorded.
    pub fn observing(&self) -> bool {
        self.decision.observing
    }

    /// What Observe policies said of the same act.
    pub fn observed(&self) -> Option<String> {
        observed(&self.decision)
    }

    /// The refusal of a request in which this was found.
    pub fn content_refusal(&self, found: &Found) -> Refusal {
        Refusal::Content {
            code: found.code(),
            rule: self.decision.rule.as_ref().map(ToString::to_string),
            reason: found.reason(),
        }
    }

    /// It goes to this address.
    pub fn dialled(&self, address: SocketAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }
}

impl Denied {
    fn by(ask: &Ask, decided: Decided) -> Self {
        Self {
            refusal: refusal(ask, &decided),
            observed: observed(&decided.decision),
            decided: Some(Box::new(decided)),
        }
    }
}

/// A default denial says more than that no rule matched where more can be said, and which rule comes
/// nearest.
fn refusal(ask: &Ask, decided: &Decided) -> Refusal {
    let decision = &decided.decision;
    let (code, reason) = match (decision.code, ask.to().map(|to| &to.host)) {
        (Code::DefaultDeny, Some(Host::Ip(_))) => {
            (Code::DirectIp, "the destination is an address that no rule names".to_owned())
        }
        (Code::DefaultDeny, Some(Host::Name(_))) if matches!(ask, Ask::Connect { .. }) => {
            (Code::Opaque, "no rule allows this protocol to this host and port".to_owned())
        }
        (code, _) => (code, decision.reason.to_string()),
    };
    let near = (decision.code == Code::DefaultDeny)
        .then(|| decided.active.policies.nearest(&ask.intent()))
        .flatten();
    let reason = near.map(|near| format!("{reason}; {near}")).unwrap_or(reason);
    let rule = decision.rule.as_ref().map(ToString::to_string);
    Refusal::Denied { code, rule, reason }
}

pub(super) fn observed(decision: &Decision) -> Option<String> {
    decision.observed.as_ref().map(|observed| match observed.verdict {
        Verdict::Allow => Verdict::Allow.as_str().to_owned(),
        other => format!("{} {}", other.as_str(), observed.code),
    })
}
