//! What everything ends at: an HTTP server of our own with TLS and without, and a server of bytes.
//! It does as little as it can for an answer, since it shares the cores with what is measured.

use crate::collector;
use crate::process::ready;
use crate::world::World;
use anyhow::{Context as _, bail, ensure};
use memchr::memmem;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Length of a usual answer, and of a large body in either direction.
pub(crate) const ANSWER: usize = 1024;
pub(crate) const LARGE: usize = 10 << 20;

/// Paths: what has [`ANSWER`] bytes, and what has [`LARGE`].
pub(crate) const SMALL: &str = "/v1/items/7";
pub(crate) const DOWN: &str = "/v1/export";

/// First bytes on a raw connection: send everything back, or send without end.
pub(crate) const ECHO: &[u8; 8] = b"\0\x01echo\r\n";
pub(crate) const FLOOD: &[u8; 8] = b"\0\x01flood\n";

const PIECE: usize = 64 * 1024;
static PIECES: [u8; PIECE] = [b'x'; PIECE];

pub(crate) async fn serve(world: &Path) -> anyhow::Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(World::open(world).server_config()?));
    let mut listeners = Vec::new();
    for _ in 0..4 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await?);
    }
    let ports = listeners.iter().map(|it| Ok(it.local_addr()?.port()));
    ready(&ports.collect::<std::io::Result<Vec<_>>>()?);
    let [tls, plain, raw, collector] =
        <[TcpListener; 4]>::try_from(listeners).map_err(|_| anyhow::anyhow!("not four"))?;
    let encrypted = acceptor.clone();
    tokio::try_join!(
        accept(tls, move |stream| {
            let acceptor = encrypted.clone();
            async move { answers(acceptor.accept(stream).await?).await }
        }),
        accept(plain, answers),
        accept(raw, bytes),
        collector::serve(collector, acceptor),
    )?;
    Ok(())
}

async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let served = serve(stream);
        tokio::spawn(async move {
            if let Err(error) = served.await {
                // Proxies cut connections; what matters is seen by the client.
                tracing::debug!("Connection ended: {error:#}");
            }
        });
    }
}

/// HTTP/1.1: one answer after the other on one connection.
async fn answers(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> anyhow::Result<()> {
    let mut small = answer_head(ANSWER);
    small.extend_from_slice(&PIECES[..ANSWER]);
    let mut buffer = vec![0; PIECE];
    let mut have = 0;
    loop {
        let head = loop {
            if let Some(head) = memmem::find(&buffer[..have], b"\r\n\r\n") {
                break head + 4;
            }
            ensure!(have < buffer.len(), "the head is too long");
            match stream.read(&mut buffer[have..]).await? {
                0 => return Ok(()),
                read => have += read,
            }
        };
        let large = memmem::find(&buffer[..head], DOWN.as_bytes()).is_some();
        let length = body_length(&buffer[..head])?;
        have = drain(&mut stream, &mut buffer, head, have, length).await?;
        if large {
            stream.write_all(&answer_head(LARGE)).await?;
            for _ in 0..LARGE / PIECE {
                stream.write_all(&PIECES).await?;
            }
        } else {
            stream.write_all(&small).await?;
        }
        stream.flush().await?;
    }
}

fn answer_head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n")
        .into_bytes()
}

/// Reads a body away. What was read of the next request is at the start of the buffer afterwards,
/// and its length is returned.
async fn drain(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
    head: usize,
    have: usize,
    length: usize,
) -> anyhow::Result<usize> {
    if have - head >= length {
        buffer.copy_within(head + length..have, 0);
        return Ok(have - head - length);
    }
    let mut missing = length - (have - head);
    while missing > 0 {
        let most = missing.min(buffer.len());
        let read = stream.read(&mut buffer[..most]).await?;
        ensure!(read > 0, "the body broke off");
        missing -= read;
    }
    Ok(0)
}

/// Proxies may spell names of headers in either way, but keep the client's framing.
fn body_length(head: &[u8]) -> anyhow::Result<usize> {
    let text = std::str::from_utf8(head).context("the head is not text")?;
    if text.starts_with("GET ") {
        return Ok(0);
    }
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("content-length") {
            return Ok(value.trim().parse()?);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a body without a length");
        }
    }
    Ok(0)
}

/// What is no HTTP: as the first bytes say.
async fn bytes(mut stream: TcpStream) -> anyhow::Result<()> {
    let mut first = [0; 8];
    stream.read_exact(&mut first).await?;
    if first == *FLOOD {
        loop {
            stream.write_all(&PIECES).await?;
        }
    }
    let mut buffer = vec![0; PIECE];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read]).await?,
        }
    }
}
