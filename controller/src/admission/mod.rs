//! The admission webhooks: which pods are agents, what is put into them, what may not be in them
//! or change later; and which policies can be stored.
//!
//! Contract: every call gets an AdmissionReview, also one whose body is no JSON. Whatever is not
//! known, not read or not expected is refused. Nothing here writes to the cluster.
//!
//! | path | answers |
//! |---|---|
//! | `/mutate-pod` | CREATE of pods, UPDATE of pods/ephemeralcontainers: patch or refusal |
//! | `/validate-pod` | the same and UPDATE of pods, on the final object; CONNECT of exec and attach |
//! | `/validate-policy` | AgentPolicies and ClusterAgentPolicies: do they compile |
//! | `/warn-workload` | pod templates: allowed, with a warning per thing that a pod is refused for |

mod cluster;
mod connect;
mod create;
mod ephemeral;
mod expected;
mod forbid;
mod harden;
mod inject;
mod lookup;
mod missing;
mod path;
mod placeholders;
mod pod;
mod policy;
mod refusal;
mod review;
mod scope;
mod settings;
mod trust;
mod uid;
mod update;
mod workload;

pub use cluster::ClusterLookup;
pub use lookup::{Candidate, LookupError, PolicyLookup};
pub use scope::Labels;
pub use settings::{ControlCa, InjectionSettings, SystemTrust};

use crate::metrics::Metrics;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use ephemeral::Phase;
use exeat_api::paths;
use http::StatusCode;
use review::{Operation, Request, ReviewAnswer};
use std::sync::Arc;
use std::time::Instant;

/// The API server stores objects of 1.5 MiB at most, and sends the old and the new one.
const LARGEST_BODY: usize = 8 << 20;

/// What the webhooks need.
#[derive(Clone)]
pub struct AdmissionState {
    pub settings: Arc<InjectionSettings>,
    pub control_ca: Arc<dyn ControlCa>,
    pub lookup: Arc<dyn PolicyLookup>,
    pub metrics: Arc<Metrics>,
}

#[derive(Clone, Copy)]
enum Webhook {
    MutatePod,
    ValidatePod,
    ValidatePolicy,
    WarnWorkload,
}

/// The webhooks under their paths.
pub fn router(state: AdmissionState) -> Router {
    let route = |webhook: Webhook| {
        post(move |State(state): State<AdmissionState>, body: Body| answer(state, webhook, body))
    };
    Router::new()
        .route(paths::MUTATE_POD, route(Webhook::MutatePod))
        .route(paths::VALIDATE_POD, route(Webhook::ValidatePod))
        .route(paths::VALIDATE_POLICY, route(Webhook::ValidatePolicy))
        .route(paths::WARN_WORKLOAD, route(Webhook::WarnWorkload))
        .with_state(state)
}

impl Webhook {
    /// Label of the metrics.
    const fn label(self) -> &'static str {
        match self {
            Self::MutatePod => "mutate-pod",
            Self::ValidatePod => "validate-pod",
            Self::ValidatePolicy => "validate-policy",
            Self::WarnWorkload => "warn-workload",
        }
    }
}

async fn answer(state: AdmissionState, webhook: Webhook, body: Body) -> Response {
    let started = Instant::now();
    let (status, uid, verdict) = match to_bytes(body, LARGEST_BODY).await {
        Err(_) => {
            let why = format!("the body could not be read, or is larger than {LARGEST_BODY} bytes");
            (StatusCode::PAYLOAD_TOO_LARGE, String::new(), ReviewAnswer::Malformed(why))
        }
        Ok(bytes) => match review::parse(&bytes) {
            Err((uid, why)) => (StatusCode::BAD_REQUEST, uid, ReviewAnswer::Malformed(why)),
            Ok(request) => {
                let verdict = decide(&state, webhook, &request).await;
                (StatusCode::OK, request.uid, verdict)
            }
        },
    };
    let label = verdict.label();
    state.metrics.admission_requests.with_label_values(&[webhook.label(), label]).inc();
    state.metrics.admission_duration.observe(started.elapsed().as_secs_f64());
    match &verdict {
        ReviewAnswer::Allow { .. } => {
            tracing::debug!(webhook = webhook.label(), uid, "Review allowed")
        }
        ReviewAnswer::Refuse { message, .. } => {
            tracing::info!(webhook = webhook.label(), uid, message, "Review refused");
        }
        ReviewAnswer::Malformed(why) | ReviewAnswer::Unknown(why) => {
            tracing::warn!(webhook = webhook.label(), uid, why, "Review not answerable");
        }
    }
    (status, Json(verdict.into_review(&uid))).into_response()
}

async fn decide(state: &AdmissionState, webhook: Webhook, request: &Request) -> ReviewAnswer {
    match webhook {
        Webhook::ValidatePolicy => policy::validate(request),
        Webhook::WarnWorkload => workload::review(state, request).await,
        Webhook::MutatePod | Webhook::ValidatePod => pod_review(state, webhook, request).await,
    }
}

async fn pod_review(state: &AdmissionState, webhook: Webhook, request: &Request) -> ReviewAnswer {
    let part = request.sub_resource.as_deref().unwrap_or_default();
    match (webhook, request.operation, part) {
        // Deleting an agent lets nothing out.
        (_, Operation::Delete, _) => ReviewAnswer::allow(),
        (Webhook::MutatePod, Operation::Create, "") => create::mutate(state, request).await,
        (Webhook::MutatePod, Operation::Update, "ephemeralcontainers") => {
            ephemeral::review(state, request, Phase::Mutate).await
        }
        (Webhook::ValidatePod, Operation::Create, "") => create::validate(state, request).await,
        (Webhook::ValidatePod, Operation::Update, "ephemeralcontainers") => {
            match update::validate(state, request).await {
                ReviewAnswer::Allow { .. } => {
                    ephemeral::review(state, request, Phase::Validate).await
                }
                refused => refused,
            }
        }
        (Webhook::ValidatePod, Operation::Update, "" | "status" | "resize") => {
            update::validate(state, request).await
        }
        (Webhook::ValidatePod, Operation::Connect, "exec" | "attach") => {
            connect::validate(state, request)
        }
        (_, operation, part) => ReviewAnswer::Malformed(format!(
            "{} does not review {operation:?} of pods/{part}",
            webhook.label()
        )),
    }
}
