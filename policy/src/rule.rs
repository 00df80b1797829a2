//! A rule, ready to match. What a rule of each action matches is in a file of its own; the host is
//! matched by the index, before a rule is asked.

use crate::action::{Action, Effect};
use crate::content::Content;
use crate::credential::Credential;
use crate::mask::Mask;
use crate::pattern::ResourcePattern;
use crate::record_type::RecordType;
use crate::source::{PolicyRef, Tier, TlsMode};
use std::fmt;
use std::sync::Arc;

mod connect;
mod dns;
pub(crate) mod http;

/// Names a rule wherever a decision is reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleRef {
    pub policy: PolicyRef,
    pub rule: String,
    text: String,
}

impl RuleRef {
    pub(crate) fn new(policy: PolicyRef, rule: String) -> Self {
        let text = format!("{:?}/{}/{}/{rule}", policy.tier, policy.namespace, policy.name);
        Self { policy, rule, text }
    }

    /// `tier/namespace/policy/rule`, as in audit records.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A rule of one policy.
#[derive(Debug)]
pub struct Rule {
    pub name: Arc<RuleRef>,
    pub action: Action,
    pub effect: Effect,
    pub pattern: ResourcePattern,
    /// The pattern as its author wrote it.
    pub resource: Box<str>,
    /// Upper case; empty: every method.
    pub methods: Vec<String>,
    /// Types of DNS records; empty: addresses in an Allow, all in a Deny.
    pub types: Vec<RecordType>,
    pub reason: Option<Arc<str>>,
    pub content: Option<Arc<Content>>,
    /// What is masked in what it allows.
    pub masks: Vec<Arc<Mask>>,
    pub tls: TlsMode,
    pub credential: Option<Arc<Credential>>,
}

impl Rule {
    /// Whether this is a Deny that nothing lifts.
    pub(crate) fn is_guardrail_deny(&self) -> bool {
        self.effect == Effect::Deny && self.name.policy.tier == Tier::Guardrail
    }
}
