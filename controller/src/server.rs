//! HTTP servers with limits: connections, handshakes, headers and bodies are bounded and timed.
//!
//! The version of HTTP is what the TLS handshake agreed on, and HTTP/1 without TLS: nothing waits
//! for a peer's first bytes to tell. A peer that holds its share of connections is closed at once,
//! so that no one address holds every place.

use crate::places::{Guard, PerKey};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

const HANDSHAKE: Duration = Duration::from_secs(5);
/// For the head of a request, from the end of the one before it.
const HEADERS: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });
const DRAIN: Duration = Duration::from_secs(10);
/// One IP address may hold this part of the connections, for whole nodes may stand behind one.
const SHARE: usize = 16;
/// What a client of HTTP/2 sends first.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// A server to run.
pub struct Server {
    /// For the log.
    pub name: &'static str,
    pub router: Router,
    /// None: plain HTTP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Connections beyond this wait in the kernel's queue.
    pub connections: usize,
    /// Bytes of a request's body, where a handler does not say otherwise.
    pub body: usize,
}

/// What a connection holds as long as it lasts.
type Held = (OwnedSemaphorePermit, Guard<IpAddr>);

#[derive(Debug, Clone, Copy)]
enum Version {
    One,
    Two,
}

impl Server {
    /// Binds and serves until `stop`, then lets open requests end for a while.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn run(self, address: SocketAddr, stop: CancellationToken) -> std::io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        info!(server = self.name, address = %listener.local_addr()?, "Listening");
        self.serve(listener, stop).await;
        Ok(())
    }

    /// As [`Self::run`], on a listener.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let permits = Arc::new(Semaphore::new(self.connections));
        let peers = PerKey::new((self.connections / SHARE).max(SHARE));
        let tasks = TaskTracker::new();
        let router = self.router.layer(DefaultBodyLimit::max(self.body));
        let tls = self.tls.map(TlsAcceptor::from);
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = accept(&listener, &permits, &peers) => accepted,
            };
            let Some((stream, held)) = accepted else { continue };
            let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
            tasks.spawn(async move {
                connection(stream, tls, router, stop).await;
                drop(held);
            });
        }
        tasks.close();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            info!(server = self.name, "Connections cut after the drain time");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    peers: &PerKey<IpAddr>,
) -> Option<(TcpStream, Held)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let Some(place) = peers.take(peer.ip().to_canonical()) else {
                debug!(%peer, "Connection closed: the peer holds too many");
                return None;
            };
            Some((stream, (permit, place)))
        }
        Err(error) => {
            // Out of file descriptors, most likely: some connection has to end first.
            debug!(%error, "Connection not accepted");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return http(stream, Version::One, router, stop).await };
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            two(stream, router, stop).await;
        }
        Ok(Ok(stream)) => http(stream, Version::One, router, stop).await,
        Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
        Err(_) => debug!("TLS handshake timed out"),
    }
}

/// HTTP/2. Its pings, which find a dead peer, begin after the preface: that is timed here.
async fn two<S>(mut stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut preface = [0; PREFACE];
    match tokio::time::timeout(HEADERS, stream.read_exact(&mut preface)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return debug!(%error, "Connection ended"),
        Err(_) => return debug!("Connection closed: nothing was sent"),
    }
    let (read, write) = tokio::io::split(stream);
    let stream = tokio::io::join(std::io::Cursor::new(preface).chain(read), write);
    http(stream, Version::Two, router, stop).await;
}

async fn http<S>(stream: S, version: Version, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = match version {
        Version::One => builder.http1_only(),
        Version::Two => builder.http2_only(),
    };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .max_header_list_size(32 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "Connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::future::pending;
    use tokio::io::{AsyncWriteExt, DuplexStream};
    use tokio::net::TcpSocket;
    use tokio::time::timeout;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const WAIT: &[u8] = b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n";

    fn router() -> Router {
        let router = Router::new().route("/", get(|| async { "hello" }));
        router.route("/wait", get(|| async { pending::<&str>().await }))
    }

    async fn start() -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            Server { name: "test", router: router(), tls: None, connections: 1024, body: 1024 };
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.serve(listener, stop.clone()));
        (address, stop, running)
    }

    #[tokio::test]
    async fn it_answers_and_stops_when_told() {
        let (address, stop, running) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        stop.cancel();
        timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    }

    /// Sends `bytes` and nothing more; whether the server ends the connection by itself.
    async fn ends(over_tls: Option<Version>, bytes: &[u8]) -> bool {
        let (mut ours, theirs): (DuplexStream, _) = tokio::io::duplex(64 * 1024);
        let stop = CancellationToken::new();
        let served = tokio::spawn(async move {
            match over_tls {
                Some(Version::Two) => two(theirs, router(), stop).await,
                _ => http(theirs, Version::One, router(), stop).await,
            }
        });
        ours.write_all(bytes).await.unwrap();
        timeout(HEADERS * 5, served).await.is_ok()
    }

    #[tokio::test]
    async fn whoever_says_nothing_loses_its_place() {
        let one = Some(Version::One);
        let two = Some(Version::Two);
        let (a, b, c, d, e) = tokio::join!(
            ends(one, b""),
            ends(one, b"GET / HTTP/1.1\r\nhost"),
            ends(one, ASK),
            ends(two, b""),
            ends(two, b"PRI * HTTP/2.0\r\n"),
        );
        assert_eq!((a, b, c, d, e), (true, true, true, true, true));
        assert!(!ends(one, WAIT).await, "an answer may take its time");
    }

    #[tokio::test]
    async fn the_preface_of_http2_reaches_the_server() {
        let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(two(theirs, router(), CancellationToken::new()));
        // The preface in two parts, and empty SETTINGS.
        ours.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        ours.write_all(b"\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut types = Vec::new();
        for _ in 0..3 {
            let mut head = [0; 9];
            ours.read_exact(&mut head).await.unwrap();
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            ours.read_exact(&mut vec![0; length]).await.unwrap();
            types.push((head[3], head[4]));
            if types.contains(&(4, 1)) {
                return;
            }
        }
        panic!("our SETTINGS were not acknowledged: {types:?}");
    }

    #[tokio::test]
    async fn one_peer_does_not_hold_every_place() {
        let (address, _stop, _running) = start().await;
        let mut held = Vec::new();
        for _ in 0..1024 / SHARE {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(WAIT).await.unwrap();
            held.push(stream);
        }
        let answer = async |mut stream: TcpStream| {
            // A server that has closed already may refuse the bytes.
            let _ = stream.write_all(ASK).await;
            let mut start = [0; 12];
            timeout(Duration::from_secs(5), stream.read_exact(&mut start)).await.unwrap().is_ok()
        };
        assert!(!answer(TcpStream::connect(address).await.unwrap()).await, "closed at once");
        let other = TcpSocket::new_v4().unwrap();
        other.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        assert!(answer(other.connect(address).await.unwrap()).await, "others are served");
        drop(held.pop());
        let mut served = false;
        for _ in 0..50 {
            served = served || answer(TcpStream::connect(address).await.unwrap()).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(served, "a place that was given back is free");
    }
}
