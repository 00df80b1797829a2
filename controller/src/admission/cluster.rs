//! The lookup of a real cluster: the index, and the API server where the index says no.

use super::lookup::{Candidate, LookupError, PolicyLookup};
use super::scope::Labels;
use crate::index::{Index, Selector, WatchedKind};
use crate::watch::resource;
use exeat_policy::source::{PolicyRef, PolicySource, Tier};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{Api, DynamicObject, ListParams};
use std::sync::Arc;
use std::time::Duration;

/// A webhook has ten seconds at most, and asks twice at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks things up in the index, and at the API server where the index has them not.
pub struct ClusterLookup {
    pub index: Arc<Index>,
    pub client: kube::Client,
}

impl PolicyLookup for ClusterLookup {
    fn known_namespace(&self, namespace: &str) -> Option<Labels> {
        self.index.namespace(namespace).map(|info| info.labels)
    }

    fn known_policies(&self, namespace: &str, of: &Labels, pod: &Labels) -> Vec<PolicySource> {
        self.index.policies_for(namespace, of, pod)
    }

    fn known_agent(&self, namespace: &str, pod: &str) -> Option<bool> {
        self.index.pod(namespace, pod).map(|pod| self.index.is_agent(&pod))
    }

    fn read_namespace<'a>(
        &'a self,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Option<Labels>, LookupError>> {
        Box::pin(async move {
            let api: Api<Namespace> = Api::all(self.client.clone());
            let what = format!("namespace \"{namespace}\"");
            let found = in_time(&what, api.get_opt(namespace)).await?;
            Ok(found.map(|n| n.metadata.labels.unwrap_or_default().into_iter().collect()))
        })
    }

    fn read_policies<'a>(
        &'a self,
        namespace: &'a str,
        of: &'a Labels,
        pod: &'a Labels,
    ) -> BoxFuture<'a, Result<Vec<Candidate>, LookupError>> {
        Box::pin(async move {
            // Untyped, so that an object that cannot be read is listed, not an error of the list.
            let own = Api::<DynamicObject>::namespaced_with(
                self.client.clone(),
                namespace,
                &resource(WatchedKind::AgentPolicies),
            );
            let cluster = Api::<DynamicObject>::all_with(
                self.client.clone(),
                &resource(WatchedKind::ClusterAgentPolicies),
            );
            let everything = ListParams::default();
            let own = in_time("AgentPolicies", own.list(&everything)).await?;
            let cluster = in_time("ClusterAgentPolicies", cluster.list(&everything)).await?;
            let own = own.items.iter().map(|object| candidate(object, namespace, of, pod));
            let cluster = cluster.items.iter().map(|object| candidate(object, "", of, pod));
            Ok(own.chain(cluster).collect())
        })
    }
}

async fn in_time<T>(
    what: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, LookupError> {
    let failed = |why: String| LookupError { what: what.to_owned(), why };
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(|e| failed(e.to_string())),
        Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

/// A selector that cannot be read selects nothing here: such a policy is no leave to run.
fn candidate(object: &DynamicObject, namespace: &str, of: &Labels, pod: &Labels) -> Candidate {
    let spec = &object.data["spec"];
    let matches = |key: &str, labels: &Labels| {
        let Ok(selector) = selector(spec, key) else { return false };
        Selector::parse(&selector).is_ok_and(|s| s.matches(labels))
    };
    let tier = match (namespace.is_empty(), spec["tier"].as_str()) {
        (false, _) => Tier::Namespaced,
        (true, Some("Baseline")) => Tier::Baseline,
        (true, _) => Tier::Guardrail,
    };
    let name = object.metadata.name.clone().unwrap_or_default();
    let in_namespace = !namespace.is_empty() || matches("namespaceSelector", of);
    let mut shown = show(&selector(spec, "podSelector").unwrap_or_default());
    let namespaces = show(&selector(spec, "namespaceSelector").unwrap_or_default());
    if namespace.is_empty() && !namespaces.is_empty() {
        let pods = if shown.is_empty() { "every pod" } else { &shown };
        shown = format!("{pods} of namespaces {namespaces}");
    }
    Candidate {
        origin: PolicyRef { tier, namespace: namespace.to_owned(), name },
        selector: shown,
        selects: in_namespace && matches("podSelector", pod),
    }
}

fn selector(spec: &serde_json::Value, key: &str) -> Result<LabelSelector, serde_json::Error> {
    match &spec[key] {
        serde_json::Value::Null => Ok(LabelSelector::default()),
        value => serde_json::from_value(value.clone()),
    }
}

/// A selector as `kubectl -l` takes it.
fn show(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten().map(|(k, v)| format!("{k}={v}"));
    let expressions = selector.match_expressions.iter().flatten().map(|e| {
        let values = e.values.clone().unwrap_or_default().join(",");
        match e.operator.as_str() {
            "In" => format!("{} in ({values})", e.key),
            "NotIn" => format!("{} notin ({values})", e.key),
            "DoesNotExist" => format!("!{}", e.key),
            _ => e.key.clone(),
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}
