//! Refusals, as `application/problem+json`.

use super::ingest::Refusal;
use super::store::StoreError;
use crate::identity::IdentityError;
use crate::problem::answer;
use axum::response::{IntoResponse, Response};
use exeat_audit::batch::{self, BatchError};
use exeat_audit::filter::FilterError;
use http::{StatusCode, header};

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Batch(#[from] Refusal),
    #[error("{0}")]
    Malformed(String),
    #[error("the body is longer than {0} bytes, or was sent too slowly")]
    Body(usize),
    #[error("a batch is {type} or application/json", type = batch::CONTENT_TYPE)]
    ContentType,
    #[error("too much at once; wait a second")]
    TooMuch,
    #[error("no chain {0:?} is known here")]
    NoChain(String),
    #[error("the audit store cannot answer now")]
    Store(#[from] StoreError),
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<BatchError> for Problem {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::TooLong(most) => Self::Body(most),
            other => Self::Malformed(format!("the body is no batch: {other}")),
        }
    }
}

impl Problem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Identity(error) => error.status(),
            Self::Batch(Refusal::Foreign { .. }) => StatusCode::FORBIDDEN,
            Self::Batch(Refusal::Fork { .. }) => StatusCode::CONFLICT,
            Self::Batch(Refusal::Unverified(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Body(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooMuch => StatusCode::TOO_MANY_REQUESTS,
            Self::NoChain(_) => StatusCode::NOT_FOUND,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label `reason` of `exeat_collect_rejected_total`.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Identity(error) => error.reason(),
            Self::Batch(Refusal::Foreign { .. }) => "forbidden",
            Self::Batch(Refusal::Fork { .. }) => "fork",
            Self::Batch(Refusal::Unverified(_)) => "unverified",
            Self::Malformed(_) | Self::Body(_) | Self::ContentType | Self::NoChain(_) => {
                "malformed"
            }
            Self::TooMuch | Self::Store(_) => "unavailable",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or("Refused");
        let mut response = answer(status, title, self.to_string());
        if matches!(self, Self::TooMuch | Self::Store(_)) {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}
