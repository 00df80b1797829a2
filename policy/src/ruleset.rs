//! Rules that are united, whichever policies they came from, and the strongest of those that match.

use crate::action::{Action, Effect};
use crate::cluster::Vicinity;
use crate::code::Code;
use crate::decision::{Decision, Verdict};
use crate::index::HostIndex;
use crate::intent::Intent;
use crate::normal::Host;
use crate::obligations::Obligations;
use crate::pattern::Scheme;
use crate::reading::Readings;
use crate::rule::Rule;
use crate::rule::http::{is_tunnel, transport};
use std::cmp::Reverse;
use std::sync::Arc;

/// The rules of all policies of one mode, sorted by name and indexed by host.
#[derive(Debug, Default)]
pub(crate) struct RuleSet {
    pub(crate) rules: Vec<Rule>,
    pub(crate) requests: HostIndex,
    pub(crate) connects: HostIndex,
    pub(crate) names: HostIndex,
}

impl RuleSet {
    /// `vicinity`: none where names of Services have no short forms.
    pub(crate) fn new(mut rules: Vec<Rule>, vicinity: Option<&Vicinity>) -> Self {
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        let mut set = Self::default();
        for (at, rule) in rules.iter_mut().enumerate() {
            let index = match rule.action {
                Action::NetworkRequest => &mut set.requests,
                Action::NetworkConnect => &mut set.connects,
                Action::NetworkDns => &mut set.names,
            };
            let pattern = &mut rule.pattern;
            let Some(vicinity) = vicinity else {
                index.insert(pattern, at);
                continue;
            };
            for host in vicinity.meanings(&pattern.host, pattern.absolute, rule.effect) {
                pattern.host = host;
                index.insert(pattern, at);
            }
        }
        set.rules = rules;
        set
    }

    /// Decides one intent. `default_reason` is given where no rule matches.
    pub(crate) fn decide(&self, intent: &Intent<'_>, default_reason: &Arc<str>) -> Decision {
        let mut best = Best::default();
        match *intent {
            Intent::Request { method, .. } if is_tunnel(method) => {}
            Intent::Request { scheme, host, port, path, .. } => {
                self.deny_connection(&mut best, transport(scheme), host, port);
                if let Some(reading) = self.read(&mut best, intent, host, path)
                    && !best.denies()
                {
                    return unread(path, reading, default_reason);
                }
            }
            Intent::Connect { scheme, host, port } => {
                for at in self.connects.candidates(host) {
                    let rule = &self.rules[at];
                    best.offer(rule, at, rule.matches_connection(scheme, port));
                }
                if scheme == Scheme::Tls {
                    for at in self.requests.candidates(host) {
                        let rule = &self.rules[at];
                        best.offer(rule, at, rule.passes_through(port));
                    }
                }
            }
            Intent::Resolve { name, record_type } => {
                let host = Host::Name(name.clone());
                for at in self.names.candidates(&host) {
                    let rule = &self.rules[at];
                    best.offer(rule, at, rule.speaks_of_records(record_type));
                }
                let reached = self.requests.of(&host).chain(self.connects.of(&host));
                for rules in reached.filter(|_| record_type.is_address()) {
                    // The first is the strongest of them: all are Allows, and in order.
                    if let Some(at) = rules.iter().find(|at| self.rules[*at].lets_resolve()) {
                        best.offer(&self.rules[at], at, true);
                    }
                }
                // A question carries nothing that could be held to anything.
                best.obligations = Obligations::default();
            }
        }
        best.into_decision(self, default_reason)
    }

    /// Of a set that only denies: an opaque connection could carry the requests that it denies.
    /// Requests in the clear are told by their first bytes.
    pub(crate) fn denies_unread(
        &self,
        intent: &Intent<'_>,
        default_reason: &Arc<str>,
    ) -> Option<Decision> {
        let Intent::Connect { host, port, .. } = *intent else { return None };
        let mut best = Best::default();
        for at in self.requests.candidates(host) {
            let rule = &self.rules[at];
            let inside = rule.pattern.speaks_over(Scheme::Tls, port);
            best.offer(rule, at, rule.effect == Effect::Deny && inside);
        }
        best.rule.is_some().then(|| best.into_decision(self, default_reason))
    }

