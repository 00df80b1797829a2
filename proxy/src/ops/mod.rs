//! Health and metrics, for the kubelet and Prometheus.
//!
//! `/startupz` and `/readyz` are ok once the listeners are bound, a snapshot is in force and the trust
//! files hold its roots; `/livez` for as long as the process answers.

mod places;

use crate::metrics::ProxyMetrics;
use crate::state::PolicyState;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use exeat_api::paths;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use places::Places;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

const HEADER_LIMIT: Duration = Duration::from_secs(5);
const CONNECTION_LIMIT: Duration = Duration::from_secs(60);

/// What health depends on.
#[derive(Debug, Default)]
pub struct Health {
    /// Listeners are bound and trust files written.
    pub serving: AtomicBool,
    /// The trust files hold the roots of the first snapshot: what the agent's containers mount of
    /// them when they start is mounted for good.
    pub trusted: AtomicBool,
    pub draining: AtomicBool,
}

#[derive(Clone)]
struct Ops {
    health: Arc<Health>,
    policies: Arc<PolicyState>,
    metrics: Arc<ProxyMetrics>,
}

/// The whole surface, as a router.
pub fn router(
    health: Arc<Health>,
    policies: Arc<PolicyState>,
    metrics: Arc<ProxyMetrics>,
) -> Router {
    Router::new()
        .route(paths::LIVEZ, get(|| async { "ok" }))
        .route(paths::STARTUPZ, get(ready))
        .route(paths::READYZ, get(ready))
        .route(paths::METRICS, get(render))
        .with_state(Ops { health, policies, metrics })
}

async fn ready(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    if !ops.health.serving.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "the listeners are not bound yet")
    } else if ops.policies.load().is_none() {
        (StatusCode::SERVICE_UNAVAILABLE, "no policy has arrived yet: everything is denied")
    } else if !ops.health.trusted.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "the trust files do not hold the policy's roots yet")
    } else if ops.health.draining.load(Ordering::Acquire) {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ok")
    }
}

async fn render(State(ops): State<Ops>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], ops.metrics.render())
}

/// Serves for ever. Whoever comes last is served: see [`Places`].
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, router: Router) -> io::Result<()> {
    let mut places = Places::default();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of files, perhaps; that passes.
            Err(error) => {
                tracing::warn!(%error, "Accept failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        places.take(peer.ip().to_canonical(), async move {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_LIMIT);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            drop(tokio::time::timeout(CONNECTION_LIMIT, connection).await);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use exeat_policy::snapshot::Snapshot;
    use tower::ServiceExt;

    #[tokio::test]
    async fn it_is_ready_only_with_listeners_and_a_policy() {
        let (health, policies) = (Arc::new(Health::default()), Arc::new(PolicyState::default()));
        let router = router(
            Arc::clone(&health),
            Arc::clone(&policies),
            Arc::new(ProxyMetrics::new().unwrap()),
        );
        let status = |path: &'static str| {
            let router = router.clone();
            async move {
                router
                    .oneshot(Request::get(path).body(Body::empty()).unwrap())
                    .await
                    .unwrap()
                    .status()
            }
        };
        assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
        health.serving.store(true, Ordering::Release);
        assert_eq!(status("/startupz").await, StatusCode::SERVICE_UNAVAILABLE);
        policies.replace(&Snapshot::new("u", vec![]));
        assert_eq!(status("/startupz").await, StatusCode::SERVICE_UNAVAILABLE);
        health.trusted.store(true, Ordering::Release);
        assert_eq!(status("/startupz").await, StatusCode::OK);
        assert_eq!(status("/livez").await, StatusCode::OK);
        assert_eq!(status("/metrics").await, StatusCode::OK);
        health.draining.store(true, Ordering::Release);
        assert_eq!(status("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    }

    /// The first line of the answer to a probe from that address.
    async fn probe(server: std::net::SocketAddr, from: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = connect(server, from).await;
        let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        // The server may have closed: then there is no answer.
        let _ = stream.write_all(request).await;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.lines().next().unwrap_or_default().to_owned()
    }

    async fn connect(server: std::net::SocketAddr, from: &str) -> tokio::net::TcpStream {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(server).await.unwrap()
    }

    #[tokio::test]
    async fn whoever_holds_connections_keeps_no_probe_out() {
        let (health, policies) = (Arc::new(Health::default()), Arc::new(PolicyState::default()));
        let router = router(health, policies, Arc::new(ProxyMetrics::new().unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router));
        let mut held = Vec::new();
        // More addresses than there are places, and several connections of each.
        for pod in 1..=40 {
            for _ in 0..6 {
                held.push(connect(server, &format!("127.0.1.{pod}")).await);
            }
        }
        assert_eq!(probe(server, "127.0.0.9").await, "HTTP/1.1 200 OK");
        assert_eq!(probe(server, "127.0.1.1").await, "HTTP/1.1 200 OK");
    }
}
