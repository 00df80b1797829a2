//! The HTTPS server that everything ends at. It also answers as a collector, by path: it reads a
//! batch and acknowledges its last entry, but stores and verifies nothing.

use crate::process::ready;
use crate::world::World;
use bytes::Bytes;
use exeat_audit::batch::Acknowledged;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Length of every answer.
pub(crate) const ANSWER: usize = 1024;

static ANSWERED: [u8; ANSWER] = [b'x'; ANSWER];

/// Number of entries by the token of who sent them.
type Stored = Arc<Mutex<HashMap<String, u64>>>;

pub(crate) async fn serve(world: &Path) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(World::open(world).server_config()?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ready(listener.local_addr()?.port());
    let stored: Stored = Arc::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, stored) = (acceptor.clone(), stored.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| answer(request, stored.clone()));
            // A proxy that ends cuts its connections.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    stored: Stored,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let Some(token) = request.headers().get(AUTHORIZATION) else {
        request.into_body().collect().await?;
        return Ok(Response::new(Full::new(Bytes::from_static(&ANSWERED))));
    };
    let token = token.to_str()?.to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
    let entries = stored.entry(token).or_default();
    if !body.is_empty() {
        *entries = serde_json::from_slice::<Tail>(&body)?.head.seq + 1;
    }
    let seq = entries.checked_sub(1);
    let body = serde_json::to_vec(&Acknowledged { seq })?;
    Ok(Response::new(Full::new(Bytes::from(body))))
}

/// What of a batch is looked at.
#[derive(Deserialize)]
struct Tail {
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    seq: u64,
}
