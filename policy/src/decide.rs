//! Decisions. The order, strongest first:
//!
//! 1. A policy of the pod that does not compile denies everything, whatever its mode.
//! 2. A pod that no policy selects may do nothing.
//! 3. A Guardrail's Deny that matches.
//! 4. Where all other policies of the pod observe, everything else passes, and what would have been
//!    decided is reported beside it, except opaque connections to a host and port of which a
//!    Guardrail's request Deny over TLS speaks: nobody could read the requests in them. Otherwise the Enforce
//!    policies alone decide, and Observe policies only report.
//! 5. Any other Deny that matches. A `network.connect` Deny also denies requests.
//! 6. An Allow that matches; the obligations of *all* matching Allow rules apply.
//! 7. Otherwise: deny.
//!
//! A rule that holds an act until it is approved will stand between 5 and 6; the schema has no such
//! effect yet.
//!
//! A Deny is read wider than an Allow where the two could differ: of `http` and `https` it also
//! denies WebSocket upgrades, methods and paths are compared without regard to case, paths also
//! without regard to a final slash and to escapes, and a missing port is every port. A Deny of an
//! address also holds for names that resolve to it. `CONNECT` and `TRACE` match no rule.
//!
//! A path that servers read in several ways is allowed when rules allow each reading, and denied when
//! one is denied ([`reading`](crate::reading)).
//!
//! Neither the order of rules nor that of policies matters; of equally strong rules the first in
//! the order of (tier, namespace, policy, rule) is named.
//!
//! A look-up costs a hash of the name, of each of its parents, and of each segment of the path for as
//! long as rules have such segments, whatever the number of rules. Rules that share both their host
//! pattern and the segments in front of their first wildcard are walked one by one.

use crate::cluster::Vicinity;
use crate::code::Code;
use crate::compile::{CompiledPolicy, compile_policy};
use crate::decision::{Decision, Verdict};
use crate::intent::Intent;
use crate::ruleset::RuleSet;
use crate::snapshot::Snapshot;
use crate::source::{Mode, PolicySource, Tier};
use std::sync::Arc;

mod beside;
mod nearest;

/// Everything that was compiled for one pod.
#[derive(Debug)]
pub struct Policies {
    state: State,
    /// Enforce policies: what is carried out.
    enforced: RuleSet,
    /// Observe policies: what is reported.
    observed: RuleSet,
    default_reason: Arc<str>,
    digest: String,
    vicinity: Option<Vicinity>,
}

#[derive(Debug)]
enum State {
    Enforcing { also_observes: bool },
    Observing,
    Refusing { code: Code, reason: Arc<str> },
}

impl Policies {
    /// Compiles a snapshot. Never fails: what does not compile is a state that denies.
    pub fn compile(snapshot: &Snapshot) -> Self {
        Self::compile_within(snapshot, None)
    }

    /// The same for a pod of a cluster, whose rules may name Services by their short names.
    pub fn compile_within(snapshot: &Snapshot, vicinity: Option<Vicinity>) -> Self {
        let mut sources: Vec<_> = snapshot.policies.iter().collect();
        sources.sort_by(|a, b| a.origin.cmp(&b.origin));
        let mut sets = [Vec::new(), Vec::new()];
        let mut broken = None;
        for source in &sources {
            match compile_policy(source) {
                Ok(CompiledPolicy { rules }) => {
                    sets[usize::from(source.mode == Mode::Observe)].extend(rules)
                }
                Err(errors) => {
                    let name = &source.origin.name;
                    let why = errors.first().map(ToString::to_string).unwrap_or_default();
                    broken.get_or_insert_with(|| {
                        format!("the policy {name} does not compile ({why})")
                    });
                }
            }
        }
        // A Guardrail by itself neither admits a pod nor ends the observing of its policies.
        let own = |s: &&&PolicySource| s.origin.tier != Tier::Guardrail;
        let any = |mode| sources.iter().filter(own).any(|s| s.mode == mode);
        let state = match broken {
            Some(why) => State::Refusing { code: Code::InvalidPolicy, reason: Arc::from(why) },
            None if !sources.iter().any(|s| own(&s)) => State::Refusing {
                code: Code::NoPolicy,
                reason: Arc::from("no policy selects this pod"),
            },
            None if any(Mode::Enforce) => State::Enforcing { also_observes: any(Mode::Observe) },
            None => State::Observing,
        };
        let [enforced, observed] = sets.map(|rules| RuleSet::new(rules, vicinity.as_ref()));
        Self {
            state,
            enforced,
            observed,
            default_reason: Arc::from("no rule allows this"),
            digest: snapshot.digest(),
            vicinity,
        }
    }

    /// Where the pod stands in its cluster, if it is in one.
    pub fn vicinity(&self) -> Option<&Vicinity> {
        self.vicinity.as_ref()
    }

    /// Digest of the snapshot that this was compiled from.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Decides one intent. Pure; does not allocate on the way to an Allow without body patterns.
    pub fn decide(&self, intent: &Intent<'_>) -> Decision {
        match &self.state {
            State::Refusing { code, reason } => {
                Decision::without_rule(Verdict::Deny, *code, reason)
            }
            State::Enforcing { also_observes } => {
                let mut decision = self.enforced.decide(intent, &self.default_reason);
                if *also_observes {
                    decision.observed =
                        Some(self.observed.decide(intent, &self.default_reason).into_observed());
                }
                decision
            }
            State::Observing => {
                let hard = self.enforced.decide(intent, &self.default_reason);
                if hard.code == Code::GuardrailDeny {
                    return hard;
                }
                if let Some(unread) = self.enforced.denies_unread(intent, &self.default_reason) {
                    return unread;
                }
                let would = self.observed.decide(intent, &self.default_reason);
                Decision {
                    verdict: Verdict::Allow,
                    code: Code::Observed,
                    rule: would.rule.clone(),
                    reason: Arc::clone(&would.reason),
                    obligations: would.obligations.clone(),
                    observed: Some(would.into_observed()),
                    observing: true,
                }
            }
        }
    }

    /// Every set that has a say: where policies observe, a Guardrail is still enforced.
    fn in_force(&self) -> impl Iterator<Item = &RuleSet> {
        let observed = matches!(self.state, State::Observing).then_some(&self.observed);
        std::iter::once(&self.enforced).chain(observed)
    }

    fn active(&self) -> &RuleSet {
        if matches!(self.state, State::Observing) { &self.observed } else { &self.enforced }
    }
}

#[cfg(test)]
mod tests;
