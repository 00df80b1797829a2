//! Keeps certificates current from the Secret `exeat-ca`.

use super::authority::ca_bundle;
use super::{Authorities, CertificateError, Leaf, Trust};
use crate::metrics::Metrics;
use exeat_api::objects::{
    ADMISSION_SERVICE, CA_KEY, CA_SECRET, COLLECT_SERVICE, CONTROL_CA, PUBLISH_SERVICE,
    service_host,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

const STATE: &str = "authorities.json";
const MANAGER: &str = "exeat-controller";
const INTERVAL: Duration = Duration::from_secs(10);
const LEAF_RENEWAL: u64 = super::authority::LEAF_LIFETIME.as_secs() / 2;

/// What the keeper does its work with.
pub struct Keeper {
    pub client: Client,
    pub namespace: String,
    /// Name of the two webhook configurations.
    pub webhooks: String,
    /// Names that the leaf is good for.
    pub names: Vec<String>,
    pub leaf: Arc<Leaf>,
    pub trust: Arc<Trust>,
    pub metrics: Arc<Metrics>,
}

/// What went wrong in one round; the next round tries again.
#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error(transparent)]
    Cluster(#[from] kube::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// What was served last.
#[derive(Default)]
struct Served {
    authorities: Option<Authorities>,
    issued: u64,
}

/// The names of the services that this binary stands behind.
pub fn server_names(namespace: &str, cluster_domain: &str) -> Vec<String> {
    [ADMISSION_SERVICE, PUBLISH_SERVICE, COLLECT_SERVICE]
        .iter()
        .map(|service| service_host(service, namespace))
        .flat_map(|host| [format!("{host}.{cluster_domain}"), host])
        .collect()
}

impl Keeper {
    /// Serves certificates of the Secret's authority, for ever. While `leads` says so, makes and
    /// rotates it, and tells the webhook configurations and the ConfigMap.
    pub async fn run(self, leads: impl Fn() -> bool + Send) {
        let mut served = Served::default();
        loop {
            if let Err(error) = self.round(&mut served, &leads).await {
                warn!(%error, "Certificates not renewed");
            }
            tokio::time::sleep(if self.leaf.ready() { INTERVAL } else { Duration::from_secs(1) })
                .await;
        }
    }

    /// Publishes whatever bundle is trusted now, without managing an authority.
    pub async fn run_announcing(self, leads: impl Fn() -> bool + Send) {
        loop {
            let bundle = self.trust.bundle();
            if leads()
                && !bundle.is_empty()
                && let Err(error) = self.announce(&bundle).await
            {
                warn!(%error, "Certificates not announced");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn round(
        &self,
        served: &mut Served,
        leads: &(impl Fn() -> bool + Send),
    ) -> Result<(), KeeperError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let stored = secrets.get_opt(CA_SECRET).await?;
        let mut authorities = stored.as_ref().and_then(read);
        if leads() {
            authorities = self.lead(&secrets, stored, authorities).await?;
        }
        let Some(authorities) = authorities else { return Ok(()) };
        self.serve(served, authorities)?;
        if leads() {
            self.announce(&self.trust.bundle()).await?;
        }
        Ok(())
    }

    /// Creates or rotates, and returns what holds now.
    async fn lead(
        &self,
        secrets: &Api<Secret>,
        stored: Option<Secret>,
        authorities: Option<Authorities>,
    ) -> Result<Option<Authorities>, KeeperError> {
        let next = match &authorities {
            Some(authorities) => authorities.advance(now())?,
            None => Some(Authorities::create(now())?),
        };
        let Some(next) = next else { return Ok(authorities) };
        let resource_version = stored.as_ref().and_then(|s| s.metadata.resource_version.clone());
        let secret = self.secret(&next, resource_version)?;
        if stored.is_some() {
            secrets.replace(CA_SECRET, &PostParams::default(), &secret).await?;
        } else {
            secrets.create(&PostParams::default(), &secret).await?;
        }
        info!(expires = next.expires(), "Certificate authority written");
        Ok(Some(next))
    }

    fn secret(
        &self,
        authorities: &Authorities,
        resource_version: Option<String>,
    ) -> Result<Secret, CertificateError> {
        let data = BTreeMap::from([
            (CA_KEY.to_owned(), ByteString(authorities.bundle().into_bytes())),
            ("ca.key".to_owned(), ByteString(authorities.signer_key().as_bytes().to_vec())),
            (STATE.to_owned(), ByteString(authorities.state()?)),
        ]);
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(CA_SECRET.to_owned()),
                namespace: Some(self.namespace.clone()),
                resource_version,
                labels: Some(labels()),
                ..ObjectMeta::default()
            },
            data: Some(data),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        })
    }

    fn serve(&self, served: &mut Served, authorities: Authorities) -> Result<(), CertificateError> {
        let now = now();
        if served.authorities.as_ref() != Some(&authorities) || now >= served.issued + LEAF_RENEWAL
        {
            self.leaf.replace(authorities.issue(&self.names, now)?);
            self.trust.replace(authorities.bundle());
            served.issued = now;
            info!("Certificate issued");
        }
        let left = |expires: u64| i64::try_from(expires.saturating_sub(now)).unwrap_or(i64::MAX);
        let expiry = &self.metrics.certificate_expiry;
        expiry.with_label_values(&["ca"]).set(left(authorities.expires()));
        let leaf_expires = served.issued + super::authority::LEAF_LIFETIME.as_secs();
        expiry.with_label_values(&["leaf"]).set(left(leaf_expires.min(authorities.expires())));
        served.authorities = Some(authorities);
        Ok(())
    }

    /// Tells the API server and the proxies-to-be which certificates to trust.
    async fn announce(&self, bundle: &str) -> Result<(), KeeperError> {
        self.patch_webhooks::<MutatingWebhookConfiguration>(bundle).await?;
        self.patch_webhooks::<ValidatingWebhookConfiguration>(bundle).await?;
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let current = maps.get_opt(CONTROL_CA).await?;
        let known = current.and_then(|map| map.data).and_then(|mut data| data.remove(CA_KEY));
        if known.as_deref() != Some(bundle) {
            let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": CONTROL_CA, "namespace": self.namespace, "labels": labels()},
                "data": {CA_KEY: bundle}});
            maps.patch(CONTROL_CA, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&map))
                .await?;
        }
        Ok(())
    }

    /// Sets `caBundle` of every webhook of the configuration that has another one.
    async fn patch_webhooks<K>(&self, bundle: &str) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType = (), Scope = kube::core::ClusterResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let api: Api<K> = Api::all(self.client.clone());
        let Some(current) = api.get_opt(&self.webhooks).await? else { return Ok(()) };
        let current = serde_json::to_value(&current).unwrap_or_default();
        if let Some(patch) = webhook_patch(&current, bundle) {
            api.patch(&self.webhooks, &PatchParams::default(), &Patch::Strategic(&patch)).await?;
            info!(kind = %K::kind(&()), "Webhook certificates announced");
        }
        Ok(())
    }
}

