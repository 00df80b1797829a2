//! AdmissionReview v1: what the API server asks, and the answers.
//!
//! A question that cannot be read is answered in the same shape, refused, with whatever uid could
//! be made out, so that the API server always has something to show to the person who waits.

use super::refusal::Refusal;
use base64::Engine as _;
use http::StatusCode;
use json_patch::Patch;
use serde::Deserialize;
use serde_json::{Value, json};

/// `admission.k8s.io/v1` `AdmissionRequest`, as far as it matters here. Objects stay JSON: a
/// field that this build does not know must neither vanish from a patch nor pass unseen.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) uid: String,
    pub(super) kind: ReviewedKind,
    #[serde(default)]
    pub(super) sub_resource: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) namespace: Option<String>,
    pub(super) operation: Operation,
    #[serde(default)]
    pub(super) object: Option<Value>,
    #[serde(default)]
    pub(super) old_object: Option<Value>,
}

/// Group, version and kind of the object under review.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ReviewedKind {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// The answer, before it is dressed as an AdmissionReview.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ReviewAnswer {
    Allow {
        warnings: Vec<String>,
        patch: Option<Patch>,
    },
    /// Against what Exeat promises: `403 Forbidden`.
    Refuse {
        message: String,
        causes: Vec<Refusal>,
    },
    /// Not a question that this webhook answers: `400 BadRequest`.
    Malformed(String),
    /// The facts could not be had: `503 ServiceUnavailable`. Never an admission.
    Unknown(String),
}

impl ReviewAnswer {
    pub(super) const fn allow() -> Self {
        Self::Allow { warnings: Vec::new(), patch: None }
    }

    /// Allows when there is nothing against it.
    pub(super) fn from_refusals(what: &str, causes: Vec<Refusal>) -> Self {
        if causes.is_empty() {
            return Self::allow();
        }
        let list: String = causes.iter().map(|c| format!("\n- {c}")).collect();
        Self::Refuse { message: format!("Exeat refused {what}:{list}"), causes }
    }

    /// Label of the metric.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Refuse { .. } => "deny",
            Self::Malformed(_) | Self::Unknown(_) => "error",
        }
    }

    /// The AdmissionReview that answers `uid`.
    pub(super) fn into_review(self, uid: &str) -> Value {
        let response = match self {
            Self::Allow { warnings, patch } => allowed(uid, warnings, patch),
            Self::Refuse { message, causes } => {
                let causes: Vec<Value> = causes
                    .into_iter()
                    .map(|c| {
                        let message = format!("{}. Fix: {}", c.problem, c.fix);
                        json!({"reason": "FieldValueForbidden", "field": c.field, "message": message})
                    })
                    .collect();
                refused(uid, StatusCode::FORBIDDEN, "Forbidden", &message, causes)
            }
            Self::Malformed(message) => {
                refused(uid, StatusCode::BAD_REQUEST, "BadRequest", &message, Vec::new())
            }
            Self::Unknown(message) => refused(
                uid,
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                &message,
                Vec::new(),
            ),
        };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

/// Reads the body of a webhook call. The error is the uid, where there is one, and what is wrong.
pub(super) fn parse(body: &[u8]) -> Result<Request, (String, String)> {
    let review: Value = serde_json::from_slice(body)
        .map_err(|e| (String::new(), format!("the body is not JSON: {e}")))?;
    let uid = review.pointer("/request/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is = |key: &str, value: &str| review.get(key).and_then(Value::as_str) == Some(value);
    if !is("apiVersion", "admission.k8s.io/v1") || !is("kind", "AdmissionReview") {
        return Err((uid, "the body is not an AdmissionReview of admission.k8s.io/v1".to_owned()));
    }
    let request = match review {
        Value::Object(mut map) => map.remove("request").unwrap_or(Value::Null),
        _ => Value::Null,
    };
    match serde_json::from_value::<Request>(request) {
        Ok(request) if request.uid.is_empty() => {
            Err((uid, "the AdmissionReview has no request.uid".to_owned()))
        }
        Ok(request) => Ok(request),
        Err(e) => Err((uid, format!("the AdmissionReview's request cannot be read: {e}"))),
    }
}

fn allowed(uid: &str, warnings: Vec<String>, patch: Option<Patch>) -> Value {
    let mut response = json!({"uid": uid, "allowed": true});
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
    if let Some(patch) = patch {
        let bytes = patch_bytes(&patch);
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
    }
    response
}

/// A patch holds only JSON values, so writing it cannot fail; were it to, the empty text is no
/// JSON patch and the API server would refuse the pod.
fn patch_bytes(patch: &Patch) -> Vec<u8> {
    serde_json::to_vec(patch).unwrap_or_default()
}

fn refused(uid: &str, code: StatusCode, reason: &str, message: &str, causes: Vec<Value>) -> Value {
    let mut status = json!({
        "status": "Failure", "code": code.as_u16(), "reason": reason, "message": message,
    });
    if !causes.is_empty() {
        status["details"] = json!({"causes": causes});
    }
    json!({"uid": uid, "allowed": false, "status": status})
}
