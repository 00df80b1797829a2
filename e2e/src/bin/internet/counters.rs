//! What arrived, per address, protocol and port: packets and bytes as the kernel counted them at
//! the door (`counters.nft`, in the namespace that this program runs in), and beside them the
//! payload bytes that a server read. An address that nothing arrived at has no row.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::process::Command;

const FLUSH: &str = "flush set ip arrivals ports; flush set ip arrivals others";

type Key = (IpAddr, &'static str, u16);

/// All doors; clones count into the same numbers.
#[derive(Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<BTreeMap<Key, Door>>>);

/// The bytes read at one address, protocol and port.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<AtomicU64>);

/// A stream that counts what is read from it.
pub(crate) struct Counted<S> {
    stream: S,
    door: Door,
}

impl Counters {
    pub(crate) fn door(&self, address: IpAddr, protocol: &'static str, port: u16) -> Door {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.entry((address, protocol, port)).or_default().clone()
    }

    async fn reset(&self) -> anyhow::Result<()> {
        nft(&[FLUSH]).await?;
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.values().for_each(|door| door.0.store(0, Ordering::Relaxed));
        Ok(())
    }

    async fn rows(&self) -> anyhow::Result<Value> {
        let listed = nft(&["-jn", "list", "table", "ip", "arrivals"]).await?;
        let listed: Value = serde_json::from_slice(&listed).context("reading nft's answer")?;
        let mut rows: Vec<Value> = elements(&listed).filter_map(|one| self.row(one)).collect();
        rows.sort_by_key(ToString::to_string);
        Ok(rows.into())
    }

    /// `{"val": {"concat": [address, protocol, port]}, "counter": {...}}`; the port may be missing,
    /// the protocol is a number or, whatever nft was told, a name.
    fn row(&self, element: &Value) -> Option<Value> {
        let [address, protocol, port] = [0, 1, 2].map(|at| &element["val"]["concat"][at]);
        let port = u16::try_from(port.as_u64().unwrap_or(0)).ok()?;
        let protocol = protocol_name(protocol);
        let parsed: IpAddr = address.as_str()?.parse().ok()?;
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let door = doors.iter().find(|((address, name, number), _)| {
            (*address, *name, *number) == (parsed, protocol.as_str(), port)
        });
        let payload = door.map(|(_, door)| door.0.load(Ordering::Relaxed));
        Some(json!({
            "address": address,
            "protocol": protocol,
            "port": port,
            "packets": element["counter"]["packets"],
            "bytes": element["counter"]["bytes"],
            "payload": payload.unwrap_or(0),
        }))
    }
}

/// The name of an IP protocol, whether nft found it in `/etc/protocols` or not.
fn protocol_name(protocol: &Value) -> String {
    match protocol.as_u64() {
        Some(1) => "icmp".to_owned(),
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(other) => other.to_string(),
        None => protocol.as_str().unwrap_or_default().to_owned(),
    }
}

/// The elements of every set of a listing by `nft -j`.
fn elements(listed: &Value) -> impl Iterator<Item = &Value> {
    let objects = listed["nftables"].as_array().into_iter().flatten();
    let sets = objects.filter_map(|object| object["set"]["elem"].as_array());
    sets.flatten().map(|element| &element["elem"])
}

async fn nft(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("nft").args(arguments).output().await.context("running nft")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "nft {arguments:?}: {errors}");
    Ok(output.stdout)
}

impl Door {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<S> Counted<S> {
    pub(crate) fn new(stream: S, door: Door) -> Self {
        Self { stream, door }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.door.add(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Answers the control socket.
pub(crate) async fn answer(
    counters: &Counters,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let done = match (request.method(), request.uri().path()) {
        (&Method::GET, "/counters") => counters.rows().await.map(|rows| rows.to_string()),
        (&Method::DELETE, "/counters") => counters.reset().await.map(|()| String::new()),
        _ => Err(anyhow::anyhow!("GET or DELETE /counters")),
    };
    let mut response = Response::default();
    *response.body_mut() = done.map_or_else(
        |error| {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            Full::from(format!("{error:#}\n"))
        },
        Full::from,
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_the_kernel_counted_and_what_a_server_read() {
        let counters = Counters::default();
        counters.door("203.0.113.10".parse().unwrap(), "tcp", 443).add(7);
        let element = |concat: Value| json!({"elem": {"val": {"concat": concat}, "counter": {"packets": 2, "bytes": 120}}});
        let listed = json!({"nftables": [
            {"metainfo": {}},
            {"set": {"name": "ports", "elem": [element(json!(["203.0.113.10", "tcp", 443])), element(json!(["203.0.113.10", 17, 443]))]}},
            {"set": {"name": "others", "elem": [element(json!(["203.0.113.66", 1])), element(json!(["203.0.113.66", 132]))]}},
            {"set": {"name": "empty"}},
        ]});
        let rows: Vec<Value> = elements(&listed).filter_map(|one| counters.row(one)).collect();
        let row = |address, protocol, port, payload| json!({"address": address, "protocol": protocol, "port": port, "packets": 2, "bytes": 120, "payload": payload});
        assert_eq!(
            rows,
            [
                row("203.0.113.10", "tcp", 443, 7),
                row("203.0.113.10", "udp", 443, 0),
                row("203.0.113.66", "icmp", 0, 0),
                row("203.0.113.66", "132", 0, 0),
            ]
        );
    }
}
