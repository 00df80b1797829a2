//! The way to the collector: a port-forward through the API server, and inside it TLS that is
//! verified against the installation's own CA, so that nobody between reads or answers.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use exeat_api::messages::Problem;
use exeat_api::objects::{self, AUDITOR, CA_KEY, CONTROL_CA};
use exeat_api::{audiences, labels, ports};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, ResourceExt};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

const TOKEN_SECONDS: i64 = 600;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
/// A pod that has run for so long without a chain has none.
const CHAIN_BY_SECONDS: i64 = 120;

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Only agents of this namespace
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// The namespace that Exeat is installed in
    #[arg(short = 'n', long, env = "EXEAT_NAMESPACE", default_value = objects::SYSTEM_NAMESPACE)]
    exeat_namespace: String,

    /// A token of somebody who may `get auditrecords.exeat.dev`; default: one is requested for the
    /// ServiceAccount exeat-auditor
    #[arg(long, env = "EXEAT_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

/// A connection to the collector.
pub(crate) struct Collector {
    client: Client,
    requests: SendRequest<Empty<Bytes>>,
    connection: JoinHandle<()>,
    host: String,
    token: String,
    namespace: Option<String>,
}

/// A pod that must have a chain.
pub(crate) struct AgentPod {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Collector {
    /// Connects with the current kubeconfig.
    pub(crate) async fn connect(args: &ConnectArgs) -> Result<Self> {
        let client =
            Client::try_default().await.context("no cluster: KUBECONFIG, ~/.kube/config")?;
        let system = &args.exeat_namespace;
        let roots = control_ca(&client, system).await?;
        let token = match &args.token {
            Some(token) => token.clone(),
            None => request_token(&client, system).await?,
        };
        let host = objects::service_host(objects::COLLECT_SERVICE, system);
        let pods: Api<Pod> = Api::namespaced(client.clone(), system);
        let pod = collect_pod(&pods, system).await?;
        let mut forwarder = pods
            .portforward(&pod, &[ports::CONTROL])
            .await
            .with_context(|| format!("no port-forward to {system}/{pod}"))?;
        let stream =
            forwarder.take_stream(ports::CONTROL).context("the port-forward has no stream")?;
        let server = ServerName::try_from(host.clone()).context("no such server name")?;
        let tls = tokio_rustls::TlsConnector::from(Arc::new(tls_config(roots)?))
            .connect(server, stream)
            .await
            .with_context(|| format!("{system}/{pod} is not the collector of this installation"))?;
        let (requests, connection) = handshake(TokioIo::new(tls)).await?;
        let connection = tokio::spawn(async move {
            // The forwarder lives as long as the connection; an error is told to the request.
            let _ = connection.await;
            drop(forwarder);
        });
        let namespace = args.namespace.clone();
        Ok(Self { client, requests, connection, host, token, namespace })
    }

    /// The one namespace that was asked for.
    pub(crate) fn namespace(&self) -> Option<String> {
        self.namespace.clone()
    }

    /// The answer to `GET` of a path with its query.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        let request = Request::get(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Empty::new())?;
        let answer = async {
            self.requests.ready().await?;
            let response = self.requests.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES)
                .collect()
                .await
                .map_err(|error| anyhow!(error))?;
            Ok::<_, anyhow::Error>((status, body.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(ANSWER_TIMEOUT, answer)
            .await
            .context("the collector did not answer in time")?
            .context("the collector did not answer")?;
        if status != StatusCode::OK {
            bail!("the collector refused: {}", problem(status, &body));
        }
        serde_json::from_slice(&body).context("the collector's answer cannot be read")
    }

    /// Pods that have run long enough to have a chain.
    pub(crate) async fn agent_pods(&self) -> Result<Vec<AgentPod>> {
        let pods: Api<Pod> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let now = jiff::Timestamp::now().as_second();
        let agents = format!("{}={}", labels::POD_LABEL, labels::POD_LABEL_AGENT);
        let listed = pods.list(&ListParams::default().labels(&agents)).await?;
        let due = listed.items.into_iter().filter(|pod| {
            let status = pod.status.as_ref();
            let is_running = status.and_then(|it| it.phase.as_deref()) == Some("Running");
            let started = status.and_then(|it| it.start_time.as_ref()).map(|it| it.0.as_second());
            is_running && started.is_some_and(|started| now - started > CHAIN_BY_SECONDS)
        });
        Ok(due
            .map(|pod| AgentPod {
                uid: pod.uid().unwrap_or_default(),
                namespace: pod.namespace().unwrap_or_default(),
                name: pod.name_any(),
            })
            .collect())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Runs one command to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn control_ca(client: &Client, system: &str) -> Result<RootCertStore> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), system);
    let map = maps.get(CONTROL_CA).await.with_context(|| {
        format!("no ConfigMap {CONTROL_CA} in {system}; is Exeat installed there?")
    })?;
    let pem = map.data.unwrap_or_default().remove(CA_KEY);
    let pem = pem.with_context(|| format!("ConfigMap {CONTROL_CA} has no {CA_KEY}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.with_context(|| format!("{CA_KEY} is malformed"))?)?;
    }
    Ok(roots)
}

fn tls_config(roots: RootCertStore) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

async fn request_token(client: &Client, system: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), system);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            audiences: Some(vec![audiences::AUDIT.to_owned()]),
            expiration_seconds: Some(TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(AUDITOR, &PostParams::default(), &request)
        .await
        .with_context(|| format!("no token for ServiceAccount {system}/{AUDITOR}; give --token"))?;
    answer.status.and_then(|status| status.token).context("the token request has no answer")
}

async fn collect_pod(pods: &Api<Pod>, system: &str) -> Result<String> {
    let component = format!("{}={}", objects::COMPONENT_LABEL, objects::COLLECT_COMPONENT);
    let listed = pods.list(&ListParams::default().labels(&component)).await?;
    let is_ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions
            .is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"))
    };
    let pod = listed.items.iter().find(|pod| is_ready(pod));
    let pod = pod.with_context(|| format!("no ready pod with {component} in {system}"))?;
    Ok(pod.name_any())
}

fn problem(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => crate::table::plain(&problem.detail),
        Err(_) => status.to_string(),
    }
}
