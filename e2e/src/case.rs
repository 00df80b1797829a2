//! A case: a namespace of agents, its objects, and a body.

use std::time::Duration;

use anyhow::{Context, bail};
use exeat_api::labels;
use exeat_api::pod::{INIT_CONTAINER, PROXY_CONTAINER};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod};
use kube::api::{DeleteParams, DynamicObject, ListParams, LogParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::agent::Agent;
use crate::cluster::{Cluster, objects};
use crate::internet::{Host, arrivals, arrivals_at};

const POD_TIMEOUT: Duration = Duration::from_secs(60);
/// A new policy must have reached the admission webhooks' index.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A running case.
pub struct Case {
    /// The cluster.
    pub cluster: Cluster,
    /// The random namespace of this case.
    pub namespace: String,
}

impl Case {
    /// Makes the namespace, creates the objects in their order, runs the body, and removes the
    /// namespace. When anything fails it prints the namespace's state instead.
    pub async fn run(
        yaml: &str,
        body: impl AsyncFnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        Self::run_labelled(&[(labels::NAMESPACE_LABEL, labels::NAMESPACE_LABEL_ALL)], yaml, body)
            .await
    }

    /// The same in a namespace with these labels: none makes its pods unprotected ones.
    pub async fn run_labelled(
        labels: &[(&str, &str)],
        yaml: &str,
        body: impl AsyncFnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let case = Self::start(labels).await?;
        let outcome = async {
            for object in objects(yaml)? {
                case.create_settled(&object).await?;
            }
            body(&case).await
        }
        .await;
        match outcome {
            Ok(()) => case.remove().await,
            Err(error) => {
                case.print_state().await;
                Err(error.context(format!("in namespace {}", case.namespace)))
            }
        }
    }

    async fn start(labels: &[(&str, &str)]) -> anyhow::Result<Self> {
        let cluster = Cluster::connect().await?;
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        let labels: serde_json::Map<_, _> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let namespace: Namespace = serde_json::from_value(
            json!({"metadata": {"generateName": "e2e-", "labels": labels}}),
        )?;
        let namespace = namespaces.create(&PostParams::default(), &namespace).await?.name_any();
        let case = Self { cluster, namespace };
        case.await_service_account().await?;
        Ok(case)
    }

    /// Creates one object of the YAML text and returns what the API server says.
    pub async fn create(&self, yaml: &str) -> anyhow::Result<DynamicObject> {
        let objects = objects(yaml)?;
        let [object] = objects.as_slice() else { bail!("expected one object in {yaml}") };
        self.create_object(object).await
    }

    async fn create_object(&self, object: &DynamicObject) -> anyhow::Result<DynamicObject> {
        let api = self.cluster.api_of(object, &self.namespace).await?;
        Ok(api.create(&PostParams::default(), object).await?)
    }

    /// Creates a pod again and again while admission does not know its policy yet.
    async fn create_settled(&self, object: &DynamicObject) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        loop {
            match self.create_object(object).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() < deadline && is_settling(&error) => {
                    sleep(Duration::from_millis(200)).await
                }
                Err(error) => return Err(error.context(format!("creating {}", object.name_any()))),
            }
        }
    }

    /// Fails unless the API server takes the object.
    pub async fn accepts(&self, yaml: &str) -> anyhow::Result<()> {
        self.create(yaml).await.map(drop).context("expected to be accepted")
    }

    /// Fails unless the API server refuses the object with a message that has every part.
    pub async fn rejects(&self, yaml: &str, mentions: &[&str]) -> anyhow::Result<()> {
        let Err(error) = self.create(yaml).await else { bail!("expected a refusal of {yaml}") };
        let message = format!("{error:#}");
        for mention in mentions {
            anyhow::ensure!(
                message.contains(mention),
                "the refusal does not mention {mention:?}: {message}"
            );
        }
        Ok(())
    }

    /// Pods of this namespace.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client(), &self.namespace)
    }

    /// The pod of that name once it is ready.
    pub async fn agent(&self, name: &str) -> anyhow::Result<Agent> {
        let pods = self.pods();
        let deadline = Instant::now() + POD_TIMEOUT;
        while !is_ready(&pods.get(name).await?) {
            anyhow::ensure!(Instant::now() < deadline, "{name} is not ready after {POD_TIMEOUT:?}");
            sleep(Duration::from_millis(200)).await;
        }
        Ok(Agent { pods, name: name.to_owned() })
    }

    /// Fails when a single packet ever arrived at the host.
    pub async fn expect_nothing_at(&self, host: Host) -> anyhow::Result<()> {
        let rows = arrivals_at(host).await?;
        anyhow::ensure!(rows.is_empty(), "something arrived at {}: {rows:?}", host.name);
        Ok(())
    }

    /// Fails when a single packet of anybody ever arrived at a host that no policy names.
    pub async fn expect_nothing_forbidden(&self) -> anyhow::Result<()> {
        let mut rows = arrivals().await?;
        rows.retain(|row| Host::FORBIDDEN.iter().any(|host| row.address == host.address));
        anyhow::ensure!(rows.is_empty(), "something arrived where nothing may: {rows:?}");
        Ok(())
    }

    /// A client of the cluster.
    pub fn client(&self) -> Client {
        self.cluster.client.clone()
    }

    async fn await_service_account(&self) -> anyhow::Result<()> {
        let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> =
            Api::namespaced(self.client(), &self.namespace);
        for _ in 0..100 {
            if accounts.get_opt("default").await?.is_some() {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("namespace {} has no service account", self.namespace)
    }

    async fn remove(&self) -> anyhow::Result<()> {
        let namespaces: Api<Namespace> = Api::all(self.client());
        // Agents sleep and ignore the signal to end; nothing waits for them.
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.pods().delete_collection(&now, &ListParams::default()).await?;
        namespaces.delete(&self.namespace, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Everything that helps to see why a case failed.
    async fn print_state(&self) {
        eprintln!("=== state of namespace {}, which stays", self.namespace);
        let pods = self
            .pods()
            .list(&ListParams::default())
            .await
            .map(|list| list.items)
            .unwrap_or_default();
        for pod in &pods {
            let status = serde_json::to_string(&pod.status).unwrap_or_default();
            eprintln!("--- pod {}: {status}", pod.name_any());
            for container in [INIT_CONTAINER, PROXY_CONTAINER] {
                let params = LogParams {
                    container: Some(container.into()),
                    tail_lines: Some(30),
                    ..LogParams::default()
                };
                if let Ok(log) = self.pods().logs(&pod.name_any(), &params).await {
                    eprintln!("--- log of {container}:\n{log}");
                }
            }
        }
        let events: Api<Event> = Api::namespaced(self.client(), &self.namespace);
        for event in
            events.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default()
        {
            let (reason, message) =
                (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
            eprintln!(
                "--- event {}: {reason}: {message}",
                event.involved_object.name.unwrap_or_default()
            );
        }
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// Admission reads policies by a watch, so a pod created right after its policy can be a
/// moment too early. Any other refusal is final.
fn is_settling(error: &anyhow::Error) -> bool {
    format!("{error:#}").contains("no policy selects it")
}
