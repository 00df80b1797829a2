//! What every web server of the test internet answers: what it was asked, as JSON.
//! `/status/N` answers with that status, `/bytes/N` with that many bytes `x` (at most 2 GiB).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MOST_BYTES: u64 = 2 << 30;
/// What a long body is sent in.
static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];

type Body = BoxBody<Bytes, Infallible>;

/// Where a request arrived.
pub(crate) struct Arrival {
    pub(crate) local: SocketAddr,
    pub(crate) sni: Option<String>,
}

pub(crate) async fn answer(
    place: Arc<Arrival>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (parts, mut body) = request.into_parts();
    let mut digest = Sha256::new();
    let mut length = 0_u64;
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            digest.update(data);
            length += data.len() as u64;
        }
    }
    let headers: serde_json::Map<String, Value> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect();
    let seen = json!({
        "address": place.local.ip(),
        "port": place.local.port(),
        "sni": place.sni,
        "version": format!("{:?}", parts.version),
        "method": parts.method.as_str(),
        "authority": parts.uri.authority().map(|authority| authority.as_str()),
        "path": parts.uri.path(),
        "query": parts.uri.query(),
        "headers": headers,
        "bodyBytes": length,
        "bodySha256": hex(&digest.finalize()),
    });
    println!("{} {} {} {length} bytes", place.local, parts.method, parts.uri);
    let mut response = respond(parts.uri.path(), &seen);
    if parts.method == Method::HEAD {
        // Over HTTP/2 nobody else leaves it out.
        *response.body_mut() = Full::default().boxed();
    }
    Ok(response)
}

fn respond(path: &str, seen: &Value) -> Response<Body> {
    let mut response = Response::new(Full::from(format!("{seen}\n")).boxed());
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if let Some(status) = path.strip_prefix("/status/").and_then(|text| text.parse().ok()) {
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    }
    if let Some(length) = path.strip_prefix("/bytes/").and_then(|text| text.parse::<u64>().ok()) {
        let length = length.min(MOST_BYTES);
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        *response.body_mut() = bytes_of(length);
    }
    response
}

fn bytes_of(length: u64) -> Body {
    let pieces = stream::unfold(length, |left| async move {
        let now = left.min(PIECE.len() as u64);
        let piece = Bytes::from_static(&PIECE[..usize::try_from(now).ok()?]);
        (now > 0).then(|| (Ok(Frame::data(piece)), left - now))
    });
    StreamBody::new(pieces).boxed()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
