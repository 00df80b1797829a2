//! The agent's DNS: every question that it sends anywhere arrives here.

pub mod answer;
mod synthetic;

pub use synthetic::Synthetic;

use crate::connection::{Meaning, Names};
use crate::metrics::ProxyMetrics;
use crate::spool::{AuditError, AuditLog, now};
use crate::state::PolicyState;
use answer::{Answered, Question, Zone};
use exeat_audit::record::Record;
use exeat_policy::action::Action;
use hickory_proto::op::ResponseCode;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Questions in work at once; more are dropped, and clients ask again.
const IN_WORK: usize = 512;
const TCP_CONNECTIONS: usize = 64;
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Serves both protocols on one socket address.
pub struct Server {
    pub policies: Arc<PolicyState>,
    pub synthetic: Arc<Synthetic>,
    pub audit: AuditLog,
    pub metrics: Arc<ProxyMetrics>,
    pub zone: Zone,
}

impl Server {
    /// Answers datagrams for ever.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn udp(self: Arc<Self>, socket: UdpSocket) -> io::Result<()> {
        let socket = Arc::new(socket);
        let in_work = Arc::new(Semaphore::new(IN_WORK));
        let mut buffer = vec![0; 4096];
        loop {
            let (len, peer) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                // The peer closed its port before an earlier answer came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            let Ok(place) = Arc::clone(&in_work).try_acquire_owned() else { continue };
            let (server, socket, packet) =
                (Arc::clone(&self), Arc::clone(&socket), buffer[..len].to_vec());
            tokio::spawn(async move {
                if let Some(answer) = server.handle(&packet, Some(512)).await {
                    drop(socket.send_to(&answer, peer).await);
                }
                drop(place);
            });
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
            let Some(answer) = self.handle(&packet, None).await else { return Ok(()) };
            let len = u16::try_from(answer.len()).map_err(io::Error::other)?;
            let mut framed = len.to_be_bytes().to_vec();
            framed.extend_from_slice(&answer);
            timeout(TCP_IDLE, stream.write_all(&framed)).await??;
        }
    }

    /// Decides, records, and only then answers. `limit`: longest datagram where the client names
    /// none.
    async fn handle(&self, packet: &[u8], limit: Option<usize>) -> Option<Vec<u8>> {
        let question = match answer::parse(packet) {
            Ok(question) => question,
            Err(answer) => return answer,
        };
        let active = self.policies.load();
        let policies = active.as_ref().map(|active| &active.policies);
        let mut answered = self.zone.answer(&question, policies, &self.synthetic);
        self.metrics.decided(Action::NetworkDns, answered.verdict, answered.code);
        let digest = policies.map(exeat_policy::Policies::digest);
        if self.record(&question, &answered, digest).is_err() {
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

    /// The answer is all that comes of a question, so it has no outcome. A refusal is one whether it
    /// is written or not.
    fn record(
        &self,
        question: &Question,
        answered: &Answered,
        digest: Option<&str>,
    ) -> Result<(), AuditError> {
        let decision = answered.decision.as_ref();
        let (time, method) = (now(), question.record_type.to_string());
        let rule = decision.and_then(|d| d.rule.as_ref()).map(ToString::to_string);
        let reason = decision.map(|d| d.reason.to_string());
        let observed = decision.and_then(|d| d.observed.as_ref());
        let record = RecordRef {
            action: Some(Action::NetworkDns.as_str()),
            resource: Some(&question.asked),
            method: Some(&method),
            effect: Some(answered.verdict.as_str()),
            observed: observed.map(|observed| observed.verdict.as_str()),
            rule: rule.as_deref(),
            code: Some(answered.code.as_str()),
            reason: reason.as_deref(),
            policy: digest,
            ..RecordRef::new(Kind::Intent, &time)
        };
        if answered.verdict == Verdict::Allow {
            return self.audit.append_answer(record);
        }
        self.audit.denied(record);
        Ok(())
    }
}

impl Names for Synthetic {
    fn meaning(&self, address: IpAddr) -> Meaning {
        match self.name_of(address) {
            Some(name) => Meaning::Name(name),
            None if Self::covers(address) => Meaning::Nothing,
            None => Meaning::Address,
        }
    }
}

/// Binds both protocols on an address.
///
/// # Errors
/// When the port is taken.
pub async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    Ok((UdpSocket::bind(address).await?, TcpListener::bind(address).await?))
}
