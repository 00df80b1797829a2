//! `/livez`, `/readyz` and `/metrics`, in plain HTTP on a port of their own.

use crate::metrics::Metrics;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use exeat_api::paths;
use http::{StatusCode, header};
use std::sync::Arc;

/// Says what is not ready yet; empty when everything is.
pub type Readiness = Arc<dyn Fn() -> Vec<&'static str> + Send + Sync>;

#[derive(Clone)]
struct Ops {
    metrics: Arc<Metrics>,
    readiness: Readiness,
}

/// The three endpoints.
pub fn router(metrics: Arc<Metrics>, readiness: Readiness) -> Router {
    Router::new()
        .route(paths::LIVEZ, get(|| async { "ok\n" }))
        .route(paths::READYZ, get(ready))
        .route(paths::METRICS, get(expose))
        .with_state(Ops { metrics, readiness })
}

async fn ready(State(ops): State<Ops>) -> Response {
    let missing = (ops.readiness)();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("not ready: {}\n", missing.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn expose(State(ops): State<Ops>) -> Response {
    match ops.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    async fn get(readiness: Vec<&'static str>, path: &str) -> (StatusCode, String) {
        let router = router(Metrics::new().unwrap(), Arc::new(move || readiness.clone()));
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_names_what_is_missing() {
        assert_eq!(get(vec![], "/readyz").await.0, StatusCode::OK);
        let (status, text) = get(vec!["index", "certificate"], "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "not ready: index, certificate\n");
    }

    #[tokio::test]
    async fn metrics_are_exposed_and_liveness_needs_nothing() {
        assert!(get(vec![], "/metrics").await.1.contains("exeat_leader 0"));
        assert_eq!(get(vec!["index"], "/livez").await.0, StatusCode::OK);
    }
}
