//! Watches of the cluster that feed the index: one loop for every kind.
//!
//! Objects are read as untyped values, so that one that its type cannot hold is still an event: a
//! policy becomes a policy that denies, and a deletion is never lost. A watch that fails is started
//! again with growing pauses; meanwhile the index keeps what it knows.

mod read;

pub use read::{policy, read};

use crate::index::{Index, WatchedKind};
use exeat_crds::{AgentPolicy, ClusterAgentPolicy};
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{Namespace, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use std::pin::pin;
use std::sync::Arc;
use tracing::{info, warn};

/// Feeds every object of `kind` into the index, for ever. Returns only when the stream ended, which
/// it must not.
pub async fn feed(client: Client, kind: WatchedKind, index: Arc<Index>) {
    let resource = resource(kind);
    let api: Api<DynamicObject> = Api::all_with(client, &resource);
    let config = watcher::Config::default().page_size(500);
    let mut events = pin!(watcher(api, config).default_backoff());
    let mut listing = Vec::new();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => take(&index, kind, event, &mut listing),
            Ok(None) => return,
            Err(error) => warn!(kind = %resource.kind, %error, "Watch interrupted"),
        }
    }
}

fn take(
    index: &Index,
    kind: WatchedKind,
    event: watcher::Event<DynamicObject>,
    listing: &mut Vec<(crate::index::Key, crate::index::Object)>,
) {
    match event {
        watcher::Event::Init => listing.clear(),
        watcher::Event::InitApply(object) => listing.push(read(kind, &object)),
        watcher::Event::InitDone => {
            info!(?kind, objects = listing.len(), "Listed");
            index.replace(kind, std::mem::take(listing));
        }
        watcher::Event::Apply(object) => {
            let (key, object) = read(kind, &object);
            index.apply(kind, key, object);
        }
        watcher::Event::Delete(object) => index.delete(kind, &read::key(&object)),
    }
}

/// The API resource of a kind.
pub fn resource(kind: WatchedKind) -> ApiResource {
    match kind {
        WatchedKind::AgentPolicies => ApiResource::erase::<AgentPolicy>(&()),
        WatchedKind::ClusterAgentPolicies => ApiResource::erase::<ClusterAgentPolicy>(&()),
        WatchedKind::Namespaces => ApiResource::erase::<Namespace>(&()),
        WatchedKind::Pods => ApiResource::erase::<Pod>(&()),
        WatchedKind::NetworkPolicies => ApiResource::erase::<NetworkPolicy>(&()),
        WatchedKind::Services => ApiResource::erase::<Service>(&()),
        WatchedKind::EndpointSlices => ApiResource::erase::<EndpointSlice>(&()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: serde_json::Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_unreadable_policy_is_kept_and_its_deletion_is_not_lost() {
        let index = Index::shared();
        let bad =
            object(json!({"metadata": {"namespace": "n", "name": "p"}, "spec": {"rules": 7}}));
        let mut listing = Vec::new();
        take(&index, WatchedKind::AgentPolicies, watcher::Event::Apply(bad.clone()), &mut listing);
        let found = index.policies_for("n", &Default::default(), &Default::default());
        assert!(found[0].invalid.is_some());
        take(&index, WatchedKind::AgentPolicies, watcher::Event::Delete(bad), &mut listing);
        assert!(index.policies_for("n", &Default::default(), &Default::default()).is_empty());
    }

    #[test]
    fn a_listing_takes_effect_as_a_whole() {
        let index = Index::shared();
        let namespace = object(json!({"metadata": {"name": "n", "labels": {"a": "b"}}}));
        let mut listing = Vec::new();
        take(&index, WatchedKind::Namespaces, watcher::Event::Init, &mut listing);
        take(&index, WatchedKind::Namespaces, watcher::Event::InitApply(namespace), &mut listing);
        assert!(index.namespace("n").is_none());
        take(&index, WatchedKind::Namespaces, watcher::Event::InitDone, &mut listing);
        assert_eq!(index.namespace("n").unwrap().labels["a"], "b");
    }
}
