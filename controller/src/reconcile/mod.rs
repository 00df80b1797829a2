//! What the Lease holder writes: NetworkPolicies, status of policies, and events.
//!
//! Every round computes everything from the index and writes what differs, so that a missed event
//! or a failed write heals in the next. Objects that are not ours are never touched: one that has
//! the name of ours is judged like any other.

mod conditions;
mod isolation;
mod lease;
mod network;
mod services;
mod write;

pub use conditions::{Facts, conditions, status};
pub use isolation::{Widening, widenings};
pub use lease::{Leadership, campaign, resign};
pub use network::{Desired, Surroundings, network_policy};

use crate::credentials::{Secrets, named as named_keys};
use crate::index::{Index, Key, Named, PodInfo, StoredPolicy};
use crate::metrics::{Metrics, POLICY_STATES, PROTECTIONS};
use exeat_api::credentials::State;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use write::Writer;

/// Changes that come together are reconciled together.
const SETTLE: Duration = Duration::from_millis(200);
/// Everything is looked at again at least this often.
const RESYNC: Duration = Duration::from_secs(30);
/// Before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What reconciliation needs.
pub struct Reconciler {
    pub client: kube::Client,
    pub index: Arc<Index>,
    pub secrets: Arc<Secrets>,
    pub metrics: Arc<Metrics>,
    pub leadership: Leadership,
    pub around: Surroundings,
    /// Name of this replica, for events.
    pub replica: String,
}

/// One policy with its NetworkPolicies and what is known about its pods.
#[derive(Debug)]
struct Plan {
    policy: Arc<StoredPolicy>,
    network: BTreeMap<Key, NetworkPolicy>,
    /// Services that could not be opened, and those that are named.
    notes: Vec<String>,
    named: Named,
    pods: Vec<Arc<PodInfo>>,
}

/// Every NetworkPolicy that should be.
type Wanted<'a> = HashMap<&'a Key, &'a NetworkPolicy>;

impl Reconciler {
    /// Reconciles for ever; writes only while the Lease is held.
    pub async fn run(self) {
        let mut changes = self.index.subscribe();
        let mut secrets = self.secrets.subscribe();
        let mut known = Named::default();
        let mut writer = Writer::new(self.client.clone(), self.metrics.clone(), &self.replica);
        loop {
            changes.borrow_and_update();
            secrets.borrow_and_update();
            let mut failed = false;
            let leads = self.leadership.held();
            self.metrics.leader.set(i64::from(leads));
            if self.index.synced() {
                self.count_pods();
                let mut found = plans(&self.index, &self.around);
                let now = named(&found);
                if now != known {
                    // Once more: what changed in between has woken nobody.
                    self.index.name_services(now.clone());
                    known = now;
                    found = plans(&self.index, &self.around);
                }
                failed = self.round(&found, leads, &mut writer).await;
            }
            // Leadership comes without a change of the index.
            let pause = match (failed, leads) {
                (true, _) | (_, false) => RETRY,
                _ => RESYNC,
            };
            let woken = async {
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = secrets.changed() => {}
                }
            };
            let _ = tokio::time::timeout(pause, woken).await;
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// One round; true when a write failed.
    async fn round(&self, plans: &[Plan], leads: bool, writer: &mut Writer) -> bool {
        let wanted: Wanted<'_> = plans.iter().flat_map(|plan| &plan.network).collect();
        let mut settled = settled(&self.index, &wanted);
        let mut failed = false;
        let mut unprogrammed: Vec<Vec<String>> = vec![Vec::new(); plans.len()];
        for (plan, why_not) in plans.iter().zip(&mut unprogrammed) {
            if !(leads && self.leadership.held()) {
                break;
            }
            for (key, desired) in &plan.network {
                match writer.network_policy(&self.index, key, desired).await {
                    Ok(()) => drop(settled.insert(key.clone())),
                    Err(why) => {
                        why_not.push(why);
                        failed = true;
                    }
                }
            }
        }
        // After the writes, so that nothing is open in between.
        if leads && self.leadership.held() {
            failed |= !writer.remove_leftovers(&self.index, &wanted, &mut settled).await;
        }
        let mut states: BTreeMap<&str, i64> = BTreeMap::new();
        for (plan, why_not) in plans.iter().zip(unprogrammed) {
            let facts = self.facts(plan, why_not, &settled);
            if leads && self.leadership.held() {
                failed |= !writer.status(&plan.policy, &facts).await;
            }
            *states.entry(state(&plan.policy, &facts)).or_default() += 1;
        }
        for state in POLICY_STATES {
            let count = states.get(state).copied().unwrap_or_default();
            self.metrics.policies.with_label_values(&[state]).set(count);
        }
        if leads && self.leadership.held() {
            writer.warn_unprotected(&self.index).await;
        }
        failed
    }

    /// What holds for a policy. NetworkPolicies that are `settled` let nothing more through; all
    /// others are judged, whatever they are called and however they are labelled.
    fn facts(&self, plan: &Plan, unprogrammed: Vec<String>, settled: &HashSet<Key>) -> Facts {
        let namespaces: HashSet<&str> = plan.pods.iter().map(|p| p.namespace.as_str()).collect();
        let mut widened = Vec::new();
        for namespace in namespaces {
            let all = self.index.network_policies(namespace).into_iter();
            let others: Vec<_> = all
                .filter(|np| {
                    let name = np.metadata.name.clone().unwrap_or_default();
                    !settled.contains(&Key::new(namespace, name))
                })
                .collect();
            widened.extend(widenings(&others, &plan.pods));
        }
        widened.sort();
        let credentials = named_keys(&plan.policy).into_iter();
        let credentials = credentials.map(|key| {
            let unavailable = match self.secrets.state(&key) {
                State::Value(_) => None,
                State::Unavailable(reason) => Some(reason),
            };
            (format!("Secret {} key {}", key.name, key.key), unavailable)
        });
        Facts {
            pods: plan.pods.clone(),
            unprogrammed,
            notes: plan.notes.clone(),
            widened,
            credentials: credentials.collect(),
        }
    }

    fn count_pods(&self) {
        let mut counts = [0; PROTECTIONS.len()];
        for pod in self.index.agent_pods().iter().filter(|pod| !pod.ended) {
            let protection = match (pod.protected, pod.injected) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 2,
            };
            counts[protection] += 1;
        }
        for (protection, count) in PROTECTIONS.iter().zip(counts) {
            self.metrics.agent_pods.with_label_values(&[protection]).set(count);
        }
    }
}

