//! Decisions. The order, strongest first:
//!
//! 1. A policy of the pod that does not compile denies everything, whatever its mode.
//! 2. A pod that no policy selects may do nothing.
//! 3. A Guardrail's Deny that matches.
//! 4. Where all other policies of the pod observe, everything else passes, and what would have been
//!    decided is reported beside it, except opaque connections to a host and port of which a
//!    Guardrail's request Deny speaks: nobody could read the requests in them. Otherwise the Enforce
//!    policies alone decide, and Observe policies only report.
//! 5. Any other Deny that matches. A `network.connect` Deny also denies requests.
//! 6. An Allow that matches; the body patterns of *all* matching Allow rules apply.
//! 7. Otherwise: deny.
//!
//! A Deny is read wider than an Allow where the two could differ: of `http` and `https` it also
//! denies WebSocket upgrades, methods and paths are compared without regard to case, paths also
//! without regard to a final slash and to escapes, and a missing port is every port. A Deny of an
//! address also holds for names that resolve to it. `CONNECT` and `TRACE` match no rule.
//!
//! Neither the order of rules nor that of policies matters; of equally strong rules the first in
//! the order of (tier, namespace, policy, rule) is named.
//!
//! A look-up costs a hash of the name and of each of its parents, whatever the number of rules;
//! rules that share one host pattern are walked one by one.

use crate::action::{Action, Effect};
use crate::body::BodyPatterns;
use crate::code::Code;
use crate::compile::{CompiledPolicy, Rule, RuleRef, compile_policy};
use crate::index::HostIndex;
use crate::normal::{Host, Name};
use crate::pattern::{HostPattern, Scheme};
use crate::snapshot::Snapshot;
use crate::source::{Mode, PolicySource, Tier};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What an agent wants to do.
#[derive(Debug, Clone, Copy)]
pub enum Intent<'a> {
    /// An HTTP request; the path is normalised, the method as it is sent.
    Request { scheme: Scheme, host: &'a Host, port: u16, path: &'a str, method: &'a str },
    /// An opaque connection; `Scheme::Tls` where the agent speaks TLS that is passed through.
    Connect { scheme: Scheme, host: &'a Host, port: u16 },
    /// A DNS question for an address.
    Resolve { name: &'a Name },
}

/// These turn a request into a tunnel or an echo of its own headers.
fn is_tunnel(method: &str) -> bool {
    // The length first: this is asked of every request.
    matches!(method.len(), 5 | 7)
        && ["CONNECT", "TRACE"].iter().any(|one| one.eq_ignore_ascii_case(method))
}

impl Intent<'_> {
    pub const fn action(&self) -> Action {
        match self {
            Self::Request { .. } => Action::NetworkRequest,
            Self::Connect { .. } => Action::NetworkConnect,
            Self::Resolve { .. } => Action::NetworkDns,
        }
    }

    /// The port that is meant; a DNS question has none.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Request { port, .. } | Self::Connect { port, .. } => Some(*port),
            Self::Resolve { .. } => None,
        }
    }
}

impl Rule {
    /// Whether this rule speaks of the request, whatever its host.
    #[inline]
    fn matches_request(&self, intent: &Intent<'_>) -> bool {
        match *intent {
            Intent::Request { scheme, port, path, method, .. } => {
                self.matches_endpoint(scheme, port)
                    && self.matches_method(method)
                    && self.matches_path(path)
            }
            Intent::Connect { .. } | Intent::Resolve { .. } => false,
        }
    }
}

/// Whether something passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Allow,
    Deny,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
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
    /// The rule's reason, or a standing one.
    pub reason: Arc<str>,
    /// Body patterns that must not match, of every Allow that matched. Empty: the body is free.
    pub body: Vec<Arc<BodyPatterns>>,
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
    pub const fn allows(&self) -> bool {
        matches!(self.verdict, Verdict::Allow)
    }

    fn standing(verdict: Verdict, code: Code, reason: &Arc<str>) -> Self {
        Self {
            verdict,
            code,
            rule: None,
            reason: Arc::clone(reason),
            body: Vec::new(),
            observed: None,
            observing: false,
        }
    }
}

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
}

#[derive(Debug)]
enum State {
    Enforcing { also_observes: bool },
    Observing,
    Refusing { code: Code, reason: Arc<str> },
}

#[derive(Debug, Default)]
struct RuleSet {
    rules: Vec<Rule>,
    requests: HostIndex,
    connects: HostIndex,
    names: HostIndex,
}

impl Policies {
    /// Compiles a snapshot. Never fails: what does not compile is a state that denies.
    pub fn compile(snapshot: &Snapshot) -> Self {
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
        let [enforced, observed] = sets.map(RuleSet::new);
        Self {
            state,
            enforced,
            observed,
            default_reason: Arc::from("no rule allows this"),
            digest: snapshot.digest(),
        }
    }

