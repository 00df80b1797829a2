//! The cluster under test.

use std::path::PathBuf;

use anyhow::Context;
use kube::api::DynamicObject;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::pinned_kind;
use kube::{Api, Client, Config, api::GroupVersionKind};
use serde::Deserialize;

/// A client of the cluster under test.
#[derive(Clone)]
pub struct Cluster {
    /// The administrator's client.
    pub client: Client,
}

impl Cluster {
    /// Connects to the cluster of `KUBECONFIG`, else to the test cluster.
    pub async fn connect() -> anyhow::Result<Self> {
        let file = kubeconfig()?;
        let hint =
            || format!("no cluster at {}; start one with: e2e/cluster/cluster up", file.display());
        let read = Kubeconfig::read_from(&file).with_context(hint)?;
        let mut config =
            Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        let client = Client::try_from(config)?;
        client.apiserver_version().await.with_context(hint)?;
        Ok(Self { client })
    }

    /// The client for an object's kind, in the namespace when the kind has namespaces.
    pub async fn api_of(
        &self,
        object: &DynamicObject,
        namespace: &str,
    ) -> anyhow::Result<Api<DynamicObject>> {
        let types = object.types.as_ref().context("an object without apiVersion and kind")?;
        let kind = GroupVersionKind::try_from(types)?;
        let (resource, capabilities) = pinned_kind(&self.client, &kind)
            .await
            .with_context(|| format!("the cluster does not know {}", types.kind))?;
        Ok(match capabilities.scope {
            kube::discovery::Scope::Namespaced => {
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
            kube::discovery::Scope::Cluster => Api::all_with(self.client.clone(), &resource),
        })
    }
}

/// The objects of a YAML text of one or more documents. Its images are taken from
/// `EXEAT_IMAGE_REPOSITORY` and `EXEAT_IMAGE_TAG` when these are set.
pub(crate) fn objects(yaml: &str) -> anyhow::Result<Vec<DynamicObject>> {
    let yaml = ["agent", "clients", "internet"].into_iter().fold(yaml.to_owned(), |yaml, name| {
        yaml.replace(&format!("localhost/exeat-{name}:dev"), &image(name))
    });
    let documents = serde_yaml::Deserializer::from_str(&yaml).map(serde_json::Value::deserialize);
    let mut objects = Vec::new();
    for document in documents {
        let document = document.context("reading the case's YAML")?;
        // An empty text is one document of nothing.
        if !document.is_null() {
            objects.push(serde_json::from_value(document)?);
        }
    }
    Ok(objects)
}

/// Where the cluster finds the image `exeat-NAME`.
fn image(name: &str) -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let repository = set("EXEAT_IMAGE_REPOSITORY").unwrap_or_else(|| "localhost".to_owned());
    let tag = set("EXEAT_IMAGE_TAG").unwrap_or_else(|| "dev".to_owned());
    format!("{repository}/exeat-{name}:{tag}")
}

/// The kubeconfig of the cluster under test.
pub(crate) fn kubeconfig() -> anyhow::Result<PathBuf> {
    match different_cluster()? {
        Some(file) => Ok(file),
        None => test_cluster(),
    }
}

/// The kubeconfig of `KUBECONFIG` when it is not the test cluster's.
pub(crate) fn different_cluster() -> anyhow::Result<Option<PathBuf>> {
    let set = std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = test_cluster()?;
    Ok(set.filter(|file| *file != own))
}

fn test_cluster() -> anyhow::Result<PathBuf> {
    let cache = match (std::env::var_os("EXEAT_CACHE"), std::env::var_os("XDG_CACHE_HOME")) {
        (Some(own), _) => PathBuf::from(own),
        (None, Some(xdg)) => PathBuf::from(xdg).join("exeat"),
        (None, None) => {
            PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache/exeat")
        }
    };
    Ok(cache.join("cluster/kubeconfig"))
}
