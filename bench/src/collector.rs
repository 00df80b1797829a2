//! A collector that acknowledges: it reads a batch and answers with its last place in the chain,
//! but stores and verifies nothing.

use bytes::Bytes;
use exeat_audit::batch::{self, Acknowledged, Limits};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Number of entries by the token of who sent them.
type Stored = Arc<Mutex<HashMap<String, u64>>>;

pub(crate) async fn serve(listener: TcpListener, acceptor: TlsAcceptor) -> anyhow::Result<()> {
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
    let token = match request.headers().get(AUTHORIZATION) {
        Some(token) => token.to_str()?.to_owned(),
        None => String::new(),
    };
    let body = request.into_body().collect().await?.to_bytes();
    let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
    let entries = stored.entry(token).or_default();
    if let Some(end) = end_of(&body)? {
        *entries = end;
    }
    let seq = entries.checked_sub(1);
    let body = serde_json::to_vec(&Acknowledged { seq })?;
    Ok(Response::new(Full::new(Bytes::from(body))))
}

/// The number of entries of a chain up to the end of this batch. None where the body is no batch
/// but the question how far the collector is.
fn end_of(body: &[u8]) -> anyhow::Result<Option<u64>> {
    if body.is_empty() {
        return Ok(None);
    }
    let batch = batch::decompress(body, Limits::COLLECTOR)?;
    Ok(Some(batch::decode(&batch, Limits::COLLECTOR)?.head_seq() + 1))
}
