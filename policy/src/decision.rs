//! What was decided, and why.

use crate::action::Effect;
use crate::code::Code;
use crate::obligations::Obligations;
use crate::rule::RuleRef;
use std::sync::Arc;

/// Whether something passes. Ordered by strength: of all rules that match, the strongest verdict
/// is the one that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    Allow,
    /// A person must approve it first. No effect asks for this yet; who meets it lets nothing pass.
    Hold,
    Deny,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Hold => "Hold",
            Self::Deny => "Deny",
        }
    }
}

impl From<Effect> for Verdict {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Allow => Self::Allow,
            Effect::Deny => Self::Deny,
        }
    }
}

/// The one answer that enforcement, audit and metrics consume alike.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What is carried out.
    pub verdict: Verdict,
    pub code: Code,
    /// The rule that decided; none for a default.
    pub rule: Option<Arc<RuleRef>>,
    /// The rule's reason, or a general one.
    pub reason: Arc<str>,
    /// What the act is held to if it passes. Empty where it is denied.
    pub obligations: Obligations,
    /// Where Observe policies have a say: what they would have decided.
    pub observed: Option<Observed>,
    /// Everything passes because only Observe policies select the pod.
    pub observing: bool,
}

/// What Observe policies would have decided.
#[derive(Debug, Clone)]
pub struct Observed {
    pub verdict: Verdict,
    pub code: Code,
    pub rule: Option<Arc<RuleRef>>,
}

impl Decision {
    /// Whether it passes now. What is held does not.
    pub const fn allows(&self) -> bool {
        matches!(self.verdict, Verdict::Allow)
    }

    /// A decision that no rule made.
    pub(crate) fn without_rule(verdict: Verdict, code: Code, reason: &Arc<str>) -> Self {
        Self {
            verdict,
            code,
            rule: None,
            reason: Arc::clone(reason),
            obligations: Obligations::default(),
            observed: None,
            observing: false,
        }
    }

    pub(crate) fn into_observed(self) -> Observed {
        Observed { verdict: self.verdict, code: self.code, rule: self.rule }
    }
}
