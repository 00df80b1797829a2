//! HTTP/1.1 over TLS to one host of the control API. A connection is kept for the next call and
//! made anew when that fails.

use crate::dial::Resolver;
use arc_swap::ArcSwap;
use bytes::Bytes;
use exeat_policy::normal::{Host, Name};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// Largest answer to a call; streams are bounded by their reader.
const MAX_ANSWER: usize = 1 << 20;

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ControlError {
    #[error("the control API's address {0:?} is not https://HOST:PORT")]
    Url(String),
    #[error("no certificate in {} can be read", exeat_api::env::CONTROL_CA)]
    Roots,
    #[error("the token cannot be read: {0}")]
    Token(std::io::Error),
    #[error("{0} does not resolve")]
    Resolve(String),
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("the call failed: {0}")]
    Http(String),
}

/// The certificates that the control API may chain to; they change while the proxy runs.
pub struct Roots(ArcSwap<ClientConfig>);

impl Roots {
    /// # Errors
    /// When the PEM text holds no certificate.
    pub fn new(pem: &str) -> Result<Self, ControlError> {
        Ok(Self(ArcSwap::from_pointee(client_config(pem)?)))
    }

    /// Replaces them; text without a certificate changes nothing.
    pub fn replace(&self, pem: &str) {
        match client_config(pem) {
            Ok(config) => self.0.store(Arc::new(config)),
            Err(_) => tracing::warn!("Control roots without a certificate ignored"),
        }
    }
}

fn client_config(pem: &str) -> Result<ClientConfig, ControlError> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok);
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(ControlError::Roots);
    }
    let builder = ClientConfig::builder_with_provider(crate::tls::provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| ControlError::Roots)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Where to call and as whom.
#[derive(Clone)]
pub struct ControlConfig {
    pub url: String,
    pub token: PathBuf,
    pub cluster_domain: String,
    pub roots: Arc<Roots>,
    pub resolver: Resolver,
}

/// Calls one host.
#[derive(Clone)]
pub struct Client {
    config: ControlConfig,
    host: Host,
    port: u16,
    kept: Arc<Mutex<Option<SendRequest<Full<Bytes>>>>>,
}

impl Client {
    /// # Errors
    /// When the URL is not `https://HOST:PORT`.
    pub fn new(config: ControlConfig) -> Result<Self, ControlError> {
        let (host, port) =
            parse_url(&config.url).ok_or_else(|| ControlError::Url(config.url.clone()))?;
        Ok(Self { config, host, port, kept: Arc::default() })
    }

    /// Asks and reads the whole answer.
    ///
    /// # Errors
    /// When there is none within twenty seconds, or it is larger than a mebibyte.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), ControlError> {
        self.call(Method::GET, path, None).await
    }

    /// Sends a body of a content type and reads the whole answer.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn post(
        &self,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ControlError> {
        self.call(Method::POST, path, Some((content_type, body))).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<(StatusCode, Bytes), ControlError> {
        let mut kept = self.kept.lock().await;
        let call = async {
            let mut sender = match kept.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => self.connect().await?,
            };
            let request = self.request(method, path, body).await?;
            let response = sender.send_request(request).await.map_err(http_error)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| ControlError::Http(error.to_string()))?.to_bytes();
            *kept = Some(sender);
            Ok((status, body))
        };
        timeout(CALL_LIMIT, call).await.map_err(|_| ControlError::Timeout)?
    }

    /// Calls on a connection of its own and returns the answer as it comes.
    ///
    /// # Errors
    /// When no answer begins within twenty seconds.
    pub async fn stream(&self, path: &str) -> Result<Response<Incoming>, ControlError> {
        let call = async {
            let mut sender = self.connect().await?;
            let request = self.request(Method::GET, path, None).await?;
            sender.send_request(request).await.map_err(http_error)
        };
        timeout(CALL_LIMIT, call).await.map_err(|_| ControlError::Timeout)?
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Vec<u8>)>,
    ) -> Result<Request<Full<Bytes>>, ControlError> {
        let token =
            tokio::fs::read_to_string(&self.config.token).await.map_err(ControlError::Token)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(AUTHORIZATION, format!("Bearer {}", token.trim()));
        let (content_type, body) = body.unzip();
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let body = body.unwrap_or_default();
        request.body(Full::new(Bytes::from(body))).map_err(|e| ControlError::Http(e.to_string()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ControlError> {
        timeout(CONNECT_LIMIT, self.dial()).await.map_err(|_| ControlError::Timeout)?
    }

    async fn dial(&self) -> Result<SendRequest<Full<Bytes>>, ControlError> {
        let tcp = self.tcp().await?;
        let name = match &self.host {
            Host::Name(name) => {
                ServerName::try_from(name.to_string()).map_err(|_| ControlError::Roots)?
            }
            Host::Ip(ip) => ServerName::from(*ip),
        };
        let connector = TlsConnector::from(self.config.roots.0.load_full());
        let tls = connector.connect(name, tcp).await.map_err(ControlError::Connect)?;
        let (sender, connection) = handshake(TokioIo::new(tls)).await.map_err(http_error)?;
        // Ends with its sender: the connection is the sender's other half.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn tcp(&self) -> Result<TcpStream, ControlError> {
        let mut last = std::io::Error::other("the name has no address");
        for ip in self.addresses().await? {
            match TcpStream::connect(SocketAddr::new(ip, self.port)).await {
                Ok(tcp) => {
                    tcp.set_nodelay(true).map_err(ControlError::Connect)?;
                    return Ok(tcp);
                }
                Err(error) => last = error,
            }
        }
        Err(ControlError::Connect(last))
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, ControlError> {
        let name = match &self.host {
            Host::Ip(ip) => return Ok(vec![*ip]),
            Host::Name(name) => name,
        };
        let full = if name.as_str().ends_with(".svc") {
            Name::parse(&format!("{name}.{}", self.config.cluster_domain))
        } else {
            Ok(name.clone())
        };
        let full = full.map_err(|_| ControlError::Url(self.config.url.clone()))?;
        self.config
            .resolver
            .resolve(&full)
            .await
            .map_err(|e| ControlError::Resolve(format!("{full}: {e}")))
    }
}

fn http_error(error: hyper::Error) -> ControlError {
    ControlError::Http(error.to_string())
}

fn parse_url(url: &str) -> Option<(Host, u16)> {
    let authority = url.strip_prefix("https://")?.trim_end_matches('/');
    let (host, port) = authority.rsplit_once(':')?;
    Some((Host::parse(host).ok()?, port.parse().ok()?))
}
