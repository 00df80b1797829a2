//! The agent's DNS: every question that it sends anywhere arrives here.

pub mod answer;
mod synthetic;

pub use synthetic::{Meaning, Names, Synthetic};

use crate::gate::{Ask, Gate, Subject};
use answer::Zone;
use exeat_policy::action::Action;
use hickory_proto::op::ResponseCode;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

const TCP_CONNECTIONS: usize = 64;
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Serves both protocols on one socket address.
pub struct Server {
    pub gate: Gate,
    pub synthetic: Arc<Synthetic>,
    pub zone: Zone,
}

impl Server {
    /// Answers datagrams for ever.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn udp(self: Arc<Self>, socket: UdpSocket) -> io::Result<()> {
        let mut buffer = vec![0; 4096];
        loop {
            let (len, peer) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                // The peer closed its port before an earlier answer came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            if let Some(answer) = self.handle(&buffer[..len], Some(512)) {
                drop(socket.send_to(&answer, peer).await);
            }
        }
    }

    /// Answers connections for ever.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn tcp(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let connections = Arc::new(Semaphore::new(TCP_CONNECTIONS));
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                // Out of files, perhaps; the agent must not be able to end the proxy by that.
                Err(error) => {
                    tracing::warn!(%error, "Accept failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&connections).try_acquire_owned() else { continue };
            let server = Arc::clone(&self);
            tokio::spawn(async move {
                // A client that stalls or breaks off harms nobody but itself.
                drop(server.connection(stream).await);
                drop(place);
            });
        }
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let packet = timeout(TCP_IDLE, async {
                let len = stream.read_u16().await?;
                let mut packet = vec![0; usize::from(len)];
                stream.read_exact(&mut packet).await?;
                io::Result::Ok(packet)
            })
            .await??;
            let Some(answer) = self.handle(&packet, None) else { return Ok(()) };
            let len = u16::try_from(answer.len()).map_err(io::Error::other)?;
            let mut framed = len.to_be_bytes().to_vec();
            framed.extend_from_slice(&answer);
            timeout(TCP_IDLE, stream.write_all(&framed)).await??;
        }
    }

    /// Decides, records, and only then answers. `limit`: longest datagram where the client names
    /// none.
    fn handle(&self, packet: &[u8], limit: Option<usize>) -> Option<Vec<u8>> {
        let mut question = match answer::parse(packet) {
            Ok(question) => question,
            Err(answer) => return answer,
        };
        if let Some(active) = self.gate.policy().load() {
            question.mean(&active.policies);
        }
        let name = question.name.clone();
        let decided = name.and_then(|name| self.gate.rule(Ask::Resolve { name }).decided());
        let by = decided.as_ref().map(|it| (&it.active.policies, &it.decision));
        let mut answered = self.zone.answer(&question, by, &self.synthetic);
        let subject = Subject {
            action: Action::NetworkDns,
            resource: question.asked.clone(),
            query_digest: None,
            method: Some(question.record_type.to_string()),
        };
        let ruling = (answered.verdict, answered.code);
        if self.gate.answered(&subject, ruling, decided.as_ref()).is_err() {
            answered.message.metadata.response_code = ResponseCode::ServFail;
            answered.message.answers.clear();
        }
        let bytes = answered.message.to_vec().ok()?;
        let limit = limit.map(|least| least.max(usize::from(answered.message.max_payload())));
        if limit.is_some_and(|limit| bytes.len() > limit) {
            return answered.message.truncate().to_vec().ok();
        }
        Some(bytes)
    }
}

/// Binds both protocols on an address.
///
/// # Errors
/// When the port is taken.
pub async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    Ok((UdpSocket::bind(address).await?, TcpListener::bind(address).await?))
}
