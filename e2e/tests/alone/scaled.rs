//! Takes workloads of Exeat's away by their scale, and puts them back.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::Context;
use exeat_api::objects::{COMPONENT_LABEL, SYSTEM_NAMESPACE};
use exeat_e2e::Cluster;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::serde::de::DeserializeOwned;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

/// Runs the body while `exeat-COMPONENT` has no pod, and then waits until all of them are back.
pub(crate) async fn without<K>(
    component: &str,
    body: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let client = Cluster::connect().await?.client;
    let workloads: Api<K> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(client, SYSTEM_NAMESPACE);
    let name = format!("exeat-{component}");
    let scale = workloads.get_scale(&name).await?;
    let replicas = scale.spec.and_then(|spec| spec.replicas).filter(|n| *n > 0);
    let replicas = replicas.with_context(|| format!("{name} has no replicas"))?;
    let labels = format!("{COMPONENT_LABEL}={component}");
    let outcome = async {
        set_scale(&workloads, &name, 0).await?;
        await_ready(&pods, &labels, 0).await?;
        body().await
    }
    .await;
    set_scale(&workloads, &name, replicas).await?;
    await_ready(&pods, &labels, replicas).await?;
    outcome
}

async fn set_scale<K: Clone + DeserializeOwned>(
    workloads: &Api<K>,
    name: &str,
    replicas: i32,
) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    workloads.patch_scale(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Waits until there are that many pods, and all of them ready.
async fn await_ready(pods: &Api<Pod>, labels: &str, count: i32) -> anyhow::Result<()> {
    let wanted = usize::try_from(count)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = pods.list(&ListParams::default().labels(labels)).await?.items;
        if found.len() == wanted && found.iter().all(is_ready) {
            return Ok(());
        }
        let names: Vec<_> = found.iter().map(ResourceExt::name_any).collect();
        anyhow::ensure!(Instant::now() < deadline, "{labels}: {names:?}, not {count} ready ones");
        sleep(Duration::from_millis(200)).await;
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.filter(|one| one.type_ == "Ready").any(|one| one.status == "True")
}
