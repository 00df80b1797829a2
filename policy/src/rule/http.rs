//! `network.request`: scheme, port, method and path of a request.
//!
//! A Deny is read wider than an Allow where servers differ: it also denies WebSocket upgrades of an
//! `http` or `https` resource, and compares methods and paths without regard to case.

use super::Rule;
use crate::action::Effect;
use crate::intent::Intent;
use crate::pattern::Scheme;
use crate::source::TlsMode;

impl Rule {
    /// Whether this rule speaks of the request, whatever its host: an Allow of all its readings, a
    /// Deny of any. No other intent is a request.
    #[inline]
    pub(crate) fn matches_request(&self, intent: &Intent<'_>) -> bool {
        match *intent {
            Intent::Request { path, .. } => match self.effect {
                Effect::Allow => path.iter().all(|one| self.matches_reading(intent, one)),
                Effect::Deny => path.iter().any(|one| self.matches_reading(intent, one)),
            },
            Intent::Connect { .. } | Intent::Resolve { .. } => false,
        }
    }

    /// Whether this rule speaks of the request where its path is read as `path`.
    #[inline]
    pub(crate) fn matches_reading(&self, intent: &Intent<'_>, path: &str) -> bool {
        match *intent {
            Intent::Request { scheme, port, method, .. } => {
                self.matches_endpoint(scheme, port)
                    && self.matches_method(method)
                    && self.matches_path(path)
            }
            Intent::Connect { .. } | Intent::Resolve { .. } => false,
        }
    }

    /// Whether TLS to this port passes as it is by this rule.
    pub(crate) fn passes_through(&self, port: u16) -> bool {
        self.tls == TlsMode::Passthrough && self.pattern.matches_endpoint(Scheme::Https, port)
    }

    /// Whether the rule speaks of every request to its host and ports.
    pub(crate) fn matches_every_request(&self) -> bool {
        self.pattern.path.is_none() && self.methods.is_empty()
    }

    /// Servers differ on whether `post` is `POST`: an Allow says no, a Deny yes.
    fn matches_method(&self, method: &str) -> bool {
        let same = |listed: &String| match self.effect {
            Effect::Allow => listed == method,
            Effect::Deny => listed.eq_ignore_ascii_case(method),
        };
        self.methods.is_empty() || self.methods.iter().any(same)
    }

    fn matches_path(&self, path: &str) -> bool {
        let Some(glob) = &self.pattern.path else { return true };
        match self.effect {
            Effect::Allow => glob.matches(path),
            Effect::Deny => glob.matches_any_reading(path),
        }
    }

    /// An upgrade begins as a request: a Deny of `http` or `https` is one of `ws` or `wss` too.
    fn matches_endpoint(&self, scheme: Scheme, port: u16) -> bool {
        let plain = match scheme {
            Scheme::Ws => Scheme::Http,
            Scheme::Wss => Scheme::Https,
            other => other,
        };
        self.pattern.matches_endpoint(scheme, port)
            || self.effect == Effect::Deny && self.pattern.matches_endpoint(plain, port)
    }
}

/// These turn a request into a tunnel or an echo of its own headers.
pub(crate) fn is_tunnel(method: &str) -> bool {
    // The length first: this is asked of every request.
    matches!(method.len(), 5 | 7)
        && ["CONNECT", "TRACE"].iter().any(|one| one.eq_ignore_ascii_case(method))
}

/// How a request travels.
pub(crate) const fn transport(scheme: Scheme) -> Scheme {
    match scheme {
        Scheme::Https | Scheme::Wss | Scheme::Tls => Scheme::Tls,
        _ => Scheme::Tcp,
    }
}