/// The strategic merge patch that makes every webhook trust `bundle`; none where all do.
fn webhook_patch(configuration: &serde_json::Value, bundle: &str) -> Option<serde_json::Value> {
    let bundle = ca_bundle(bundle);
    let webhooks = configuration["webhooks"].as_array()?;
    let stale: Vec<_> = webhooks
        .iter()
        .filter(|webhook| webhook["clientConfig"]["caBundle"].as_str() != Some(&bundle))
        .map(|webhook| json!({"name": webhook["name"], "clientConfig": {"caBundle": bundle}}))
        .collect();
    (!stale.is_empty()).then(|| json!({"webhooks": stale}))
}

fn read(secret: &Secret) -> Option<Authorities> {
    let state = secret.data.as_ref()?.get(STATE)?;
    Authorities::read(&state.0).inspect_err(|error| warn!(%error, "Secret holds no authority")).ok()
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), MANAGER.to_owned())])
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_secs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_webhooks_with_another_bundle_are_patched() {
        let good = ca_bundle("new");
        let configuration = json!({"webhooks": [
            {"name": "a", "clientConfig": {"caBundle": good, "service": {}}},
            {"name": "b", "clientConfig": {"service": {}}},
        ]});
        let patch = webhook_patch(&configuration, "new").unwrap();
        assert_eq!(patch, json!({"webhooks": [{"name": "b", "clientConfig": {"caBundle": good}}]}));
        let done = json!({"webhooks": [{"name": "a", "clientConfig": {"caBundle": good}}]});
        assert_eq!(webhook_patch(&done, "new"), None);
    }

    #[test]
    fn the_leaf_is_good_for_every_service_with_and_without_the_domain() {
        let names = server_names("exeat-system", "cluster.local");
        for service in ["admission", "publish", "collect"] {
            for suffix in ["", ".cluster.local"] {
                let name = format!("exeat-{service}.exeat-system.svc{suffix}");
                assert!(names.contains(&name), "{name}");
            }
        }
    }
}
