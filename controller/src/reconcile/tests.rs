//! Rounds against an API server that answers everything with an empty object.

use super::*;
use crate::index::WatchedKind;
use serde_json::{Value, json};
use std::convert::Infallible;

const OURS: &str = "agentpolicy-p";

fn reconciler(network_policy: Option<Value>) -> (Reconciler, Writer) {
    let index = Index::shared();
    let namespace = json!({"metadata": {"name": "n", "labels": {"exeat.dev/agents": "all"}}});
    let policy = json!({"metadata": {"namespace": "n", "name": "p", "uid": "u"},
        "spec": {"podSelector": {}, "rules": []}});
    let pod = json!({"metadata": {"namespace": "n", "name": "a", "uid": "x",
        "labels": {"exeat.dev/agent": "true"}}, "spec": {"containers": []}});
    let objects = [
        (WatchedKind::Namespaces, Some(namespace)),
        (WatchedKind::AgentPolicies, Some(policy)),
        (WatchedKind::Pods, Some(pod)),
        (WatchedKind::NetworkPolicies, network_policy),
    ];
    for (kind, value) in objects {
        let Some(value) = value else { continue };
        let (key, object) = crate::watch::read(kind, &serde_json::from_value(value).unwrap());
        index.apply(kind, key, object);
    }
    let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        let body = kube::client::Body::from(b"{\"metadata\": {}}".to_vec());
        Ok::<_, Infallible>(http::Response::new(body))
    });
    let client = kube::Client::new(service, "default");
    let leadership = Leadership::default();
    leadership.set(Some(std::time::Instant::now()));
    let reconciler = Reconciler {
        secrets: crate::credentials::Secrets::shared(),
        client: client.clone(),
        index,
        metrics: Metrics::new().unwrap(),
        leadership,
        around: Surroundings { namespace: "exeat-system".into(), ..Surroundings::default() },
        replica: "r".into(),
    };
    let writer = Writer::new(client, Arc::clone(&reconciler.metrics), "r");
    (reconciler, writer)
}

fn wide(name: &str) -> Value {
    json!({"metadata": {"namespace": "n", "name": name},
        "spec": {"podSelector": {}, "ingress": [{}], "egress": [{}],
            "policyTypes": ["Ingress", "Egress"]}})
}

/// One round; the count of policies that are not isolated, of errors, and whether it failed.
async fn round(network_policy: Option<Value>) -> (i64, u64, bool) {
    let (reconciler, mut writer) = reconciler(network_policy);
    let plans = plans(&reconciler.index, &reconciler.around);
    let failed = reconciler.round(&plans, true, &mut writer).await;
    let open = reconciler.metrics.policies.with_label_values(&["not-isolated"]).get();
    (open, reconciler.metrics.reconcile_errors.get(), failed)
}

#[tokio::test]
async fn one_that_takes_the_name_of_ours_widens_and_is_an_error() {
    assert_eq!(round(Some(wide(OURS))).await, (1, 1, true));
}

#[tokio::test]
async fn what_is_written_in_the_round_does_not_widen() {
    assert_eq!(round(None).await, (0, 0, false));
    let (reconciler, _) = reconciler(None);
    let mut ours = plans(&reconciler.index, &reconciler.around).remove(0).network;
    let (_, ours) = ours.pop_first().unwrap();
    let ours = serde_json::to_value(ours).unwrap();
    assert_eq!(round(Some(ours.clone())).await, (0, 0, false), "in place already");
    let mut changed = ours;
    changed["spec"]["egress"] = json!([{}]);
    assert_eq!(round(Some(changed)).await, (0, 0, false), "ours, and repaired");
}

#[tokio::test]
async fn a_leftover_that_does_not_go_widens_whatever_its_label_says() {
    let mut leftover = wide("leftover");
    leftover["metadata"]["labels"] = json!({"exeat.dev/policy-uid": "u"});
    leftover["metadata"]["ownerReferences"] = json!([{"apiVersion": "exeat.dev/v1alpha1",
        "kind": "AgentPolicy", "name": "p", "uid": "u"}]);
    assert_eq!(round(Some(leftover.clone())).await, (0, 0, false), "it is removed");
    leftover["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    leftover["metadata"]["finalizers"] = json!(["example.com/never"]);
    assert_eq!(round(Some(leftover)).await.0, 1);
}

#[tokio::test]
async fn a_replica_that_does_not_lead_judges_as_well() {
    let (reconciler, mut writer) = reconciler(Some(wide(OURS)));
    let plans = plans(&reconciler.index, &reconciler.around);
    reconciler.round(&plans, false, &mut writer).await;
    assert_eq!(reconciler.metrics.policies.with_label_values(&["not-isolated"]).get(), 1);
}
