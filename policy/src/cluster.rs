//! Names of Services as pods of a cluster call them: `svc`, `svc.ns`, `svc.ns.svc` and the whole name,
//! `svc.ns.svc.cluster.local`.
//!
//! A resolver makes the whole name of a short one by its search list, and a short name can be that of
//! a public host too: `orders.dev` is a Service in the namespace `dev`, and a host below a top-level
//! domain. A rule would mean either, and whoever registers the domain could be reached by it. So a
//! name in an Allow has one meaning, whatever exists:
//!
//! | name | means |
//! |---|---|
//! | `orders` | the Service in the pod's own namespace |
//! | `orders.prod` | the Service in `prod`, for nobody has hosts below `prod` |
//! | `orders.dev`, `orders.internal` | the host: such top-level domains exist, or are set apart for networks |
//! | `orders.prod.svc`, `*.prod.svc`, `*.svc` | the Service, or the Services below |
//! | `wiki.acme.` | the host: a dot at the end says that a name is whole, as in DNS |
//! | everything else | itself |
//!
//! A Deny holds for both meanings of a name that could have two.

use crate::action::Effect;
use crate::normal::Name;
use crate::pattern::{HostPattern, ResourcePattern};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Top-level domains of the public DNS, by the ICANN part of the Public Suffix List, without
/// internationalised ones (every `xn--` counts as one) and without `prod`: nobody can register a name
/// below it, and it is what many a namespace is called.
static TOP_LEVEL: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("cluster/top_level.txt").lines().collect());

/// Set apart for uses outside of the public DNS (RFC 6761, RFC 6762 appendix G, RFC 9476, and ICANN's
/// `internal`), so that networks have hosts below them.
const SET_APART: [&str; 15] = [
    "alt",
    "corp",
    "example",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "test",
];

/// The name that stands between a namespace and the cluster's domain.
const SERVICES: &str = "svc";

/// Where a pod stands in its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vicinity {
    /// `svc.cluster.local`
    services: String,
    /// `agents.svc.cluster.local`
    own: String,
}

impl Vicinity {
    /// `namespace` is the pod's, `domain` that of the cluster, such as `cluster.local`.
    pub fn new(namespace: &str, domain: &Name) -> Self {
        let services = format!("{SERVICES}.{domain}");
        let own = format!("{namespace}.{services}");
        Self { services, own }
    }

    /// The whole name of the Service that a short name means; none where it means no Service's.
    pub fn service(&self, name: &Name) -> Option<Name> {
        let text = name.as_str();
        let whole = match text.rsplit_once('.') {
            None if is_top_level(text) => return None,
            None => format!("{text}.{}", self.own),
            Some((front, SERVICES)) if front.contains('.') => self.in_domain(text),
            Some((front, last)) if !front.contains('.') && !is_top_level(last) => {
                format!("{text}.{}", self.services)
            }
            Some(_) => return None,
        };
        // Too long, at worst: then no Service has it.
        Name::parse(&whole).ok()
    }

    /// Whether this is the whole name of a Service, or of a pod of one.
    pub fn is_service(&self, name: &Name) -> bool {
        let front = name.as_str().strip_suffix(self.services.as_str());
        let front = front.and_then(|front| front.strip_suffix('.'));
        front.is_some_and(|front| front.contains('.'))
    }

    /// Whether a pattern names Services and nothing else.
    pub(crate) fn are_services(&self, pattern: &HostPattern) -> bool {
        match pattern {
            HostPattern::Exact(name) => self.is_service(name),
            HostPattern::Below(parent) => {
                parent.as_str() == self.services
                    || parent
                        .as_str()
                        .strip_suffix(self.services.as_str())
                        .is_some_and(|front| front.ends_with('.'))
            }
            HostPattern::AnyName | HostPattern::Net(_) => false,
        }
    }

    /// The short names of the Service with this whole name, longest first: those that a resolver of
    /// this pod makes the whole name of by the pod's search list. None where it is no Service's.
    pub fn short_forms(&self, whole: &Name) -> Vec<Name> {
        if !self.is_service(whole) {
            return Vec::new();
        }
        let suffixes = [self.domain(), self.services.as_str(), self.own.as_str()];
        let front = |suffix: &str| whole.as_str().strip_suffix(suffix)?.strip_suffix('.');
        suffixes.into_iter().filter_map(front).filter_map(|front| Name::parse(front).ok()).collect()
    }

