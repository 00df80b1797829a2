//! A refusal as HTTP: a status, and a problem document (RFC 9457).

use crate::refusal::Refusal;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

/// RFC 9457.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    advice: &'static str,
}

/// The answer to a request that is refused. Whatever follows on an HTTP/1 connection after a
/// malformed request is not believed, so that connection ends.
pub(super) fn response(refusal: &Refusal) -> Response<Full<Bytes>> {
    let status = status(refusal);
    let problem = Problem {
        kind: format!("https://exeat.dev/problems/{}", refusal.code()),
        title: title(status),
        status: status.as_u16(),
        detail: refusal.to_string(),
        code: refusal.code().as_str(),
        rule: refusal.rule(),
        advice: refusal.advice(),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::BAD_REQUEST {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_) | Refusal::HostName(_) | Refusal::Path(_) | Refusal::BodyBroken => {
            StatusCode::BAD_REQUEST
        }
        Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
        Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
        Refusal::Overloaded | Refusal::Crowded | Refusal::AuditFailure => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Refusal::Unmaskable(_) => StatusCode::BAD_GATEWAY,
        refusal if refusal.is_upstream() => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "Egress denied",
        StatusCode::BAD_GATEWAY => "Server not reached",
        StatusCode::SERVICE_UNAVAILABLE => "Egress not possible now",
        _ => "Request refused",
    }
}
