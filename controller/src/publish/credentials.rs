//! Streams of credentials to the proxies: `GET /v1/credentials`.
//!
//! A caller is the pod that its token is bound to, as for snapshots, and must have been made by
//! admission: in a pod that was not, the token could be the agent's own. It gets the value of every
//! key that its policies name, at once and after every change. Lines are wiped once they were sent.

use super::{Held, LIFETIME, PublishState, SETTLE, appears};
use crate::credentials::named;
use crate::identity::PodIdentity;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use exeat_api::credentials::{Delivered, Set};
use exeat_api::snapshots::KEEP_ALIVE;
use exeat_policy::credential::SecretKey;
use futures::Stream;
use http::{HeaderMap, StatusCode, header};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Room for a line at first: what grows is copied, and the copy is not wiped.
const LINE: usize = 64 * 1024;

pub(super) async fn credentials(State(state): State<PublishState>, headers: HeaderMap) -> Response {
    let pod = match state.identities.pod(&headers).await {
        Ok(pod) => pod,
        Err(error) => return (error.status(), format!("{error}\n")).into_response(),
    };
    let Some(place) = state.pods_with_credentials.take(pod.pod_uid.clone()) else {
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
    if set(&state, &pod).is_none() {
        let text = "the token's pod was not made by admission\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let Ok(permit) = Arc::clone(&state.streams_with_credentials).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many streams\n").into_response();
    };
    let delivery = Delivery {
        changes: state.index.subscribe(),
        secrets: state.secrets.subscribe(),
        state,
        pod,
        sent: None,
        ends: Instant::now() + LIFETIME,
        _held: (permit, place),
    };
    let head =
        [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (head, Body::from_stream(stream(delivery))).into_response()
}

/// What the pod's policies name, and the values now; none when the pod is no agent that admission
/// made.
fn set(state: &PublishState, identity: &PodIdentity) -> Option<Set> {
    let index = &state.index;
    let pod = index.pod(&identity.namespace, &identity.pod_name)?;
    if !index.synced() || pod.uid != identity.pod_uid || !pod.injected || pod.ended {
        return None;
    }
    let namespace = index.namespace(&identity.namespace)?;
    let policies = index.selecting(&identity.namespace, &namespace.labels, &pod.labels);
    let keys: BTreeSet<SecretKey> = policies.iter().flat_map(|policy| named(policy)).collect();
    let credentials = keys.into_iter().map(|key| Delivered {
        state: state.secrets.state(&key),
        secret: key.name,
        key: key.key,
    });
    Some(Set { pod_uid: pod.uid.clone(), credentials: credentials.collect() })
}

/// One open stream.
struct Delivery {
    state: PublishState,
    pod: PodIdentity,
    changes: watch::Receiver<u64>,
    secrets: watch::Receiver<u64>,
    sent: Option<Set>,
    ends: Instant,
    _held: Held,
}

impl Delivery {
    /// The next line; none ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        let quiet_until = Instant::now() + KEEP_ALIVE;
        loop {
            self.changes.borrow_and_update();
            self.secrets.borrow_and_update();
            let now = set(&self.state, &self.pod)?;
            if self.sent.as_ref() != Some(&now) {
                let mut line = Zeroizing::new(Vec::with_capacity(LINE));
                serde_json::to_writer(&mut *line, &now).ok()?;
                line.push(b'\n');
                self.sent = Some(now);
                return Some(Bytes::from_owner(line));
            }
            tokio::select! {
                () = self.state.stop.cancelled() => return None,
                () = tokio::time::sleep_until(self.ends) => return None,
                () = tokio::time::sleep_until(quiet_until) => return Some(Bytes::from_static(b"\n")),
                changed = self.secrets.changed() => changed.ok()?,
                changed = self.changes.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(SETTLE).await;
                }
            }
        }
    }
}

fn stream(delivery: Delivery) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::unfold(delivery, |mut delivery| async move {
        let line = delivery.next().await?;
        Some((Ok(line), delivery))
    })
}

#[cfg(test)]
mod tests;