    /// Namespace and name of the Service of a whole name. That of a pod of it (`pod.svc.ns.svc...`)
    /// gives the same Service.
    pub fn parts<'a>(&self, whole: &'a Name) -> Option<(&'a str, &'a str)> {
        let front = whole.as_str().strip_suffix(self.services.as_str())?.strip_suffix('.')?;
        let (front, namespace) = front.rsplit_once('.')?;
        Some((namespace, front.rsplit('.').next().unwrap_or(front)))
    }

    /// The namespace all of whose Services stand below this name; empty where those of every namespace
    /// do, none where no Services stand directly below it.
    pub fn namespace<'a>(&self, parent: &'a Name) -> Option<&'a str> {
        let front = parent.as_str().strip_suffix(self.services.as_str())?;
        let front = if front.is_empty() { front } else { front.strip_suffix('.')? };
        (!front.contains('.')).then_some(front)
    }

    /// The host that an Allow with this resource means.
    pub fn allowed(&self, pattern: &ResourcePattern) -> HostPattern {
        let mut all = self.meanings(&pattern.host, pattern.absolute, Effect::Allow);
        all.pop().unwrap_or_else(|| pattern.host.clone())
    }

    /// Whether this is the API server's own Service.
    pub fn is_api_server(&self, whole: &Name) -> bool {
        whole.as_str() == format!("kubernetes.default.{}", self.services)
    }

    /// The host patterns that a rule with this one holds for. The first is what it means.
    pub(crate) fn meanings(
        &self,
        pattern: &HostPattern,
        absolute: bool,
        effect: Effect,
    ) -> Vec<HostPattern> {
        let literal = pattern.clone();
        if absolute {
            return vec![literal];
        }
        let (read, wide) = match pattern {
            HostPattern::Exact(name) => (
                self.service(name).map(HostPattern::Exact),
                self.either(name).map(HostPattern::Exact),
            ),
            HostPattern::Below(name) => (
                self.below(name).map(HostPattern::Below),
                self.wide_below(name).map(HostPattern::Below),
            ),
            HostPattern::AnyName | HostPattern::Net(_) => (None, None),
        };
        match effect {
            Effect::Allow => vec![read.unwrap_or(literal)],
            Effect::Deny => [Some(literal), read, wide].into_iter().flatten().fold(
                Vec::new(),
                |mut all, one| {
                    if !all.contains(&one) {
                        all.push(one);
                    }
                    all
                },
            ),
        }
    }

    /// `cluster.local`
    fn domain(&self) -> &str {
        self.services.split_once('.').map_or("", |(_, domain)| domain)
    }

    fn in_domain(&self, text: &str) -> String {
        format!("{text}.{}", self.domain())
    }

    /// `orders.dev` as a Service, although it is a host.
    fn either(&self, name: &Name) -> Option<Name> {
        let two = name.as_str().matches('.').count() == 1;
        two.then(|| Name::parse(&format!("{name}.{}", self.services)).ok()).flatten()
    }

    /// `*.svc` and `*.prod.svc`.
    fn below(&self, parent: &Name) -> Option<Name> {
        let last = parent.as_str().rsplit('.').next();
        let text = (last == Some(SERVICES)).then(|| self.in_domain(parent.as_str()))?;
        Name::parse(&text).ok()
    }

    /// `*.prod` as the Services of a namespace.
    fn wide_below(&self, parent: &Name) -> Option<Name> {
        let one = !parent.as_str().contains('.') && parent.as_str() != SERVICES;
        one.then(|| Name::parse(&format!("{parent}.{}", self.services)).ok()).flatten()
    }
}

/// Whether hosts can stand directly below this label, in the public DNS or in a network of one's own.
fn is_top_level(label: &str) -> bool {
    label.starts_with("xn--") || SET_APART.contains(&label) || TOP_LEVEL.contains(label)
}

/// Top-level domains that namespaces are called by too.
const LIKELY_NAMESPACES: [&str; 24] = [
    "app", "bank", "chat", "cloud", "data", "dev", "finance", "games", "host", "internal",
    "market", "media", "network", "pay", "search", "security", "services", "shop", "store",
    "systems", "team", "test", "tools", "work",
];

/// Whether the author of a rule may have meant a Service where it means a host: then the name of that
/// Service.
pub fn likely_service(pattern: &ResourcePattern) -> Option<String> {
    let HostPattern::Exact(name) = &pattern.host else { return None };
    let (front, last) = name.as_str().rsplit_once('.')?;
    let likely = !front.contains('.') && LIKELY_NAMESPACES.contains(&last) && is_top_level(last);
    (likely && !pattern.absolute).then(|| format!("{name}.{SERVICES}"))
}

#[cfg(test)]
mod tests;