    /// Digest of the snapshot that this was compiled from.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Decides one intent. Pure; does not allocate on the way to an Allow without body patterns.
    pub fn decide(&self, intent: &Intent<'_>) -> Decision {
        match &self.state {
            State::Refusing { code, reason } => Decision::standing(Verdict::Deny, *code, reason),
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
                    body: would.body.clone(),
                    observed: Some(would.into_observed()),
                    observing: true,
                }
            }
        }
    }

    /// Whether an Allow names this private address for what is intended, by itself or by a range
    /// that is private throughout: only then may it be dialled. A range that merely covers it,
    /// such as 0.0.0.0/0, does not name it; a request's rule names it for the requests alone that
    /// it would allow to the address itself.
    pub fn names_address(&self, intent: &Intent<'_>, ip: IpAddr) -> bool {
        let set = self.active();
        let host = Host::Ip(ip);
        let narrow = |rule: &Rule| {
            rule.effect == Effect::Allow
                && matches!(&rule.pattern.host, HostPattern::Net(net) if is_private(net))
        };
        let requests = set.requests.candidates(&host).map(|at| &set.rules[at]);
        let connects = set.connects.candidates(&host).map(|at| &set.rules[at]);
        requests.filter(|rule| narrow(rule)).any(|rule| rule.matches_request(intent))
            || connects
                .filter(|rule| narrow(rule))
                .any(|rule| intent.port().is_some_and(|port| speaks_of_port(rule, port)))
    }

    /// Whether a Deny speaks of this address for what is intended, where a name that is allowed
    /// resolved to it: the rule. Asked before every dial, of the address and of any IPv4 address
    /// inside it.
    pub fn denies_address(&self, intent: &Intent<'_>, ip: IpAddr) -> Option<Arc<RuleRef>> {
        let host = Host::Ip(ip);
        let port = intent.port()?;
        let set = &self.enforced;
        let of_requests = set.requests.candidates(&host).filter(|at| {
            let rule = &set.rules[*at];
            let whole = rule.pattern.path.is_none() && rule.methods.is_empty();
            rule.matches_request(intent) || (whole && speaks_of_port(rule, port))
        });
        let of_connections =
            set.connects.candidates(&host).filter(|at| speaks_of_port(&set.rules[*at], port));
        of_requests
            .chain(of_connections)
            .filter(|at| set.rules[*at].effect == Effect::Deny)
            .min()
            .map(|at| Arc::clone(&set.rules[at].name))
    }

    /// Whether some Allow rule names this host by less than `**`. Where only `**`, or observing,
    /// lets a name pass, nobody has said that the name exists.
    pub fn names_host(&self, name: &Name) -> bool {
        let set = self.active();
        let host = Host::Name(name.clone());
        [&set.requests, &set.connects, &set.names].into_iter().any(|index| {
            index.candidates(&host).any(|at| {
                let rule = &set.rules[at];
                rule.effect == Effect::Allow && rule.pattern.host != HostPattern::AnyName
            })
        })
    }

    /// Whether TLS or HTTP to this host is taken apart: always, unless no `network.request` rule
    /// speaks of the host and a `network.connect` rule really allows it as it is.
    pub fn intercepts(&self, scheme: Scheme, host: &Host, port: u16) -> bool {
        if self.in_force().any(|set| set.requests.candidates(host).next().is_some()) {
            return true;
        }
        let decision = self.decide(&Intent::Connect { scheme, host, port });
        let by_rule = match &decision.observed {
            Some(would) if decision.observing => would.verdict == Verdict::Allow,
            _ => true,
        };
        !(decision.allows() && by_rule)
    }

    /// Whether a `network.request` rule speaks of this host and port: bytes that some server could
    /// read as a request may not pass unread there.
    pub fn decides_requests(&self, host: &Host, port: u16) -> bool {
        self.in_force()
            .any(|set| set.requests.candidates(host).any(|at| speaks_of_port(&set.rules[at], port)))
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

fn speaks_of_port(rule: &Rule, port: u16) -> bool {
    let ports = rule.pattern.layer4_ports();
    ports.is_empty() || ports.contains(&port)
}

/// RFC 1918, RFC 6598 and RFC 4193.
fn is_private(net: &IpNet) -> bool {
    let of = |a, b, prefix| IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), prefix);
    let unique_local = IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7);
    [of(10, 0, 8), of(172, 16, 12), of(192, 168, 16), of(100, 64, 10), unique_local]
        .iter()
        .any(|private| private.contains(net))
}

impl Decision {
    fn into_observed(self) -> Observed {
        Observed { verdict: self.verdict, code: self.code, rule: self.rule }
    }
}

impl RuleSet {
    fn new(mut rules: Vec<Rule>) -> Self {
        rules.sort_by(|a, b| a.name.cmp(&b.name));
        let mut set = Self::default();
        for (at, rule) in rules.iter().enumerate() {
            let index = match rule.action {
                Action::NetworkRequest => &mut set.requests,
                Action::NetworkConnect => &mut set.connects,
                Action::NetworkDns => &mut set.names,
            };
            index.insert(&rule.pattern.host, at);
        }
        set.rules = rules;
        set
    }

