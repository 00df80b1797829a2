//! What is left of the memory after a peak of a thousand connections. It takes a minute and a half:
//! `cargo test --workspace --test pipeline peak -- --ignored --nocapture`.

use crate::world::{API, API_AT, World, allow};
use exeat_proxy::wire::Io;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

const CONNECTIONS: usize = 1000;
const CHILD: &str = "EXEAT_TEST_PEAK_CA";

fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// The proxy, and the server behind it, in a process of their own.
#[tokio::test]
#[ignore = "run by the other one"]
async fn peak_child() {
    let Ok(ca) = std::env::var(CHILD) else { return };
    raise_file_limit();
    let world = World::under(&[allow("https://api.example.com/**")]).await;
    std::fs::write(&ca, world.ca.certificate_pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nport {}", listener.local_addr().unwrap().port());
    let original = format!("{API_AT}:443").parse().unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(world.front.clone().serve(Io::from(stream), original));
    }
}

/// Resident memory without pages of files, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn ask(port: u16, connector: &TlsConnector) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = connector.connect(API.try_into().unwrap(), stream).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n").await.unwrap();
    let mut begin = [0; 15];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
#[ignore = "takes a minute and a half"]
async fn memory_is_given_back_after_a_peak() {
    raise_file_limit();
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "peak::peak_child"])
        .env(CHILD, &ca)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(port) = line.strip_prefix("port ") {
            break port.parse().unwrap();
        }
    };
    let pid = child.id().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    drop(ask(port, &connector).await);
    sleep(Duration::from_secs(1)).await;
    let before = resident(pid);
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(ask(port, &connector).await);
    }
    let peak = resident(pid);
    drop(open);
    sleep(Duration::from_secs(75)).await;
    let after = resident(pid);
    println!("before {before} KiB, at the peak {peak} KiB, after it {after} KiB");
    assert!(after < before + (peak - before) / 4, "{before} {peak} {after}");
}
