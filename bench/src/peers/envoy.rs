//! Envoy, with a certificate that it was given.

use super::{Setting, command};
use crate::process::{Process, free_ports};
use crate::world::HOST;
use serde_json::{Value, json};
use std::path::Path;

pub(super) async fn start(setting: &Setting<'_>, binary: &Path) -> anyhow::Result<Process> {
    let ports = free_ports::<3>()?;
    let config = setting.write("envoy.json", &config(setting, ports).to_string())?;
    let mut command = command(binary);
    command.arg("-c").arg(config).args(["--concurrency", &setting.threads.to_string()]);
    command.args(["--disable-hot-restart", "-l", "error"]);
    Process::other(&mut command, ports.to_vec()).await
}

fn config(setting: &Setting<'_>, [tls, plain, raw]: [u16; 3]) -> Value {
    let upstream = setting.upstream;
    let mut encrypted = listener("tls", tls, http("tls"));
    encrypted["filter_chains"][0]["transport_socket"] = server_tls(setting);
    let tunnel = json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": kind("filters.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": "raw",
            "cluster": "raw",
        },
    });
    let mut verified = cluster("tls", upstream.tls);
    verified["transport_socket"] = client_tls(setting);
    json!({ "static_resources": {
        "listeners": [encrypted, listener("plain", plain, http("plain")), listener("raw", raw, tunnel)],
        "clusters": [verified, cluster("plain", upstream.plain), cluster("raw", upstream.raw)],
    }})
}

fn kind(name: &str) -> String {
    format!("type.googleapis.com/envoy.extensions.{name}")
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn listener(name: &str, port: u16, filter: Value) -> Value {
    json!({
        "name": name,
        "address": address(port),
        "filter_chains": [{ "filters": [filter] }],
    })
}

fn http(cluster: &str) -> Value {
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": cluster } }]);
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": kind("filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": cluster,
            "generate_request_id": false,
            "route_config": {
                "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }],
            },
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": kind("filters.http.router.v3.Router") },
            }],
        },
    })
}

fn cluster(name: &str, port: u16) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(port) } }] }],
        },
    })
}

fn socket(tls: Value) -> Value {
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": tls })
}

fn server_tls(setting: &Setting<'_>) -> Value {
    let file = |name: &str| json!({ "filename": setting.world.file(name) });
    let leaf =
        json!({ "certificate_chain": file("server.crt"), "private_key": file("server.key") });
    socket(json!({
        "@type": kind("transport_sockets.tls.v3.DownstreamTlsContext"),
        "common_tls_context": { "alpn_protocols": ["http/1.1"], "tls_certificates": [leaf] },
    }))
}

fn client_tls(setting: &Setting<'_>) -> Value {
    let names = json!([{ "san_type": "DNS", "matcher": { "exact": HOST } }]);
    let trusted = json!({ "filename": setting.world.file("ca.crt") });
    socket(json!({
        "@type": kind("transport_sockets.tls.v3.UpstreamTlsContext"),
        "sni": HOST,
        "common_tls_context": {
            "alpn_protocols": ["http/1.1"],
            "validation_context": {
                "trusted_ca": trusted, "match_typed_subject_alt_names": names,
            },
        },
    }))
}
