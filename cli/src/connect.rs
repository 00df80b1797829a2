//! The way to the collector: a port-forward through the API server, and inside it TLS that is
//! verified against the installation's own CA, so that nobody between reads or answers.

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
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

const PORT: u16 = 8443;
const COMPONENT: &str = "app.kubernetes.io/component=collect";
const AUDIENCE: &str = "exeat.dev/audit";
const AUDITOR: &str = "exeat-auditor";
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
    #[arg(short = 'n', long, env = "EXEAT_NAMESPACE", default_value = "exeat-system")]
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
        let host = format!("exeat-collect.{system}.svc");
        let pods: Api<Pod> = Api::namespaced(client.clone(), system);
        let pod = collect_pod(&pods, system).await?;
        let mut forwarder = pods
            .portforward(&pod, &[PORT])
            .await
            .with_context(|| format!("no port-forward to {system}/{pod}"))?;
        let stream = forwarder.take_stream(PORT).context("the port-forward has no stream")?;
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

    /// `path` with the namespace that was asked for.
    pub(crate) fn scoped(&self, path: &str) -> String {
        let Some(namespace) = &self.namespace else { return path.to_owned() };
        let mark = if path.contains('?') { '&' } else { '?' };
        format!("{path}{mark}namespace={}", query_value(namespace))
    }

    /// One answer.
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
        let listed = pods.list(&ListParams::default().labels("exeat.dev/agent=true")).await?;
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

/// Escapes everything but unreserved characters.
pub(crate) fn query_value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

async fn control_ca(client: &Client, system: &str) -> Result<RootCertStore> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), system);
    let map = maps.get("exeat-control-ca").await.with_context(|| {
        format!("no ConfigMap exeat-control-ca in {system}; is Exeat installed there?")
    })?;
    let pem = map.data.unwrap_or_default().remove("ca.crt").context("it has no ca.crt")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.context("ca.crt is malformed")?)?;
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
            audiences: Some(vec![AUDIENCE.to_owned()]),
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
    let listed = pods.list(&ListParams::default().labels(COMPONENT)).await?;
    let is_ready = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions
            .is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"))
    };
    let pod = listed.items.iter().find(|pod| is_ready(pod));
    let pod = pod.with_context(|| format!("no ready pod with {COMPONENT} in {system}"))?;
    Ok(pod.name_any())
}

fn problem(status: StatusCode, body: &[u8]) -> String {
    let detail = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|problem| problem.get("detail")?.as_str().map(str::to_owned));
    match detail {
        Some(detail) => crate::table::plain(&detail),
        None => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values_are_escaped() {
        assert_eq!(query_value("action:network *&é"), "action%3Anetwork%20%2A%26%C3%A9");
    }
}