    fn decide(&self, intent: &Intent<'_>, default_reason: &Arc<str>) -> Decision {
        let mut best = Best::default();
        match *intent {
            Intent::Request { method, .. } if is_tunnel(method) => {}
            Intent::Request { scheme, host, port, .. } => {
                for at in self.requests.candidates(host) {
                    let rule = &self.rules[at];
                    best.offer(rule, at, rule.matches_request(intent));
                }
                self.deny_connection(&mut best, transport(scheme), host, port);
            }
            Intent::Connect { scheme, host, port } => {
                for at in self.connects.candidates(host) {
                    best.offer(&self.rules[at], at, self.connects_by(at, scheme, port));
                }
            }
            Intent::Resolve { name } => {
                let host = Host::Name(name.clone());
                for at in self.names.candidates(&host) {
                    best.offer(&self.rules[at], at, true);
                }
                for at in self.requests.candidates(&host).chain(self.connects.candidates(&host)) {
                    let rule = &self.rules[at];
                    best.offer(rule, at, rule.effect == Effect::Allow);
                }
                best.body.clear();
            }
        }
        best.into_decision(self, default_reason)
    }

    /// Of a set that only denies: an opaque connection could carry the requests that it denies.
    fn denies_unread(&self, intent: &Intent<'_>, default_reason: &Arc<str>) -> Option<Decision> {
        let Intent::Connect { host, port, .. } = *intent else { return None };
        let mut best = Best::default();
        for at in self.requests.candidates(host) {
            let rule = &self.rules[at];
            best.offer(rule, at, rule.effect == Effect::Deny && speaks_of_port(rule, port));
        }
        best.at.is_some().then(|| best.into_decision(self, default_reason))
    }

    /// A connection that is denied as such carries no request either.
    fn deny_connection(&self, best: &mut Best, scheme: Scheme, host: &Host, port: u16) {
        for at in self.connects.candidates(host) {
            let rule = &self.rules[at];
            best.offer(rule, at, rule.effect == Effect::Deny && self.connects_by(at, scheme, port));
        }
    }

    /// TLS is TCP too: a `tcp` rule speaks of both, a `tls` rule of TLS alone.
    fn connects_by(&self, at: usize, scheme: Scheme, port: u16) -> bool {
        let pattern = &self.rules[at].pattern;
        pattern.matches_endpoint(scheme, port) || pattern.matches_endpoint(Scheme::Tcp, port)
    }
}

const fn transport(scheme: Scheme) -> Scheme {
    match scheme {
        Scheme::Https | Scheme::Wss | Scheme::Tls => Scheme::Tls,
        _ => Scheme::Tcp,
    }
}

/// The strongest rule so far, by (rank, place).
#[derive(Default)]
struct Best {
    at: Option<(Rank, usize)>,
    body: Vec<Arc<BodyPatterns>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    GuardrailDeny,
    Deny,
    Allow,
}

impl Best {
    fn offer(&mut self, rule: &Rule, at: usize, matches: bool) {
        if !matches {
            return;
        }
        let rank = match rule.effect {
            Effect::Deny if rule.name.policy.tier == Tier::Guardrail => Rank::GuardrailDeny,
            Effect::Deny => Rank::Deny,
            Effect::Allow => Rank::Allow,
        };
        if let Some(body) = &rule.body {
            self.body.push(Arc::clone(body));
        }
        if self.at.is_none_or(|best| (rank, at) < best) {
            self.at = Some((rank, at));
        }
    }

    fn into_decision(self, set: &RuleSet, default_reason: &Arc<str>) -> Decision {
        let Some((rank, at)) = self.at else {
            return Decision::standing(Verdict::Deny, Code::DefaultDeny, default_reason);
        };
        let (verdict, code) = match rank {
            Rank::GuardrailDeny => (Verdict::Deny, Code::GuardrailDeny),
            Rank::Deny => (Verdict::Deny, Code::RuleDeny),
            Rank::Allow => (Verdict::Allow, Code::Allowed),
        };
        let rule = &set.rules[at];
        Decision {
            verdict,
            code,
            rule: Some(Arc::clone(&rule.name)),
            reason: Arc::clone(rule.reason.as_ref().unwrap_or(&rule_reason(rank))),
            body: if verdict == Verdict::Allow { self.body } else { Vec::new() },
            observed: None,
            observing: false,
        }
    }
}

fn rule_reason(rank: Rank) -> Arc<str> {
    thread_local! {
        static ALLOWS: Arc<str> = Arc::from("a rule allows this");
        static DENIES: Arc<str> = Arc::from("a rule denies this");
    }
    if rank == Rank::Allow { ALLOWS.with(Arc::clone) } else { DENIES.with(Arc::clone) }
}

impl HostPattern {
    /// Whether hosts of this pattern are names.
    pub const fn is_name(&self) -> bool {
        !matches!(self, Self::Net(_))
    }
}

#[cfg(test)]
mod tests;
