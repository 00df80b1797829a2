//! Streams of policy snapshots to the proxies: `GET /v1/snapshots`. Values of credentials have a
//! stream of their own (`credentials`).
//!
//! A caller is the pod that its token is bound to, and gets that pod's snapshot, at once and after
//! every change of it, as lines of JSON; an empty line keeps the connection alive. Only agents that
//! exist are answered. A stream ends after a while, so that tokens are checked again. A pod holds two
//! places, for streams and for waiting to be known: its own, and that of a stream whose end is not
//! noticed yet.

mod credentials;

use crate::certs::Trust;
use crate::credentials::Secrets;
use crate::identity::{Identities, PodIdentity};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::places::{Guard, PerKey};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exeat_api::paths;
use exeat_api::snapshots::KEEP_ALIVE;
use exeat_policy::NetworkSettings;
use exeat_policy::snapshot::{AuditSettings, Snapshot};
use futures::Stream;
use http::{HeaderMap, StatusCode, header};
use ipnet::IpNet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio::time::error::Elapsed;
use tokio_util::sync::CancellationToken;

const LIFETIME: Duration = Duration::from_secs(1800);
/// A proxy can be faster than the watch that tells us of its pod.
const PATIENCE: Duration = Duration::from_secs(5);
/// Changes that come together are published together.
const SETTLE: Duration = Duration::from_millis(50);
const STREAMS: usize = 20_000;
const STREAMS_OF_A_POD: usize = 2;

/// What the handler needs.
#[derive(Clone)]
pub struct PublishState {
    index: Arc<Index>,
    identities: Arc<Identities>,
    metrics: Arc<Metrics>,
    trust: Arc<Trust>,
    upstream_roots: Arc<String>,
    excluded: Arc<[IpNet]>,
    streams: Arc<Semaphore>,
    pods: PerKey<String>,
    secrets: Arc<Secrets>,
    streams_with_credentials: Arc<Semaphore>,
    pods_with_credentials: PerKey<String>,
    stop: CancellationToken,
}

impl PublishState {
    /// `upstream_roots` is PEM, and `excluded` are ranges, that go into every snapshot; `stop` ends
    /// the streams.
    pub fn new(
        index: Arc<Index>,
        identities: Arc<Identities>,
        metrics: Arc<Metrics>,
        trust: Arc<Trust>,
        upstream_roots: Arc<String>,
        excluded: Arc<[IpNet]>,
        stop: CancellationToken,
    ) -> Self {
        let streams = Arc::new(Semaphore::new(STREAMS));
        let pods = PerKey::new(STREAMS_OF_A_POD);
        Self {
            index,
            identities,
            metrics,
            trust,
            upstream_roots,
            excluded,
            streams,
            pods,
            secrets: Secrets::shared(),
            streams_with_credentials: Arc::new(Semaphore::new(STREAMS)),
            pods_with_credentials: PerKey::new(STREAMS_OF_A_POD),
            stop,
        }
    }

    /// Where the values of credentials are known; otherwise none is.
    pub fn with_secrets(mut self, secrets: Arc<Secrets>) -> Self {
        self.secrets = secrets;
        self
    }
}

/// `/v1/snapshots` and `/v1/credentials`.
pub fn router(state: PublishState) -> Router {
    Router::new()
        .route(paths::SNAPSHOTS, get(snapshots))
        .route(paths::CREDENTIALS, get(credentials::credentials))
        .with_state(state)
}

async fn snapshots(State(state): State<PublishState>, headers: HeaderMap) -> Response {
    let pod = match state.identities.pod(&headers).await {
        Ok(pod) => pod,
        Err(error) => return (error.status(), format!("{error}\n")).into_response(),
    };
    let Some(place) = state.pods.take(pod.pod_uid.clone()) else {
        let text = "too many streams of this pod\n";
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    };
    if appears(&state, &pod).await.is_err() {
        return if state.index.synced() {
            let text = "the token's pod does not exist or is not an agent\n";
            (StatusCode::FORBIDDEN, text).into_response()
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "policies are not known yet\n").into_response()
        };
    }
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many streams\n").into_response();
    };
    let body = Body::from_stream(stream(Publication::new(state, pod, (permit, place))));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Waits for a while until the pod is known as an agent and every kind was listed.
