//! hudsucker, a library: a process of this program serves it.

use crate::process::ready;
use crate::world::{World, provider, roots};
use hudsucker::Proxy;
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::rcgen::{Issuer, KeyPair};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use rustls::ClientConfig;
use std::convert::Infallible;
use std::future::{Ready, ready as now};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpListener;

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

/// Serves with an authority that makes leaves.
pub(crate) async fn serve(world: &Path) -> anyhow::Result<()> {
    let world = World::open(world);
    let key = KeyPair::from_pem(&world.text("ca.key")?)?;
    let issuer = Issuer::from_ca_cert_pem(&world.text("ca.crt")?, key)?;
    let authority = RcgenAuthority::new(issuer, 1_000, Arc::unwrap_or_clone(provider()));
    let mut http = HttpConnector::new_with_resolver(Loopback);
    http.enforce_http(false);
    http.set_nodelay(true);
    let tls = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(&world.file("ca.crt"))?)
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(&[listener.local_addr()?.port()]);
    let proxy = Proxy::builder()
        .with_listener(listener)
        .with_ca(authority)
        .with_http_connector(connector)
        .build()?;
    Ok(proxy.start().await?)
}