    /// Every rule that speaks of the request under any reading of its path. Returns the first
    /// reading that no rule speaks of.
    fn read<'a>(
        &self,
        best: &mut Best,
        intent: &Intent<'_>,
        host: &Host,
        path: &'a Readings,
    ) -> Option<&'a str> {
        let mut unread = None;
        for reading in path.iter() {
            let mut found = false;
            for rules in self.requests.of(host) {
                rules.for_path(reading, |at| {
                    let rule = &self.rules[at];
                    let matches = rule.matches_reading(intent, reading);
                    found |= matches;
                    best.offer(rule, at, matches);
                });
            }
            if !found {
                unread.get_or_insert(reading);
            }
        }
        unread
    }

    /// A connection that is denied as such carries no request either.
    fn deny_connection(&self, best: &mut Best, scheme: Scheme, host: &Host, port: u16) {
        for at in self.connects.candidates(host) {
            let rule = &self.rules[at];
            let matches = rule.effect == Effect::Deny && rule.matches_connection(scheme, port);
            best.offer(rule, at, matches);
        }
    }
}

/// Of two rules that match, the stronger one is greater: by its verdict, then as a Guardrail's, then
/// by being the first in order.
type Strength = (Verdict, bool, Reverse<usize>);

/// The strongest rule so far, and what all of them demand.
#[derive(Default)]
struct Best {
    rule: Option<Strength>,
    obligations: Obligations,
}

impl Best {
    fn denies(&self) -> bool {
        self.rule.is_some_and(|(verdict, ..)| verdict == Verdict::Deny)
    }

    fn offer(&mut self, rule: &Rule, at: usize, matches: bool) {
        if !matches {
            return;
        }
        self.obligations.add(rule);
        let strength = (Verdict::from(rule.effect), rule.is_guardrail_deny(), Reverse(at));
        self.rule = self.rule.max(Some(strength));
    }

    fn into_decision(self, set: &RuleSet, default_reason: &Arc<str>) -> Decision {
        let Some((verdict, guardrail, Reverse(at))) = self.rule else {
            return Decision::without_rule(Verdict::Deny, Code::DefaultDeny, default_reason);
        };
        let rule = &set.rules[at];
        if verdict == Verdict::Allow && self.obligations.conflict() {
            let reason = Arc::from("rules that allow this add different credentials to it");
            let denied = Decision::without_rule(Verdict::Deny, Code::CredentialConflict, &reason);
            return Decision { rule: Some(Arc::clone(&rule.name)), ..denied };
        }
        let code = match rule.effect {
            Effect::Deny if guardrail => Code::GuardrailDeny,
            Effect::Deny => Code::RuleDeny,
            Effect::Allow => Code::Allowed,
        };
        let reason = rule.reason.clone().unwrap_or_else(|| general_reason(rule.effect));
        Decision {
            verdict,
            code,
            rule: Some(Arc::clone(&rule.name)),
            reason,
            obligations: match verdict {
                Verdict::Allow | Verdict::Hold => self.obligations,
                Verdict::Deny => Obligations::default(),
            },
            observed: None,
            observing: false,
        }
    }
}

/// No rule allows one reading of the path.
fn unread(path: &Readings, reading: &str, default_reason: &Arc<str>) -> Decision {
    const BRIEF: usize = 128;
    let reason = if path.iter().nth(1).is_none() {
        Arc::clone(default_reason)
    } else {
        // A reading is ASCII.
        let brief = reading.get(..BRIEF).unwrap_or(reading);
        Arc::from(format!("no rule allows this path as some servers read it: {brief}"))
    };
    Decision::without_rule(Verdict::Deny, Code::DefaultDeny, &reason)
}

/// For a rule that gives no reason of its own. Made once per thread, so that a decision allocates
/// nothing.
fn general_reason(effect: Effect) -> Arc<str> {
    thread_local! {
        static ALLOWS: Arc<str> = Arc::from("a rule allows this");
        static DENIES: Arc<str> = Arc::from("a rule denies this");
    }
    match effect {
        Effect::Allow => ALLOWS.with(Arc::clone),
        Effect::Deny => DENIES.with(Arc::clone),
    }
}
