//! The handlers for proxies: batches come in, and are acknowledged once they are on disk.

use super::ingest::{self, Prepared};
use super::problem::Problem;
use super::store::Stored;
use super::{BODY_UNIT, CollectState, now};
use crate::identity::PodIdentity;
use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use exeat_api::messages::Acknowledged;
use exeat_audit::batch::json::{self, JsonBatch};
use exeat_audit::batch::{self, Limits, MAX_BODY_BYTES};
use exeat_policy::action::Action;
use http::{HeaderMap, header};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// For memory for a body, and for a place among the batches.
const PLACE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a batch is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    /// Of proxies that were started before an upgrade.
    Json,
}

impl Form {
    /// By the content type; proxies of the version before say none.
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(Self::Json) };
        let value = value.to_str().unwrap_or_default();
        match value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            batch::CONTENT_TYPE => Ok(Self::Binary),
            "application/json" => Ok(Self::Json),
            _ => Err(Problem::ContentType),
        }
    }

    const fn most(self) -> usize {
        match self {
            Self::Binary => MAX_BODY_BYTES,
            Self::Json => json::MAX_BYTES,
        }
    }
}

/// `POST /v1/audit`
pub(super) async fn deliver(
    State(state): State<CollectState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Acknowledged>, Problem> {
    let pod = state.identities.pod(&headers).await;
    let name = pod.as_ref().map(|pod| format!("{}/{}", pod.namespace, pod.pod_name));
    let name = name.unwrap_or_default();
    let result = match pod {
        Ok(pod) => take(&state, pod, &headers, body).await,
        Err(error) => Err(error.into()),
    };
    if let Err(problem) = &result {
        let reason = problem.reason();
        state.metrics.collect_rejected.with_label_values(&[reason]).inc();
        tracing::warn!(pod = name, reason, %problem, "Audit batch refused");
    }
    result
}

/// `GET /v1/audit/head`
pub(super) async fn acknowledged(
    State(state): State<CollectState>,
    headers: HeaderMap,
) -> Result<Json<Acknowledged>, Problem> {
    let pod = state.identities.pod(&headers).await?;
    if !state.limits.take_request(&pod.pod_uid, Instant::now()) {
        return Err(Problem::TooMuch);
    }
    let chain = state.store.chain(pod.pod_uid).await?;
    Ok(Json(Acknowledged { seq: chain.map(|chain| chain.entries.saturating_sub(1)) }))
}

async fn take(
    state: &CollectState,
    pod: PodIdentity,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<Acknowledged>, Problem> {
    if !state.limits.take_request(&pod.pod_uid, Instant::now()) {
        return Err(Problem::TooMuch);
    }
    let form = Form::of(headers)?;
    let _own = state.pods.take(pod.pod_uid.clone()).ok_or(Problem::TooMuch)?;
    // Held until the batch is stored: a body that waits is in memory as well.
    let _memory = places(&state.bodies, units(&body, form.most())?).await?;
    let body = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, form.most()))
        .await
        .map_err(|_| Problem::Body(form.most()))?
        .map_err(|_| Problem::Body(form.most()))?;
    let _batch = places(&state.batches, 1).await?;
    let received = now();
    let reader = state.clone();
    let prepared = tokio::task::spawn_blocking(move || read(&reader, pod, form, body, received))
        .await
        .map_err(|_| Problem::Malformed("the batch could not be read".to_owned()))??;
    let stored = state.store.deliver(prepared, received).await??;
    count(state, &stored);
    Ok(Json(Acknowledged { seq: Some(stored.seq) }))
}

/// The memory that a body may need, in units: what it says, or the most that one may have.
fn units(body: &Body, most: usize) -> Result<u32, Problem> {
    let upper = body.size_hint().upper();
    let bytes = upper.map_or(most, |upper| usize::try_from(upper).unwrap_or(usize::MAX));
    if bytes > most {
        return Err(Problem::Body(most));
    }
    Ok(u32::try_from(bytes.div_ceil(BODY_UNIT)).unwrap_or(u32::MAX).max(1))
}

fn read(
    state: &CollectState,
    pod: PodIdentity,
    form: Form,
    body: Bytes,
    received: u64,
) -> Result<Prepared, Problem> {
    // What is counted is what is stored, not how well it was compressed.
    let has_room = |bytes: usize| {
        let taken = state.limits.take_bytes(&pod.pod_uid, bytes, Instant::now());
        taken.then_some(()).ok_or(Problem::TooMuch)
    };
    match form {
        Form::Binary => {
            let bytes = batch::decompress(&body, Limits::COLLECTOR)?;
            drop(body);
            has_room(bytes.len())?;
            let batch = batch::decode(&bytes, Limits::COLLECTOR)?;
            Ok(ingest::prepare(pod, &batch, received)?)
        }
        Form::Json => {
            has_room(body.len())?;
            let batch: JsonBatch = serde_json::from_slice(&body)
                .map_err(|error| Problem::Malformed(format!("the body is no batch: {error}")))?;
            Ok(ingest::prepare_json(pod, batch, received)?)
        }
    }
}

fn count(state: &CollectState, stored: &Stored) {
    state.metrics.collect_entries.inc_by(stored.added.len() as u64);
    for row in stored.added.iter().filter(|row| row.denials() > 0) {
        state.denied.note(row);
        let action = row.record.action.as_deref();
        // A label is never taken from outside: only actions that this build knows are counted.
        if let Some(action) = Action::ALL.iter().find(|it| Some(it.as_str()) == action) {
            let denied = state.metrics.collect_denied.with_label_values(&[action.as_str()]);
            denied.inc_by(row.denials());
        }
    }
}

async fn places(all: &Semaphore, number: u32) -> Result<SemaphorePermit<'_>, Problem> {
    let place = tokio::time::timeout(PLACE_TIMEOUT, all.acquire_many(number)).await;
    place.map_err(|_| Problem::TooMuch)?.map_err(|_| Problem::TooMuch)
}
