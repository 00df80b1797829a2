//! `exeat-controller check`: what `helm test` runs. The three services answer with certificates of
//! our authority, and the API server knows that authority.

use anyhow::{Context as _, bail, ensure};
use exeat_api::objects::{
    ADMISSION_SERVICE, CA_KEY, COLLECT_SERVICE, CONTROL_CA, PUBLISH_SERVICE, service_host,
};
use exeat_api::ports;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

const ATTEMPTS: u32 = 15;
const PAUSE: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(5);

/// Checks, with patience: right after an installation the authority may still be in the making.
///
/// # Errors
/// Names what is wrong at the last attempt.
pub async fn run(client: Client, namespace: &str, webhooks: &str) -> anyhow::Result<()> {
    let mut attempt = 1;
    loop {
        match once(&client, namespace, webhooks).await {
            Ok(()) => return Ok(()),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(error) => tracing::info!(attempt, error = format!("{error:#}"), "Not yet"),
        }
        attempt += 1;
        sleep(PAUSE).await;
    }
}

async fn once(client: &Client, namespace: &str, webhooks: &str) -> anyhow::Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = maps.get(CONTROL_CA).await.with_context(|| format!("ConfigMap {CONTROL_CA}"))?;
    let bundle = map.data.unwrap_or_default().remove(CA_KEY).unwrap_or_default();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        CertificateDer::pem_slice_iter(bundle.as_bytes()).filter_map(Result::ok),
    );
    ensure!(!roots.is_empty(), "ConfigMap {CONTROL_CA} holds no certificate");
    known_to_the_api_server(client, webhooks, &bundle).await?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    for (service, port) in [
        (ADMISSION_SERVICE, ports::ADMISSION_SERVICE),
        (PUBLISH_SERVICE, ports::CONTROL),
        (COLLECT_SERVICE, ports::CONTROL),
    ] {
        let host = service_host(service, namespace);
        answers(&connector, &host, port).await.with_context(|| format!("{host}:{port}"))?;
        tracing::info!(host, port, "Answers with a certificate of ours");
    }
    Ok(())
}

async fn known_to_the_api_server(client: &Client, name: &str, bundle: &str) -> anyhow::Result<()> {
    let mutating = Api::<MutatingWebhookConfiguration>::all(client.clone()).get(name).await;
    let validating = Api::<ValidatingWebhookConfiguration>::all(client.clone()).get(name).await;
    let of_mutating =
        mutating.context("MutatingWebhookConfiguration")?.webhooks.unwrap_or_default();
    let of_validating =
        validating.context("ValidatingWebhookConfiguration")?.webhooks.unwrap_or_default();
    let all = of_mutating
        .into_iter()
        .map(|w| (w.name, w.client_config))
        .chain(of_validating.into_iter().map(|w| (w.name, w.client_config)));
    let mut count = 0;
    for (webhook, config) in all {
        if config.ca_bundle.is_none_or(|ca| ca.0 != bundle.as_bytes()) {
            bail!("the webhook {webhook} does not have the current caBundle");
        }
        count += 1;
    }
    ensure!(count > 0, "there are no webhooks");
    Ok(())
}

async fn answers(connector: &TlsConnector, host: &str, port: u16) -> anyhow::Result<()> {
    let name = ServerName::try_from(host.to_owned())?;
    let stream = timeout(LIMIT, TcpStream::connect((host, port))).await??;
    timeout(LIMIT, connector.connect(name, stream)).await??;
    Ok(())
}
