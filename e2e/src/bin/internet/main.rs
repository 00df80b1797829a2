//! The test internet: every address of the table answers on the same ports, so that what
//! reaches an address depends on Exeat alone.
//!
//! | port | protocol | answer |
//! |---|---|---|
//! | 80 | HTTP/1.1, HTTP/2 by prior knowledge | what was asked, as JSON |
//! | 443 | the same over TLS, certificates for the address's own names | what was asked, as JSON |
//! | 22, 853, 5432, 9000 | TCP | the bytes that came |
//! | 443, 9000 | UDP | the bytes that came |
//!
//! `--backends` names the addresses and ports at which a real server answers instead: what comes
//! there is counted, and handed on.
//!
//! The DNS server runs beside it, on port 53 of every address. `--control` is a Unix socket:
//! `GET /counters` tells what arrived per address, protocol and port, `DELETE /counters` starts
//! again. It fails when no address can be bound; a single port that is taken is left out.

mod authority;
mod backends;
mod counters;
mod echo;
mod hosts;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener};
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, HostCertificates};
use crate::backends::Backends;
use crate::counters::{Counted, Counters, Door};
use crate::echo::Arrival;
use crate::hosts::Host;

const RAW_TCP: [u16; 4] = [22, 853, 5432, 9000];
const RAW_UDP: [u16; 2] = [443, 9000];

/// Servers of the test internet.
#[derive(Parser)]
struct Arguments {
    /// Table of addresses and names. Without it only the authority is made.
    #[arg(long, requires = "control")]
    hosts: Option<PathBuf>,
    /// Where the test authority is kept: PREFIX.crt and PREFIX.key, made when missing.
    #[arg(long)]
    authority: PathBuf,
    /// Table of real servers that answer at some addresses and ports.
    #[arg(long, requires = "hosts")]
    backends: Option<PathBuf>,
    /// Unix socket that tells the counters.
    #[arg(long, requires = "hosts")]
    control: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let authority = Arc::new(Authority::load_or_make(&arguments.authority)?);
    let (Some(hosts), Some(control)) = (arguments.hosts, arguments.control) else {
        return Ok(());
    };
    let table = std::fs::read_to_string(&hosts).context("reading the table of hosts")?;
    let hosts = hosts::parse(&table)?;
    let backends = match arguments.backends {
        Some(file) => {
            backends::parse(&std::fs::read_to_string(&file).context("reading the backends")?)?
        }
        None => Backends::new(),
    };
    let counters = Counters::default();

    let mut doors = 0;
    for host in hosts {
        doors += open_host(host, &backends, &authority, &counters).await?;
    }
    anyhow::ensure!(doors > 0, "no address of the table could be bound");
    println!("serving {doors} doors");
    serve_control(&control, counters).await
}

/// What a TCP port answers, inside of TLS where there is some.
#[derive(Clone)]
struct Answers {
    tls: Option<TlsAcceptor>,
    with: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    Http,
    Echo,
    Backend(SocketAddr),
}

/// Opens every port of a host and tells how many of them could be bound.
async fn open_host(
    host: Host,
    backends: &Backends,
    authority: &Arc<Authority>,
    counters: &Counters,
) -> anyhow::Result<usize> {
    let address = host.address;
    let mut doors = 0;
    for (port, answers) in answers_of(host, backends, authority)? {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => {
                doors += 1;
                tokio::spawn(accept(listener, answers, counters.clone()));
            }
            Err(error) => println!("tcp {address}:{port} not bound: {error}"),
        }
    }
    for port in RAW_UDP {
        match UdpSocket::bind((address, port)).await {
            Ok(socket) => {
                doors += 1;
                tokio::spawn(answer_datagrams(socket, counters.door(address, "udp", port)));
            }
            Err(error) => println!("udp {address}:{port} not bound: {error}"),
        }
    }
    Ok(doors)
}

/// By port: the usual answers, and in their place those of the host's backends.
fn answers_of(
    host: Host,
    backends: &Backends,
    authority: &Arc<Authority>,
) -> anyhow::Result<BTreeMap<u16, Answers>> {
    let address = host.address;
    let certificates = Arc::new(HostCertificates::new(host, authority.clone()));
    let web = tls_config(&certificates, vec![b"h2".to_vec(), b"http/1.1".to_vec()])?;
    let echo = RAW_TCP.map(|port| (port, Answers { tls: None, with: Answer::Echo }));
    let mut ports = BTreeMap::from(echo);
    ports.insert(80, Answers { tls: None, with: Answer::Http });
    ports.insert(443, Answers { tls: Some(web), with: Answer::Http });
    for ((_, port), backend) in backends.iter().filter(|((own, _), _)| *own == address) {
        let offered = backend.tls.clone();
        let tls = offered.map(|offered| tls_config(&certificates, offered)).transpose()?;
        ports.insert(*port, Answers { tls, with: Answer::Backend(backend.to) });
    }
    Ok(ports)
}

fn tls_config(
    certificates: &Arc<HostCertificates>,
    offered: Vec<Vec<u8>>,
) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates.clone());
    config.alpn_protocols = offered;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, answers: Answers, counters: Counters) {
    let Ok(local) = listener.local_addr() else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let stream = Counted::new(stream, counters.door(local.ip(), "tcp", local.port()));
        let answers = answers.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, local, answers).await {
                println!("{local}: {error:#}");
            }
        });
    }
}

async fn serve<S>(stream: S, local: SocketAddr, answers: Answers) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(tls) = answers.tls else {
        return answer(stream, Arrival { local, sni: None }, answers.with).await;
    };
    let stream = tls.accept(stream).await.context("TLS handshake")?;
    let sni = stream.get_ref().1.server_name().map(str::to_owned);
    answer(stream, Arrival { local, sni }, answers.with).await
}

async fn answer<S>(stream: S, place: Arrival, with: Answer) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match with {
        Answer::Http => serve_http(stream, place).await,
        Answer::Echo => echo_stream(stream).await,
        Answer::Backend(to) => hand_on(stream, to).await,
    }
}

/// Bytes in both directions, each until its own end.
async fn hand_on<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    to: SocketAddr,
) -> anyhow::Result<()> {
    let mut backend = TcpStream::connect(to).await.with_context(|| format!("no server at {to}"))?;
    backend.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut stream, &mut backend).await?;
    Ok(())
}

async fn serve_http<S>(stream: S, place: Arrival) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let place = Arc::new(place);
    let service = service_fn(move |request| echo::answer(place.clone(), request));
    auto::Builder::new(TokioExecutor::new())
        .serve_connection_with_upgrades(TokioIo::new(stream), service)
        .await
        .map_err(|error| anyhow::anyhow!("HTTP: {error}"))
}

async fn echo_stream<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> anyhow::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read]).await?;
    }
}

async fn answer_datagrams(socket: UdpSocket, door: Door) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok((read, peer)) = socket.recv_from(&mut buffer).await else { continue };
        door.add(read);
        let _ = socket.send_to(&buffer[..read], peer).await;
    }
}

async fn serve_control(path: &std::path::Path, counters: Counters) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).context("binding the control socket")?;
    loop {
        let (stream, _) = listener.accept().await?;
        let counters = counters.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let counters = counters.clone();
                async move { counters::answer(&counters, &request).await }
            });
            let served = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = served.serve_connection(TokioIo::new(stream), service).await {
                println!("control: {error}");
            }
        });
    }
}

/// True for the addresses that a host may have in the test internet.
fn is_test_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[..3] == [203, 0, 113] || v4.is_link_local(),
        IpAddr::V6(_) => false,
    }
}
