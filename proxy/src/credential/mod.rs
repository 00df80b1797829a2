//! What the agent may use and never has: values of credentials, in this process's memory alone, and
//! the placeholders that stand for them.
//!
//! Values come over the control stream ([`crate::control::credentials`]). They are never on disk, in a
//! log, a record or a metric; what holds one prints nothing of it and wipes it in the end. Copies that
//! HTTP libraries make while they send are not wiped.
//!
//! Failure: a value that is not known denies the requests that need it.

mod echo;
mod placeholders;

pub use echo::{Echo, Mask};
pub use placeholders::Placeholders;

use arc_swap::ArcSwap;
use exeat_api::credentials::{Reason, Set, State, Value};
use exeat_policy::credential::SecretKey;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A value, and what finds it in what comes back.
pub struct Secret {
    value: Value,
    echo: OnceLock<Arc<Echo>>,
}

impl Secret {
    pub fn new(value: Value) -> Self {
        Self { value, echo: OnceLock::new() }
    }

    /// The value itself: for the place where it goes out.
    pub fn expose(&self) -> &str {
        self.value.expose()
    }

    /// Finds the value. Made when it is first asked for.
    pub fn echo(&self) -> &Arc<Echo> {
        self.echo.get_or_init(|| Arc::new(Echo::of(self.value.expose())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// By name of the Secret and key: the value, or why there is none.
type Known = HashMap<(String, String), Result<Arc<Secret>, Reason>>;

/// The values that are known now. Swapped whole; readers never wait.
#[derive(Debug, Default)]
pub struct Credentials {
    known: ArcSwap<Known>,
}

impl Credentials {
    /// Puts a set in the place of the one before. A value that did not change is kept.
    pub fn replace(&self, set: Set) {
        let before = self.known.load();
        let known = set.credentials.into_iter().map(|one| {
            let at = (one.secret, one.key);
            let state = match (one.state, before.get(&at)) {
                (State::Value(value), Some(Ok(have))) if have.value == value => Ok(have.clone()),
                (State::Value(value), _) => Ok(Arc::new(Secret::new(value))),
                (State::Unavailable(reason), _) => Err(reason),
            };
            (at, state)
        });
        self.known.store(Arc::new(known.collect()));
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn value(&self, of: &SecretKey) -> Result<Arc<Secret>, Reason> {
        let at = (of.name.clone(), of.key.clone());
        self.known.load().get(&at).cloned().unwrap_or(Err(Reason::Unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exeat_api::credentials::Delivered;

    fn set(state: State) -> Set {
        let delivered = Delivered { secret: "model".into(), key: "token".into(), state };
        Set { pod_uid: "pod-1".into(), credentials: vec![delivered] }
    }

    #[test]
    fn the_last_set_is_what_is_known_and_nothing_is_printed() {
        let of =
            SecretKey { namespace: "agents".into(), name: "model".into(), key: "token".into() };
        let credentials = Credentials::default();
        assert_eq!(credentials.value(&of).unwrap_err(), Reason::Unknown);
        let value = || Value::of(b"a-secret-value").unwrap();
        credentials.replace(set(State::Value(value())));
        let first = credentials.value(&of).unwrap();
        assert_eq!(first.expose(), "a-secret-value");
        assert!(!format!("{credentials:?} {first:?}").contains("a-secret"));
        credentials.replace(set(State::Value(value())));
        assert!(Arc::ptr_eq(&first, &credentials.value(&of).unwrap()), "kept with what finds it");
        credentials.replace(set(State::Unavailable(Reason::NoSecret)));
        assert_eq!(credentials.value(&of).unwrap_err(), Reason::NoSecret);
    }
}
