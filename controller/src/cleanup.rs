//! `exeat-controller cleanup`: takes out everything of ours that can refuse something, so that an
//! uninstalled chart never leaves a webhook behind that nobody answers. Run by the chart before it
//! is deleted.

use anyhow::Context as _;
use exeat_api::objects::BACKSTOP;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration,
};
use kube::api::DeleteParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Deletes them all. Running it again is harmless.
///
/// # Errors
/// When the API server refuses; Helm then stops the uninstall, and nothing is half gone.
pub async fn run(client: Client, webhooks: &str) -> anyhow::Result<()> {
    delete::<MutatingWebhookConfiguration>(&client, webhooks).await?;
    delete::<ValidatingWebhookConfiguration>(&client, webhooks).await?;
    // A name that has none of a kind is passed over.
    for name in BACKSTOP {
        delete::<ValidatingAdmissionPolicyBinding>(&client, name).await?;
        delete::<ValidatingAdmissionPolicy>(&client, name).await?;
    }
    Ok(())
}

async fn delete<K>(client: &Client, name: &str) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::ClusterResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    let kind = K::kind(&());
    match Api::<K>::all(client.clone()).delete(name, &DeleteParams::default()).await {
        Ok(_) => tracing::info!(kind = %kind, name, "Deleted"),
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => {
            return Err(error).with_context(|| format!("{kind} {name} could not be deleted"));
        }
    }
    Ok(())
}
