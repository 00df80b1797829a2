//! The Secrets that policies name: read where a Role lets the controller, and no others.
//!
//! Each named Secret is watched by itself, so that a Role that names it suffices. What is known is kept
//! in memory alone, prints nothing, and is wiped when it changes. Whatever cannot be read is a reason
//! why there is no value; without one, requests that need it are denied.

mod watch;

pub use watch::keep;

use crate::index::{Key, StoredPolicy};
use exeat_api::credentials::{Reason, State, Value};
use exeat_policy::credential::{SecretKey, named_by};
use exeat_policy::source::{Mode, Tier};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch as channel;

/// What is known of one Secret.
#[derive(PartialEq, Eq)]
pub enum Known {
    /// No Role lets it be read.
    Forbidden,
    /// It does not exist.
    Missing,
    /// Its keys; none for a value that cannot be a credential.
    Data(BTreeMap<String, Option<Value>>),
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "Forbidden",
            Self::Missing => "Missing",
            Self::Data(_) => "Data(..)",
        })
    }
}

/// Every Secret that is watched. What is not in it was not read yet.
#[derive(Debug)]
pub struct Secrets {
    known: RwLock<BTreeMap<Key, Known>>,
    version: channel::Sender<u64>,
}

impl Secrets {
    /// Nothing is known.
    pub fn shared() -> Arc<Self> {
        Arc::new(Self { known: RwLock::default(), version: channel::Sender::new(0) })
    }

    /// A counter that grows with every change.
    pub fn subscribe(&self) -> channel::Receiver<u64> {
        self.version.subscribe()
    }

    /// Puts what is known of a Secret in the place of what was.
    pub fn set(&self, of: &Key, known: Known) {
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if all.get(of) == Some(&known) {
            return;
        }
        all.insert(of.clone(), known);
        drop(all);
        self.version.send_modify(|version| *version += 1);
    }

    /// Forgets a Secret that no policy names any more.
    pub fn forget(&self, of: &Key) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(of);
        self.version.send_modify(|version| *version += 1);
    }

    /// A key of a Secret.
    pub fn state(&self, of: &SecretKey) -> State {
        let all = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&Key::new(of.namespace.as_str(), of.name.as_str()));
        State::Unavailable(match known {
            None => Reason::Unknown,
            Some(Known::Forbidden) => Reason::Forbidden,
            Some(Known::Missing) => Reason::NoSecret,
            Some(Known::Data(keys)) => match keys.get(&of.key) {
                None => Reason::NoKey,
                Some(None) => Reason::Unusable,
                Some(Some(value)) => return State::Value(value.clone()),
            },
        })
    }
}

/// The keys that a policy names. One that observes adds nothing, so nothing is read for it.
pub fn named(policy: &StoredPolicy) -> BTreeSet<SecretKey> {
    let source = &policy.source;
    if source.origin.tier != Tier::Namespaced || source.mode == Mode::Observe {
        return BTreeSet::new();
    }
    named_by(source).into_iter().map(|credential| credential.secret.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_reason_and_nothing_is_printed() {
        let secrets = Secrets::shared();
        let at = Key::new("agents", "model");
        let of = |key: &str| SecretKey {
            namespace: "agents".into(),
            name: "model".into(),
            key: key.to_owned(),
        };
        let reason = |key: &str| match secrets.state(&of(key)) {
            State::Value(_) => None,
            State::Unavailable(reason) => Some(reason),
        };
        assert_eq!(reason("token"), Some(Reason::Unknown));
        secrets.set(&at, Known::Forbidden);
        assert_eq!(reason("token"), Some(Reason::Forbidden));
        secrets.set(&at, Known::Missing);
        assert_eq!(reason("token"), Some(Reason::NoSecret));
        let keys = [("token", Value::of(b"a-secret-value")), ("short", None)];
        let keys = keys.map(|(key, value)| (key.to_owned(), value));
        secrets.set(&at, Known::Data(keys.into()));
        assert_eq!(reason("token"), None);
        assert_eq!(reason("short"), Some(Reason::Unusable));
        assert_eq!(reason("other"), Some(Reason::NoKey));
        assert!(!format!("{secrets:?}").contains("a-secret"), "{secrets:?}");
        secrets.forget(&at);
        assert_eq!(reason("token"), Some(Reason::Unknown));
    }
}