async fn appears(state: &PublishState, pod: &PodIdentity) -> Result<(), Elapsed> {
    let mut changes = state.index.subscribe();
    let known = async {
        while snapshot(state, pod).is_none() {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, known).await
}

/// The pod's snapshot now; none when the index is not synced or the pod is no agent that exists.
fn snapshot(state: &PublishState, identity: &PodIdentity) -> Option<Snapshot> {
    let index = &state.index;
    let generation = *index.subscribe().borrow();
    let pod = index.pod(&identity.namespace, &identity.pod_name)?;
    if !index.synced() || pod.uid != identity.pod_uid || !index.is_agent(&pod) {
        return None;
    }
    let namespace = index.namespace(&identity.namespace)?;
    let policies = index.selecting(&identity.namespace, &namespace.labels, &pod.labels);
    Some(Snapshot {
        generation,
        pod_uid: pod.uid.clone(),
        audit: unite(policies.iter().map(|policy| policy.audit)),
        network: NetworkSettings {
            denied_names: policies
                .iter()
                .map(|policy| policy.denied_names)
                .max()
                .unwrap_or_default(),
            excluded: state.excluded.to_vec(),
        },
        policies: policies.iter().map(|policy| policy.source.clone()).collect(),
        upstream_roots: state.upstream_roots.to_string(),
        control_roots: state.trust.bundle().to_string(),
    })
}

/// The stricter value of each setting; without any, the defaults.
fn unite(settings: impl Iterator<Item = AuditSettings>) -> AuditSettings {
    settings
        .reduce(|a, b| AuditSettings {
            durability: a.durability.max(b.durability),
            on_failure: a.on_failure.max(b.on_failure),
        })
        .unwrap_or_default()
}

/// A place among all streams, and one among those of the pod.
type Held = (OwnedSemaphorePermit, Guard<String>);

/// One open stream.
struct Publication {
    state: PublishState,
    pod: PodIdentity,
    changes: watch::Receiver<u64>,
    sent: Option<Snapshot>,
    ends: Instant,
    _held: Held,
}

impl Publication {
    fn new(state: PublishState, pod: PodIdentity, held: Held) -> Self {
        state.metrics.publish_streams.inc();
        let changes = state.index.subscribe();
        Self { changes, state, pod, sent: None, ends: Instant::now() + LIFETIME, _held: held }
    }

    /// The next line; none ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        let quiet_until = Instant::now() + KEEP_ALIVE;
        loop {
            self.changes.borrow_and_update();
            let now = snapshot(&self.state, &self.pod)?;
            if !self.sent.as_ref().is_some_and(|sent| same(sent, &now)) {
                let mut line = serde_json::to_vec(&now).ok()?;
                line.push(b'\n');
                self.sent = Some(now);
                return Some(line.into());
            }
            tokio::select! {
                () = self.state.stop.cancelled() => return None,
                () = tokio::time::sleep_until(self.ends) => return None,
                () = tokio::time::sleep_until(quiet_until) => return Some(Bytes::from_static(b"\n")),
                changed = self.changes.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(SETTLE).await;
                }
            }
        }
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.state.metrics.publish_streams.dec();
    }
}

/// Whether a proxy would do the same under both.
fn same(a: &Snapshot, b: &Snapshot) -> bool {
    Snapshot { generation: b.generation, ..a.clone() } == *b
}

fn stream(publication: Publication) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::unfold(publication, |mut publication| async move {
        let line = publication.next().await?;
        Some((Ok(line), publication))
    })
}

#[cfg(test)]
mod tests;