/// Those of `wanted` that are in place: the object is ours and says what it should.
fn settled(index: &Index, wanted: &Wanted<'_>) -> HashSet<Key> {
    let all = index.all_network_policies();
    let keyed = all.iter().map(|np| {
        let (namespace, name) = (np.metadata.namespace.clone(), np.metadata.name.clone());
        (Key::new(namespace.unwrap_or_default(), name.unwrap_or_default()), np)
    });
    keyed
        .filter(|(key, np)| wanted.get(key).is_some_and(|desired| write::agrees(np, desired)))
        .map(|(key, _)| key)
        .collect()
}

/// As in the label `state` of `exeat_policies`.
fn state(policy: &StoredPolicy, facts: &Facts) -> &'static str {
    let now = k8s_openapi::jiff::Timestamp::UNIX_EPOCH;
    let conditions = conditions(policy, facts, now);
    let fails = |kind: &str| conditions.iter().any(|c| c.type_ == kind && c.status == "False");
    match () {
        () if fails("Accepted") => "invalid",
        () if fails("Isolated") => "not-isolated",
        () if fails("Ready") => "pending",
        () => "ready",
    }
}

/// Everything that should be.
fn plans(index: &Index, around: &Surroundings) -> Vec<Plan> {
    let namespaces: BTreeMap<_, _> = index.namespaces().into_iter().collect();
    let agents: Vec<_> = index.agent_pods().into_iter().filter(|pod| !pod.ended).collect();
    let empty = crate::index::Labels::new();
    index
        .policies()
        .into_iter()
        .map(|policy| {
            let pods: Vec<_> = agents
                .iter()
                .filter(|pod| {
                    let labels = namespaces.get(&pod.namespace).map_or(&empty, |n| &n.labels);
                    policy.selection.selects(&pod.namespace, labels, &pod.labels)
                })
                .cloned()
                .collect();
            let (mut notes, mut named) = (BTreeSet::new(), Named::default());
            let network = namespaces
                .iter()
                .filter(|(name, info)| {
                    // A Baseline speaks where agents are: in their namespaces, and wherever one runs.
                    policy.selection.selects_namespace(name, &info.labels)
                        && (policy.selection.namespace.is_some()
                            || info.agents_only()
                            || pods.iter().any(|pod| pod.namespace == **name))
                })
                .filter_map(|(name, info)| {
                    let agents_only = info.agents_only();
                    let desired = network_policy(&policy, name, agents_only, around, index)?;
                    notes.extend(desired.notes);
                    join(&mut named, desired.named);
                    let key = Key::new(name.as_str(), desired.object.metadata.name.clone()?);
                    Some((key, desired.object))
                })
                .collect();
            Plan { policy, network, notes: notes.into_iter().collect(), named, pods }
        })
        .collect()
}

/// The Services that any plan names.
fn named(plans: &[Plan]) -> Named {
    let mut all = Named::default();
    plans.iter().for_each(|plan| join(&mut all, plan.named.clone()));
    all
}

fn join(all: &mut Named, more: Named) {
    all.services.extend(more.services);
    all.namespaces.extend(more.namespaces);
}

#[cfg(test)]
mod tests;
