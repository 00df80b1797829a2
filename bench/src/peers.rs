//! The other proxies, as they come: they end TLS, read the request, and send it on over TLS that
//! they verify. Neither decides or records anything.

use crate::process::{Process, free_port, ready};
use crate::world::{HOST, World, client_config, provider};
use hudsucker::Proxy;
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::rcgen::{Issuer, KeyPair};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::future::{Ready, ready as now};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::process::Command;

/// Every name is loopback; the port is that of the request.
#[derive(Clone)]
struct Loopback;

impl tower_service::Service<Name> for Loopback {
    type Response = std::iter::Once<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        now(Ok(std::iter::once(([127, 0, 0, 1], 0).into())))
    }
}

/// hudsucker, with an authority of its own that makes leaves.
pub(crate) async fn hudsucker(world: &Path) -> anyhow::Result<()> {
    let world = World::open(world);
    let key = KeyPair::from_pem(&world.text("ca.key")?)?;
    let issuer = Issuer::from_ca_cert_pem(&world.text("ca.crt")?, key)?;
    let authority = RcgenAuthority::new(issuer, 1_000, Arc::unwrap_or_clone(provider()));
    let mut http = HttpConnector::new_with_resolver(Loopback);
    http.enforce_http(false);
    http.set_nodelay(true);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(client_config(&world.file("ca.crt"))?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(listener.local_addr()?.port());
    let proxy = Proxy::builder()
        .with_listener(listener)
        .with_ca(authority)
        .with_http_connector(connector)
        .build()?;
    Ok(proxy.start().await?)
}

/// Envoy with a certificate that it was given, on as many workers as the others.
pub(crate) async fn envoy(binary: &Path, world: &World, upstream: u16) -> anyhow::Result<Process> {
    let port = free_port()?;
    let config = world.file("envoy.json");
    std::fs::write(&config, serde_json::to_vec_pretty(&envoy_config(world, port, upstream))?)?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
    command.arg("-c").arg(config);
    command.args(["--concurrency", "2", "--disable-hot-restart", "-l", "error"]);
    Process::other(&mut command, port).await
}

fn envoy_config(world: &World, port: u16, upstream: u16) -> Value {
    let file = |name: &str| json!({ "filename": world.file(name) });
    let at =
        |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.{name}");
    let leaf =
        json!({ "certificate_chain": file("server.crt"), "private_key": file("server.key") });
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let manager = json!({
        "@type": kind("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "generate_request_id": false,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }] },
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": { "@type": kind("filters.http.router.v3.Router") },
        }],
    });
    let server_tls = json!({
        "@type": kind("transport_sockets.tls.v3.DownstreamTlsContext"),
        "common_tls_context": { "alpn_protocols": ["http/1.1"], "tls_certificates": [leaf] },
    });
    let names = json!([{ "san_type": "DNS", "matcher": { "exact": HOST } }]);
    let client_tls = json!({
        "@type": kind("transport_sockets.tls.v3.UpstreamTlsContext"),
        "sni": HOST,
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"],
            "validation_context": {
                "trusted_ca": file("ca.crt"), "match_typed_subject_alt_names": names,
            },
        },
    });
    let socket = |tls: Value| json!({ "name": "envoy.transport_sockets.tls", "typed_config": tls });
    json!({ "static_resources": {
        "listeners": [{
            "name": "bench",
            "address": at(port),
            "filter_chains": [{
                "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }],
                "transport_socket": socket(server_tls),
            }],
        }],
        "clusters": [{
            "name": "upstream",
            "type": "STATIC",
            "connect_timeout": "5s",
            "transport_socket": socket(client_tls),
            "load_assignment": {
                "cluster_name": "upstream",
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": at(upstream) } }] }],
            },
        }],
    }})
}
