//! The client: requests one after the other on kept connections, as fast as answers come.

use crate::upstream::ANSWER;
use crate::world::HOST;
use anyhow::{Context as _, bail, ensure};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PATIENCE: Duration = Duration::from_secs(10);

/// Where the client connects, and as what it reaches the upstream from there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) port: u16,
    /// Asked for by CONNECT first, where the proxy is one that has to be asked.
    pub(crate) connect: Option<u16>,
    pub(crate) tls: Arc<ClientConfig>,
}

/// What was seen of one load.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// Ascending, in microseconds.
    latencies: Vec<f64>,
}

impl Seen {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `share` of the requests did not exceed, in microseconds.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let at = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }
}

/// Runs `connections` for `duration`. Any answer but the expected one is an error.
pub(crate) async fn run(
    target: &Target,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Seen> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect(target).await?);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for stream in open {
        tasks.spawn(requests(stream, begun + duration));
    }
    let mut latencies = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        latencies.extend(ended??);
    }
    let elapsed = begun.elapsed();
    latencies.sort_by(f64::total_cmp);
    Ok(Seen { requests: latencies.len() as u64, elapsed, latencies })
}

async fn connect(target: &Target) -> anyhow::Result<TlsStream<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", target.port)).await?;
    stream.set_nodelay(true)?;
    if let Some(port) = target.connect {
        let ask = format!("CONNECT {HOST}:{port} HTTP/1.1\r\nhost: {HOST}:{port}\r\n\r\n");
        stream.write_all(ask.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "CONNECT was refused");
    }
    let connector = TlsConnector::from(target.tls.clone());
    Ok(connector.connect(ServerName::try_from(HOST)?, stream).await?)
}

async fn requests(mut stream: TlsStream<TcpStream>, until: Instant) -> anyhow::Result<Vec<f64>> {
    let request = format!("GET /v1/items/7 HTTP/1.1\r\nhost: {HOST}\r\naccept: */*\r\n\r\n");
    let mut buffer = vec![0; 16 * 1024];
    let mut latencies = Vec::new();
    loop {
        let asked = Instant::now();
        if asked >= until {
            return Ok(latencies);
        }
        stream.write_all(request.as_bytes()).await?;
        tokio::time::timeout(PATIENCE, answer(&mut stream, &mut buffer)).await??;
        latencies.push(asked.elapsed().as_secs_f64() * 1e6);
    }
}

/// Reads one answer, which must be the upstream's.
async fn answer(stream: &mut TlsStream<TcpStream>, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut have = 0;
    loop {
        let read = stream.read(&mut buffer[have..]).await?;
        ensure!(read > 0, "the connection ended after {have} bytes of an answer");
        have += read;
        let Some(head) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let text = std::str::from_utf8(&buffer[..head]).context("the head is not text")?;
        if !text.starts_with("HTTP/1.1 200") {
            bail!("unexpected answer: {}", String::from_utf8_lossy(&buffer[..have]));
        }
        let length = text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.trim().parse::<usize>().ok());
        ensure!(length == Some(ANSWER), "the answer's length is {length:?}");
        if have >= head + 4 + ANSWER {
            ensure!(have == head + 4 + ANSWER, "the answer is too long");
            return Ok(());
        }
    }
}
