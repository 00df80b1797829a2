//! What an agent's containers are given instead of credentials: variables that hold placeholders.
//!
//! Admission draws what placeholders are derived from and writes it into an annotation, from which
//! the proxy reads it. Validation demands nothing of them: who changes a placeholder before the pod
//! runs gives the agent a text that stands for nothing.

use super::trust::array;
use exeat_policy::credential::{Placeholder, named_by};
use exeat_policy::source::{Mode, PolicySource, Tier};
use rand::{TryRngCore as _, rngs::OsRng};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Bytes of the seed.
const SEED: usize = 16;

/// What a pod gets.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    /// The value of the annotation.
    pub(super) seed: String,
    /// Variables and what they hold.
    variables: BTreeMap<String, String>,
}

impl Placeholders {
    /// Those of the policies that select a pod; none when the system has no randomness.
    pub(super) fn draw(policies: &[PolicySource]) -> Option<Self> {
        let mut seed = [0; SEED];
        OsRng.try_fill_bytes(&mut seed).ok()?;
        Some(Self::of(hex::encode(seed), policies))
    }

    fn of(seed: String, policies: &[PolicySource]) -> Self {
        let mut variables = BTreeMap::new();
        let ours = policies.iter().filter(|policy| {
            policy.origin.tier == Tier::Namespaced && policy.mode == Mode::Enforce
        });
        for credential in ours.flat_map(named_by) {
            let placeholder = Placeholder::of(&seed, &credential.secret);
            if let (Some(name), Some(placeholder)) = (&credential.env, placeholder) {
                // Of two policies that name one variable, the first in order.
                let value = || placeholder.shaped_for(&credential.host);
                variables.entry(name.clone()).or_insert_with(value);
            }
        }
        Self { seed, variables }
    }

    /// Adds the variables that a container does not set itself.
    pub(super) fn apply(&self, container: &mut Map<String, Value>) {
        if self.variables.is_empty() {
            return;
        }
        let env = array(container, "env");
        for (name, value) in &self.variables {
            if !env.iter().any(|one| one["name"] == name.as_str()) {
                env.push(json!({"name": name, "value": value}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use exeat_policy::action::Effect;
    use exeat_policy::source::{CredentialSource, PolicyRef, RuleSource, SecretKeySource};

    #[test]
    fn a_container_gets_the_variables_that_it_does_not_set() {
        let secret = SecretKeySource { name: "model".into(), key: "token".into() };
        let rule = |name: &str, env: &str| RuleSource {
            credential: Some(CredentialSource {
                header: Some("x-api-key".into()),
                env: Some(env.to_owned()),
                ..CredentialSource::new(secret.clone())
            }),
            ..RuleSource::new(
                name,
                "network.request",
                "https://api.anthropic.com/**",
                Effect::Allow,
            )
        };
        let rules = vec![rule("a", "ANTHROPIC_API_KEY"), rule("b", "SET")];
        let policy = PolicySource::new(PolicyRef::namespaced("agents", "p"), rules);
        let observes = PolicySource { mode: Mode::Observe, ..policy.clone() };
        assert!(Placeholders::of("s".into(), &[observes]).variables.is_empty());
        let placeholders = Placeholders::of("s".into(), std::slice::from_ref(&policy));
        let mut container = json!({"env": [{"name": "SET", "value": "own"}]});
        placeholders.apply(container.as_object_mut().unwrap());
        assert_eq!(container["env"].as_array().unwrap().len(), 2, "{container}");
        assert_eq!(container["env"][0]["value"], "own");
        let given = container["env"][1]["value"].as_str().unwrap();
        assert!(given.starts_with("sk-ant-api03-"), "{given}");
        let of = &named_by(&policy)[0].secret;
        assert!(Placeholder::of("s", of).unwrap().is(given), "as the proxy knows it");
        let (one, two) = (Placeholders::draw(&[]).unwrap(), Placeholders::draw(&[]).unwrap());
        assert_ne!(one.seed, two.seed);
    }
}
