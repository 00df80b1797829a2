//! From an intent to the right to act on it.
//!
//! [`Wish`] is an intent that owns its text, [`Wish::rule`] decides it under the policy of this
//! moment, and only a decision that lets it pass makes an [`Allowed`], without which there is no
//! record of an allowed intent, no permit, and no connection. [`Standing`] asks again later, all
//! that was asked at first: the wish, the address in use, and whether what it carries may still
//! pass unread.

use crate::dial::acceptable;
use crate::problem::Refusal;
use crate::state::{Active, PolicyState};
use exeat_policy::action::Action;
use exeat_policy::body::BodyPatterns;
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use exeat_policy::{Code, Decision, Intent, Verdict};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// What the agent wants.
#[derive(Debug, Clone)]
pub struct Wish {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// Path and method of a request; without, an opaque connection.
    pub request: Option<(String, String)>,
}

/// A wish that the policy lets pass. Made by [`Wish::rule`] alone.
#[derive(Debug, Clone)]
pub struct Allowed {
    pub(crate) wish: Wish,
    pub(crate) decision: Decision,
    pub(crate) active: Arc<Active>,
    /// Shared with every [`Standing`]: a body is watched from before its connection is made.
    address: Arc<Mutex<Option<SocketAddr>>>,
}

/// What goes on under a decision.
#[derive(Debug, Clone)]
pub enum Carries {
    /// Bytes that nobody reads. HTTP or TLS may be inside, passed as they are because requests
    /// under these schemes were not decided.
    Opaque(&'static [Scheme]),
    /// What the agent sends in a request or a WebSocket, and the patterns that it was held to.
    Sent(Vec<Arc<BodyPatterns>>),
    /// What the server answers.
    Answer,
}

/// A wish that the policy does not let pass.
#[derive(Debug, Clone)]
pub struct Denied {
    pub refusal: Refusal,
    pub observed: Option<String>,
}

impl Wish {
    pub fn action(&self) -> Action {
        if self.request.is_some() { Action::NetworkRequest } else { Action::NetworkConnect }
    }

    /// Decides under the policy in force. No policy: no.
    pub fn rule(self, policy: &PolicyState) -> Result<Allowed, Denied> {
        let Some(active) = policy.load() else {
            let refusal = Refusal::Denied {
                code: Code::NoPolicy,
                rule: None,
                reason: "no policy has arrived yet".to_owned(),
            };
            return Err(Denied { refusal, observed: None });
        };
        let decision = active.policies.decide(&self.intent());
        if decision.allows() {
            return Ok(Allowed { wish: self, decision, active, address: Arc::default() });
        }
        let observed = observed(&decision);
        Err(Denied { refusal: self.refusal(&decision), observed })
    }

    pub(crate) fn intent(&self) -> Intent<'_> {
        let (scheme, host, port) = (self.scheme, &self.host, self.port);
        match &self.request {
            Some((path, method)) => Intent::Request { scheme, host, port, path, method },
            None => Intent::Connect { scheme, host, port },
        }
    }

    /// A default denial says more than that no rule matched where more can be said.
    fn refusal(&self, decision: &Decision) -> Refusal {
        let (code, reason) = match (decision.code, &self.host) {
            (Code::DefaultDeny, Host::Ip(_)) => {
                (Code::DirectIp, "the destination is an address that no rule names".to_owned())
            }
            (Code::DefaultDeny, Host::Name(_)) if self.request.is_none() => {
                (Code::Opaque, "no rule allows this protocol to this host and port".to_owned())
            }
            (code, _) => (code, decision.reason.to_string()),
        };
        let rule = decision.rule.as_ref().map(ToString::to_string);
        Refusal::Denied { code, rule, reason }
    }
}

impl Allowed {
    /// Patterns that the body must not match.
    pub fn body_patterns(&self) -> &[Arc<BodyPatterns>] {
        &self.decision.obligations.deny
    }

    /// Everything passes, and what would have been refused is only recorded.
    pub fn observing(&self) -> bool {
        self.decision.observing
    }

    pub(crate) fn rule(&self) -> Option<String> {
        self.decision.rule.as_ref().map(ToString::to_string)
    }

    pub(crate) fn observed(&self) -> Option<String> {
        observed(&self.decision)
    }

    /// What `reason` refuses under this rule's content patterns.
    pub fn body_refusal(&self) -> Refusal {
        Refusal::BodyPattern {
            rule: self.rule(),
            reason: "the body holds what this rule does not let out".to_owned(),
        }
    }

    /// It goes to this address.
    pub(crate) fn dialled(&self, address: SocketAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// For whoever goes on for longer than the policy.
    pub fn standing(&self, policy: Arc<PolicyState>, carries: Carries) -> Standing {
        // What is opaque was told apart before this decision, perhaps under another policy.
        let seen = (!matches!(carries, Carries::Opaque(_))).then(|| self.active.clone());
        let (wish, address) = (self.wish.clone(), self.address.clone());
        Standing { wish, seen, policy, address, carries }
    }
}

/// Asks whether what was allowed is still allowed. Cheap while the policy stays.
pub struct Standing {
    wish: Wish,
    /// The policy that was asked last.
    seen: Option<Arc<Active>>,
    policy: Arc<PolicyState>,
    address: Arc<Mutex<Option<SocketAddr>>>,
    carries: Carries,
}

impl Standing {
    pub fn check(&mut self) -> Result<(), Refusal> {
        let now = self.policy.load();
        if let (Some(now), Some(seen)) = (&now, &self.seen)
            && Arc::ptr_eq(now, seen)
        {
            return Ok(());
        }
        match self.wish.clone().rule(&self.policy) {
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
        address.is_none_or(|address| acceptable(&allowed.active, &allowed.wish, address))
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
                let (wish, policies) = (&allowed.wish, &allowed.active.policies);
                !readable.iter().any(|as_| policies.intercepts(*as_, &wish.host, wish.port))
            }
            Self::Sent(scanned) => {
                let held_to = |pattern| scanned.iter().any(|one| one.patterns().contains(pattern));
                allowed.observing()
                    || allowed.body_patterns().iter().all(|one| one.patterns().iter().all(held_to))
            }
            Self::Answer => true,
        }
    }
}

fn observed(decision: &Decision) -> Option<String> {
    decision.observed.as_ref().map(|observed| match observed.verdict {
        Verdict::Allow => Verdict::Allow.as_str().to_owned(),
        Verdict::Hold | Verdict::Deny => format!("{} {}", observed.verdict.as_str(), observed.code),
    })
}
