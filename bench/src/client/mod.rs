//! The client: one thread, so that it costs the proxies as little of the machine as it can.

mod bulk;
mod cold;
mod fresh;
mod http;
mod kept;
mod raw;
mod tls;

pub(crate) use bulk::{Direction, bulk};
pub(crate) use cold::first_connections;
pub(crate) use fresh::fresh;
pub(crate) use kept::{added, kept, open};
pub(crate) use raw::{flood, ping_pong};
pub(crate) use tls::{careful, careless};

use anyhow::ensure;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// What a request goes over.
pub(crate) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// Where the client connects, and as what it reaches the upstream from there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) port: u16,
    /// The authority that is asked for by CONNECT, where the proxy has to be asked.
    pub(crate) connect: Option<String>,
    /// None for HTTP without TLS, and for what is no HTTP.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// For SNI.
    pub(crate) name: String,
    /// For the header.
    pub(crate) host: String,
    /// What stands before the path of a request: nothing, or `http://HOST:PORT`.
    pub(crate) origin: String,
}

impl Target {
    pub(crate) async fn open(&self) -> anyhow::Result<Stream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.set_nodelay(true)?;
        if let Some(authority) = &self.connect {
            ask(&mut stream, authority).await?;
        }
        let Some(config) = &self.tls else { return Ok(Either::Left(stream)) };
        let name = ServerName::try_from(self.name.clone())?;
        let connector = TlsConnector::from(config.clone());
        Ok(Either::Right(connector.connect(name, stream).await?))
    }

    /// The same with another way to do TLS.
    pub(crate) fn with_tls(&self, config: &Arc<ClientConfig>) -> Self {
        Self { tls: self.tls.as_ref().map(|_| config.clone()), ..self.clone() }
    }

    fn request(&self, method: &str, path: &str, length: usize) -> Vec<u8> {
        let Self { origin, host, .. } = self;
        let body = if length > 0 { format!("content-length: {length}\r\n") } else { String::new() };
        let head = format!(
            "{method} {origin}{path} HTTP/1.1\r\nhost: {host}\r\n{body}accept: */*\r\n\r\n"
        );
        head.into_bytes()
    }
}

async fn ask(stream: &mut TcpStream, authority: &str) -> anyhow::Result<()> {
    let ask = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await?;
    let (mut answer, mut have) = ([0; 1024], 0);
    while !answer[..have].ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut answer[have..]).await?;
        ensure!(read > 0, "CONNECT was not answered");
        have += read;
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "CONNECT was refused");
    Ok(())
}

/// What was seen of one load.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Requests, connections, bytes or round trips.
    pub(crate) units: u64,
    pub(crate) elapsed: Duration,
    /// Of single units where they are timed; ascending, in microseconds.
    latencies: Vec<f64>,
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.units as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `share` of the units did not exceed, in microseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }

    fn timed(mut latencies: Vec<f64>, elapsed: Duration) -> Self {
        latencies.sort_by(f64::total_cmp);
        Self { units: latencies.len() as u64, elapsed, latencies }
    }
}

/// Runs timed tasks to their ends.
async fn gather(
    begun: Instant,
    mut tasks: JoinSet<anyhow::Result<Vec<f64>>>,
) -> anyhow::Result<Seen> {
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended??);
    }
    Ok(Seen::timed(latencies, begun.elapsed()))
}

fn microseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}
