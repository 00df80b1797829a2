//! The rule that comes nearest to what was denied because no rule allows it: said to whoever asked,
//! so that a wrong method or port is seen at once.
//!
//! Nearest first: the same host, port and path under another method; another path; another port or
//! scheme; another action; then hosts that are alike. The cost of one answer is bounded, whatever
//! the number of rules.

use super::Policies;
use crate::action::{Action, Effect};
use crate::intent::Intent;
use crate::normal::{Host, Name};
use crate::pattern::HostPattern;
use crate::rule::Rule;
use crate::rule::http::transport;
use crate::ruleset::RuleSet;

/// Rules of the same host that are looked at.
const SAME_HOST: usize = 64;
/// Rules of other hosts that are looked at.
const OTHER_HOSTS: usize = 256;
/// Letters by which two hosts may differ and be alike.
const TYPING: usize = 2;
/// Characters of a resource, and methods, that are said.
const RESOURCE: usize = 160;
const METHODS: usize = 8;

/// How far a rule is from what was asked. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    Method,
    Path,
    Endpoint,
    Action,
    /// The name below or above the rule's, or beside it.
    Domain,
    Typing(usize),
}

impl Policies {
    /// Such as `rule internal-api allows GET, POST here`. None where no rule is near, and for what
    /// no default denied.
    pub fn nearest(&self, intent: &Intent<'_>) -> Option<String> {
        let set = self.active();
        let (distance, rule) = same_host(set, intent).or_else(|| other_host(set, intent))?;
        let resource: String = rule.resource.chars().take(RESOURCE).collect();
        let methods = rule.methods.iter().take(METHODS).cloned().collect::<Vec<_>>().join(", ");
        let what = match (distance, methods.is_empty()) {
            (Distance::Method, false) => format!("{methods} here"),
            (_, true) => resource,
            (_, false) => format!("{methods} {resource}"),
        };
        Some(format!("rule {} allows {what}", rule.name.rule))
    }
}

fn same_host<'a>(set: &'a RuleSet, intent: &Intent<'_>) -> Option<(Distance, &'a Rule)> {
    let host = match *intent {
        Intent::Request { host, .. } | Intent::Connect { host, .. } => host.clone(),
        Intent::Resolve { name, .. } => Host::Name(name.clone()),
    };
    let all = [&set.requests, &set.connects, &set.names];
    let candidates = all.into_iter().flat_map(|index| index.candidates(&host));
    candidates
        .take(SAME_HOST)
        .map(|at| &set.rules[at])
        // `**` is near to everything, so it says nothing.
        .filter(|rule| rule.effect == Effect::Allow && rule.pattern.host != HostPattern::AnyName)
        .map(|rule| (distance(rule, intent), rule))
        .min_by_key(|(distance, _)| *distance)
}

fn distance(rule: &Rule, intent: &Intent<'_>) -> Distance {
    if rule.action != intent.action() {
        return Distance::Action;
    }
    match *intent {
        Intent::Request { scheme, port, path, .. } => {
            if !rule.pattern.matches_endpoint(scheme, port) {
                Distance::Endpoint
            } else if rule.pattern.path.as_ref().is_none_or(|glob| glob.matches(path.first())) {
                Distance::Method
            } else {
                Distance::Path
            }
        }
        Intent::Connect { scheme, port, .. } => {
            let matches = rule.matches_connection(transport(scheme), port);
            if matches { Distance::Method } else { Distance::Endpoint }
        }
        Intent::Resolve { .. } => Distance::Method,
    }
}

fn other_host<'a>(set: &'a RuleSet, intent: &Intent<'_>) -> Option<(Distance, &'a Rule)> {
    let name = match *intent {
        Intent::Request { host: Host::Name(name), .. }
        | Intent::Connect { host: Host::Name(name), .. } => name,
        Intent::Resolve { name, .. } => name,
        _ => return None,
    };
    set.rules
        .iter()
        .take(OTHER_HOSTS)
        .filter(|rule| rule.effect == Effect::Allow)
        .filter_map(|rule| Some((alike(name, rule)?, rule)))
        .min_by_key(|(distance, rule)| (*distance, rule.action == Action::NetworkDns))
}

fn alike(name: &Name, rule: &Rule) -> Option<Distance> {
    let (HostPattern::Exact(known) | HostPattern::Below(known)) = &rule.pattern.host else {
        return None;
    };
    let (name, known) = (name.as_str(), known.as_str());
    let below = |inner: &str, outer: &str| {
        outer.contains('.')
            && inner
                .strip_suffix(outer)
                .is_some_and(|front| front.is_empty() || front.ends_with('.'))
    };
    if below(name, known) || below(known, name) {
        return Some(Distance::Domain);
    }
    let typing = differences(name.as_bytes(), known.as_bytes())?;
    Some(Distance::Typing(typing))
}

/// How many letters differ (Levenshtein), up to [`TYPING`].
fn differences(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len().abs_diff(b.len()) > TYPING {
        return None;
    }
    let far = TYPING + 1;
    let mut before: Vec<usize> = (0..=b.len()).map(|n| n.min(far)).collect();
    for (row, x) in a.iter().enumerate() {
        let mut now = vec![far; b.len() + 1];
        now[0] = (row + 1).min(far);
        let band = row.saturating_sub(TYPING)..(row + TYPING + 1).min(b.len());
        for column in band {
            let replaced = before[column] + usize::from(*x != b[column]);
            let moved = before[column + 1].min(now[column]) + 1;
            now[column + 1] = replaced.min(moved).min(far);
        }
        if now.iter().all(|n| *n >= far) {
            return None;
        }
        before = now;
    }
    before.last().copied().filter(|n| *n <= TYPING)
}

#[cfg(test)]
mod tests;
