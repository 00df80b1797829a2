//! What the policies say of a host or an address, beside a decision.

use super::{Policies, State};
use crate::action::Effect;
use crate::credential::Credential;
use crate::decision::Verdict;
use crate::intent::Intent;
use crate::normal::{Host, Name};
use crate::pattern::{HostPattern, Scheme};
use crate::record_type::RecordType;
use crate::rule::{Rule, RuleRef};
use crate::ruleset::RuleSet;
use crate::source::TlsMode;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

impl Policies {
    /// Whether an Allow names this private address for what is intended, by itself or by a range
    /// that is private throughout: only then may it be dialled. A range that merely covers it,
    /// such as 0.0.0.0/0, does not name it; a request's rule names it for the requests alone that
    /// it would allow to the address itself. An Allow that names a Service of the cluster, or all
    /// those of a namespace, names the addresses that the cluster's DNS has for it.
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
                .any(|rule| intent.port().is_some_and(|port| rule.pattern.speaks_of_port(port)))
            || self.names_service(intent)
    }

    /// Whether an Allow that matches names the Service that is meant, by less than `**`.
    fn names_service(&self, intent: &Intent<'_>) -> bool {
        let (Some(vicinity), Some(host)) = (&self.vicinity, intent.host()) else { return false };
        let Host::Name(name) = host else { return false };
        if !vicinity.is_service(name) {
            return false;
        }
        let set = self.active();
        let named =
            |rule: &Rule| rule.effect == Effect::Allow && vicinity.are_services(&rule.pattern.host);
        let requests = set.requests.candidates(host).map(|at| &set.rules[at]);
        let connects = set.connects.candidates(host).map(|at| &set.rules[at]);
        match *intent {
            Intent::Request { .. } => {
                requests.filter(|rule| named(rule)).any(|rule| rule.matches_request(intent))
            }
            Intent::Connect { scheme, port, .. } => connects
                .filter(|rule| named(rule))
                .any(|rule| rule.matches_connection(scheme, port)),
            Intent::Resolve { .. } => false,
        }
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
            match *intent {
                // What is inside stays unread: it could be any request.
                Intent::Connect { scheme: Scheme::Tls, .. } => {
                    rule.pattern.speaks_over(Scheme::Tls, port)
                }
                Intent::Connect { .. } => rule.pattern.speaks_of_port(port),
                _ => {
                    rule.matches_request(intent)
                        || (rule.matches_every_request() && rule.pattern.speaks_of_port(port))
                }
            }
        });
        let of_connections =
            set.connects.candidates(&host).filter(|at| set.rules[*at].pattern.speaks_of_port(port));
        of_requests
            .chain(of_connections)
            .filter(|at| set.rules[*at].effect == Effect::Deny)
            .min()
            .map(|at| Arc::clone(&set.rules[at].name))
    }

    /// The credentials of the rules in force. Policies that observe add none.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        let enforcing = matches!(self.state, State::Enforcing { .. });
        self.enforced
            .rules
            .iter()
            .filter(move |_| enforcing)
            .filter_map(|it| it.credential.as_ref())
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

    /// Whether some rule could allow an act at this host and port, whatever it is; or what would be
    /// refused is only reported.
    pub fn could_reach(&self, host: &Host, port: u16) -> bool {
        let allowing = |set: &RuleSet| {
            [&set.requests, &set.connects].into_iter().any(|index| {
                index
                    .candidates(host)
                    .map(|at| &set.rules[at])
                    .any(|rule| rule.effect == Effect::Allow && rule.pattern.speaks_of_port(port))
            })
        };
        match self.state {
            State::Refusing { .. } => false,
            State::Observing => true,
            State::Enforcing { .. } => allowing(&self.enforced),
        }
    }

    /// Whether some type of records of this name may be asked for.
    pub fn may_look_up(&self, name: &Name) -> bool {
        let allowed = |record_type| self.decide(&Intent::Resolve { name, record_type }).allows();
        RecordType::LISTED.into_iter().any(allowed)
    }

    /// Whether TLS (`Tls`) or HTTP in the clear (`Tcp`) to this host and port is taken apart: always,
    /// unless no `network.request` rule speaks of such requests there and a `network.connect` rule
    /// really allows it as it is.
    pub fn intercepts(&self, scheme: Scheme, host: &Host, port: u16) -> bool {
        let decides = self.decides_requests(scheme, host, port);
        if decides && !(scheme == Scheme::Tls && self.passes_through(host, port)) {
            return true;
        }
        let decision = self.decide(&Intent::Connect { scheme, host, port });
        let by_rule = match &decision.observed {
            Some(would) if decision.observing => would.verdict == Verdict::Allow,
            _ => true,
        };
        !(decision.allows() && by_rule)
    }

    /// Whether a rule lets TLS to this host and port pass as it is, and no other has to read it.
    fn passes_through(&self, host: &Host, port: u16) -> bool {
        let rules = self.in_force().flat_map(|set| {
            let all = set.requests.candidates(host).map(|at| &set.rules[at]);
            all.filter(|rule| rule.pattern.speaks_over(Scheme::Tls, port))
        });
        let mut some = false;
        for rule in rules {
            some |= rule.tls == TlsMode::Passthrough;
            let reads = rule.content.is_some() || !rule.masks.is_empty();
            if rule.effect == Effect::Deny || reads || rule.credential.is_some() {
                return false;
            }
        }
        some
    }

    /// Whether a `network.request` rule speaks of requests to this host and port, over TLS (`Tls`)
    /// or in the clear (`Tcp`): bytes that some server could read so may not pass unread there.
    pub fn decides_requests(&self, scheme: Scheme, host: &Host, port: u16) -> bool {
        self.in_force().any(|set| {
            set.requests.candidates(host).any(|at| set.rules[at].pattern.speaks_over(scheme, port))
        })
    }
}

/// RFC 1918, RFC 6598 and RFC 4193.
fn is_private(net: &IpNet) -> bool {
    let of = |a, b, prefix| IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), prefix);
    let unique_local = IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7);
    [of(10, 0, 8), of(172, 16, 12), of(192, 168, 16), of(100, 64, 10), unique_local]
        .iter()
        .any(|private| private.contains(net))
}
