//! The latest denial by each policy, for `status.lastDenied`.
//!
//! Only a denial by a rule is some policy's; that nothing allowed an action is nobody's in
//! particular. The status says the host and never a path or query, since more people may read
//! policies than audit.

use super::ingest::Row;
use crate::index::WatchedKind;
use crate::watch::resource;
use exeat_audit::time;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

const FIELD_MANAGER: &str = "exeat-collect";
/// Policies that are remembered, and that are written at a time.
const KEPT_AT_MOST: usize = 10_000;
const WRITTEN_AT_ONCE: usize = 100;

/// Whose rule denied: `tier/namespace/policy` of a record's `rule`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyKey {
    pub tier: String,
    /// Empty for ClusterAgentPolicies.
    pub namespace: String,
    pub name: String,
}

/// What a policy's status says of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LastDenied {
    pub time: String,
    pub action: String,
    /// The host alone.
    pub resource: String,
    pub code: String,
}

/// The latest denial of each policy.
#[derive(Debug, Default)]
pub struct LastDenials(Mutex<BTreeMap<PolicyKey, Kept>>);

#[derive(Debug)]
struct Kept {
    denied: LastDenied,
    published: bool,
}

impl PolicyKey {
    /// From a record's `rule`.
    pub fn of_rule(rule: &str) -> Option<Self> {
        let mut parts = rule.splitn(4, '/');
        let (tier, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        if tier.is_empty() || name.is_empty() {
            return None;
        }
        let own = |part: &str| part.to_owned();
        Some(Self { tier: own(tier), namespace: own(namespace), name: own(name) })
    }

    fn resource(&self) -> (ApiResource, Option<&str>) {
        let is_namespaced = self.tier == "Namespaced";
        let kind = if is_namespaced {
            WatchedKind::AgentPolicies
        } else {
            WatchedKind::ClusterAgentPolicies
        };
        (resource(kind), is_namespaced.then_some(self.namespace.as_str()))
    }
}

impl LastDenials {
    /// The latest denial by this policy.
    pub fn of(&self, policy: &PolicyKey) -> Option<LastDenied> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(policy).map(|kept| kept.denied.clone())
    }

    pub(super) fn note(&self, row: &Row) {
        let Some(key) = row.record.rule.as_deref().and_then(PolicyKey::of_rule) else { return };
        let denied = LastDenied {
            time: time::rfc3339(row.time),
            action: row.record.action.clone().unwrap_or_default(),
            resource: row.host().unwrap_or_default().to_owned(),
            code: row.record.code.clone().unwrap_or_default(),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_AT_MOST && !kept.contains_key(&key) {
            return;
        }
        // The form of time sorts as text.
        if kept.get(&key).is_none_or(|kept| kept.denied.time <= denied.time) {
            kept.insert(key, Kept { denied, published: false });
        }
    }

    /// Writes what is new to the status of the policies.
    pub(super) async fn publish(&self, client: &kube::Client) {
        for (key, denied) in self.unpublished() {
            let (resource, namespace) = key.resource();
            let api: Api<DynamicObject> = match namespace {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                None => Api::all_with(client.clone(), &resource),
            };
            let patch = serde_json::json!({
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": key.name},
                "status": {"lastDenied": denied},
            });
            let parameters = PatchParams::apply(FIELD_MANAGER).force();
            match api.patch_status(&key.name, &parameters, &Patch::Apply(&patch)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => {
                    tracing::warn!(policy = %key.name, %error, "Last denial not written");
                }
            }
        }
    }

    fn unpublished(&self) -> Vec<(PolicyKey, LastDenied)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter_mut()
            .filter(|(_, kept)| !kept.published)
            .take(WRITTEN_AT_ONCE)
            .map(|(key, kept)| {
                kept.published = true;
                (key.clone(), kept.denied.clone())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_its_policy() {
        let key = PolicyKey::of_rule("Namespaced/agents/research/no-upload").unwrap();
        assert_eq!((&*key.namespace, &*key.name), ("agents", "research"));
        let (resource, namespace) = key.resource();
        assert_eq!((&*resource.plural, namespace), ("agentpolicies", Some("agents")));

        let key = PolicyKey::of_rule("Guardrail//no-metadata/all").unwrap();
        let (resource, namespace) = key.resource();
        assert_eq!((&*resource.plural, namespace), ("clusteragentpolicies", None));
        assert_eq!(PolicyKey::of_rule("research/no-upload"), None);
    }
}
