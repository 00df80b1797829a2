//! Refusals of the control API as answers: RFC 9457.

use axum::response::{IntoResponse, Response};
use exeat_api::messages::{PROBLEM_TYPE, Problem};
use http::{StatusCode, header};

/// The answer that says `detail` to people.
pub(crate) fn answer(status: StatusCode, title: &str, detail: String) -> Response {
    let problem = Problem::new(status.as_u16(), title, detail);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, PROBLEM_TYPE)], body).into_response()
}
