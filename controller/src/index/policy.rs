//! Policies, as the index keeps them.

use super::{Labels, Selector};
use exeat_policy::DeniedNames;
use exeat_policy::snapshot::AuditSettings;
use exeat_policy::source::PolicySource;
use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};

/// A policy object of either kind, readable or not.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPolicy {
    pub uid: String,
    pub source: PolicySource,
    pub selection: Selection,
    pub ingress: Vec<NetworkPolicyIngressRule>,
    pub audit: AuditSettings,
    pub denied_names: DeniedNames,
    /// As last seen in the object's status; reconcile compares with these before it writes.
    pub conditions: Vec<Condition>,
    /// The object's whole status, for the same purpose.
    pub status: serde_json::Value,
}

/// Which pods a policy speaks about.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The only namespace, for namespaced policies.
    pub namespace: Option<String>,
    /// For cluster-scoped policies; `None` where it could not be read, which selects every namespace.
    pub namespaces: Option<Selector>,
    /// `None` where it could not be read, which selects every pod.
    pub pods: Option<Selector>,
    /// The selector of pods as written; empty where it could not be read.
    pub pod_selector: LabelSelector,
}

impl Selection {
    /// Whether a pod with these labels in this namespace is selected.
    pub fn selects(&self, namespace: &str, namespace_labels: &Labels, pod_labels: &Labels) -> bool {
        self.selects_namespace(namespace, namespace_labels)
            && self.pods.as_ref().is_none_or(|selector| selector.matches(pod_labels))
    }

    /// Whether pods of this namespace can be selected.
    pub fn selects_namespace(&self, namespace: &str, namespace_labels: &Labels) -> bool {
        match &self.namespace {
            Some(own) => own == namespace,
            None => self.namespaces.as_ref().is_none_or(|s| s.matches(namespace_labels)),
        }
    }
}
