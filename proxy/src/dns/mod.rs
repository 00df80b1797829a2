//! The agent's DNS: every question that it sends anywhere arrives here.

pub mod answer;
mod kept;
mod relay;
mod synthetic;

pub use kept::Kept;
pub use relay::{NoRecords, Records};
pub use synthetic::{Meaning, Names, Synthetic};

use crate::gate::{Allowed, Ask, Ending, Gate, Noted, Ruling, Subject};
use crate::refusal::Refusal;
use answer::{Answered, Question, Ruled, Zone};
use exeat_policy::action::Action;
use exeat_policy::{Code, Verdict};
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
/// Questions that are asked outside at once.
const OUTSIDE: usize = 64;
/// Shortest datagram that every client takes (RFC 1035 §4.2.1).
const DATAGRAM: usize = 512;

/// Serves both protocols on one socket address.
pub struct Server {
    gate: Gate,
    synthetic: Arc<Synthetic>,
    zone: Zone,
    outside: Arc<dyn Records>,
    places: Arc<Semaphore>,
}

/// What becomes of a packet.
enum Handled {
    /// The answer, if there is one.
    Now(Option<Vec<u8>>),
    /// The answer has to be found outside first.
    Later(Box<Later>),
}

/// A question that may be asked outside.
struct Later {
    question: Question,
    answered: Answered,
    allowed: Allowed,
    subject: Subject,
    limit: Option<usize>,
}

impl Server {
    pub fn new(
        gate: Gate,
        synthetic: Arc<Synthetic>,
        zone: Zone,
        outside: Arc<dyn Records>,
    ) -> Self {
        Self { gate, synthetic, zone, outside, places: Arc::new(Semaphore::new(OUTSIDE)) }
    }

    /// The gate that its questions pass.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Answers datagrams for ever.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn udp(self: Arc<Self>, socket: UdpSocket) -> io::Result<()> {
        let socket = Arc::new(socket);
        let mut buffer = vec![0; 4096];
        loop {
            let (len, peer) = match socket.recv_from(&mut buffer).await {
                Ok(received) => received,
                // The peer closed its port before an earlier answer came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
                Err(error) => return Err(error),
            };
            match self.handle(&buffer[..len], Some(DATAGRAM)) {
                Handled::Now(Some(answer)) => drop(socket.send_to(&answer, peer).await),
                Handled::Now(None) => {}
                Handled::Later(later) => {
                    let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                        if let Some(answer) = self.overloaded(*later) {
                            drop(socket.send_to(&answer, peer).await);
                        }
                        continue;
                    };
                    let (server, socket) = (Arc::clone(&self), Arc::clone(&socket));
                    // It ends by its time limit.
                    tokio::spawn(async move {
                        if let Some(answer) = server.ask_outside(*later).await {
                            drop(socket.send_to(&answer, peer).await);
                        }
                        drop(place);
                    });
                }
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
            let answer = match self.handle(&packet, None) {
                Handled::Now(answer) => answer,
                Handled::Later(later) => match self.places.try_acquire() {
                    Ok(_place) => self.ask_outside(*later).await,
                    Err(_) => self.overloaded(*later),
                },
            };
            let Some(answer) = answer else { return Ok(()) };
            let len = u16::try_from(answer.len()).map_err(io::Error::other)?;
            let mut framed = len.to_be_bytes().to_vec();
            framed.extend_from_slice(&answer);
            timeout(TCP_IDLE, stream.write_all(&framed)).await??;
        }
    }

    /// Decides, records, and only then answers. `limit`: longest datagram where the client names
    /// none.
    fn handle(&self, packet: &[u8], limit: Option<usize>) -> Handled {
        let mut question = match answer::parse(packet) {
            Ok(question) => question,
            Err(answer) => {
                self.gate.journal().metrics().dns_malformed.inc();
                return Handled::Now(answer);
            }
        };
        if let Some(active) = self.gate.policy().load() {
            question.mean(&active.policies);
        }
        let record_type = question.record_type;
        let ask = question.name.clone().map(|name| Ask::Resolve { name, record_type });
        let ruling = ask.map(|ask| self.gate.rule(ask));
        let allowed = match &ruling {
            Some(Ruling::Allowed(allowed)) => Some(allowed.clone()),
            _ => None,
        };
        let decided = ruling.and_then(Ruling::decided);
        let ruled = decided.as_ref().map(|it| Ruled {
            policies: &it.active.policies,
            decision: &it.decision,
            denied: it.active.network.denied_names,
        });
        let mut answered = self.zone.answer(&question, ruled, &self.synthetic);
        let subject = subject(&question);
        self.gate.journal().metrics().asked(record_type, answered.verdict);
        if let (true, Some(allowed)) = (answered.outside, allowed) {
            let later = Later { question, answered, allowed, subject, limit };
            return Handled::Later(Box::new(later));
        }
        let ruling = (answered.verdict, answered.code);
        if self.gate.answered(&subject, ruling, decided.as_ref()).is_err() {
            fail(&mut answered);
        }
        Handled::Now(bytes(&mut answered, limit))
    }

    /// Records the question, asks it, and answers.
    async fn ask_outside(&self, later: Later) -> Option<Vec<u8>> {
        let Later { question, mut answered, allowed, subject, limit } = later;
        match self.gate.record(&allowed, &subject, Noted::default()).await {
            Ok(recorded) => {
                let found = relay::complete(&*self.outside, &question, &mut answered.message).await;
                let refusal = found.err().map(|_| Refusal::UpstreamUnresolved);
                recorded.end(Ending { refusal, ..Ending::default() });
            }
            Err(_) => fail(&mut answered),
        }
        bytes(&mut answered, limit)
    }

    fn overloaded(&self, later: Later) -> Option<Vec<u8>> {
        let Later { mut answered, subject, limit, .. } = later;
        // It is refused whether it can be recorded or not.
        drop(self.gate.answered(&subject, (Verdict::Deny, Code::Overload), None));
        fail(&mut answered);
        bytes(&mut answered, limit)
    }
}

fn subject(question: &Question) -> Subject {
    Subject {
        action: Action::NetworkDns,
        resource: question.asked.clone(),
        query_digest: None,
        method: Some(question.asked_type.clone()),
    }
}

fn fail(answered: &mut Answered) {
    answered.message.metadata.response_code = ResponseCode::ServFail;
    answered.message.answers.clear();
}

fn bytes(answered: &mut Answered, limit: Option<usize>) -> Option<Vec<u8>> {
    let bytes = answered.message.to_vec().ok()?;
    let limit = limit.map(|least| least.max(usize::from(answered.message.max_payload())));
    if limit.is_some_and(|limit| bytes.len() > limit) {
        return answered.message.truncate().to_vec().ok();
    }
    Some(bytes)
}

/// Binds both protocols on an address.
///
/// # Errors
/// When the port is taken.
pub async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    Ok((UdpSocket::bind(address).await?, TcpListener::bind(address).await?))
}
