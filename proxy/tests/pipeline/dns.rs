//! The agent's DNS over real sockets.

use crate::world::{World, allow};
use exeat_policy::RecordType;
use exeat_policy::normal::Name;
use exeat_proxy::dns::answer::Zone;
use exeat_proxy::dns::{NoRecords, Records, Server, Synthetic, bind};
use futures::future::BoxFuture;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{Name as DnsName, RData, Record, RecordType as Type};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Knows one service, and whatever was asked.
#[derive(Default)]
struct Outside {
    asked: Mutex<Vec<String>>,
    answers: AtomicUsize,
}

impl Records for Outside {
    fn records<'a>(
        &'a self,
        name: &'a Name,
        of: RecordType,
    ) -> BoxFuture<'a, Result<Vec<Record>, NoRecords>> {
        self.asked.lock().unwrap().push(format!("{name} {of}"));
        self.answers.fetch_add(1, Ordering::SeqCst);
        let owner = DnsName::from_str(name.as_str()).unwrap();
        let target = DnsName::from_str("dc.dir.example.").unwrap();
        let found = RData::SRV(SRV::new(1, 2, 389, target));
        Box::pin(async move { Ok(vec![Record::from_rdata(owner, 300, found)]) })
    }
}

fn rules() -> Vec<serde_json::Value> {
    vec![
        allow("https://*.example.com/**"),
        serde_json::json!({"name": "services", "action": "network.dns", "effect": "Allow",
            "resource": "*.dir.example", "types": ["SRV"]}),
    ]
}

async fn serve(world: &World) -> (SocketAddr, Arc<Outside>) {
    let (udp, tcp) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (at_udp, outside) = (udp.local_addr().unwrap(), Arc::new(Outside::default()));
    let zone = Zone { search: vec!["cluster.local".to_owned()], has_ipv6: true };
    let names = Arc::new(Synthetic::default());
    let server = Arc::new(Server::new(world.gate(), names, zone, outside.clone()));
    tokio::spawn(server.clone().udp(udp));
    tokio::spawn(server.tcp(tcp));
    (at_udp, outside)
}

fn packet(id: u16, name: &str, of: Type) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(DnsName::from_str(name).unwrap(), of));
    message.to_vec().unwrap()
}

async fn ask(socket: &UdpSocket, name: &str, of: Type) -> Message {
    socket.send(&packet(7, name, of)).await.unwrap();
    let mut buffer = [0; 4096];
    let received = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await;
    let len = received.expect("an answer").unwrap();
    Message::from_vec(&buffer[..len]).unwrap()
}

async fn client(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

#[tokio::test]
async fn three_thousand_questions_in_a_row_are_answered() {
    let world = World::under(&rules()).await;
    let (server, _) = serve(&world).await;
    let socket = client(server).await;
    for n in 0..3000 {
        let of = if n % 2 == 0 { Type::A } else { Type::AAAA };
        let answer = ask(&socket, &format!("n{}.example.com.", n / 2), of).await;
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError, "{n}");
        assert_eq!(answer.answers.len(), 1, "{n}");
    }
}

#[tokio::test]
async fn a_service_is_asked_for_outside_and_recorded_before() {
    let world = World::under(&rules()).await;
    let (server, outside) = serve(&world).await;
    let socket = client(server).await;
    let answer = ask(&socket, "_ldap._tcp.dir.example.", Type::SRV).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!(matches!(&answer.answers[..], [one] if one.record_type() == Type::SRV));
    assert_eq!(*outside.asked.lock().unwrap(), ["_ldap._tcp.dir.example SRV"]);
    let records = world.records().await;
    assert!(records.contains("\"method\":\"SRV\""), "{records}");
    assert!(records.contains("\"resource\":\"_ldap._tcp.dir.example\""), "{records}");
    assert!(records.contains("\"kind\":\"Outcome\""), "{records}");
    let metrics = world.metrics.render();
    assert!(metrics.contains("exeat_proxy_dns_questions_total{effect=\"Allow\",type=\"SRV\"} 1"));
    // The name in the answer is only a name.
    let target = ask(&socket, "dc.dir.example.", Type::TXT).await;
    assert!(target.answers.is_empty());
    assert_eq!(outside.answers.load(Ordering::SeqCst), 1);
}

/// Nothing may be carried out by names or types that no rule lists.
#[tokio::test]
async fn nothing_else_is_asked_outside() {
    let world = World::under(&rules()).await;
    let (server, outside) = serve(&world).await;
    let socket = client(server).await;
    for (name, of) in [
        ("secret.dir.example.", Type::TXT),
        ("secret.dir.example.", Type::A),
        ("secret.dir.example.", Type::ANY),
        ("secret.dir.example.", Type::Unknown(65_280)),
        ("secret.example.com.", Type::SRV),
        ("secret.example.com.", Type::HTTPS),
        ("secret.evil.example.", Type::SRV),
        ("dir.example.", Type::SRV),
        ("secret.dir.example.cluster.local.", Type::SRV),
    ] {
        ask(&socket, name, of).await;
    }
    assert!(outside.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_question_that_cannot_be_recorded_is_not_asked() {
    let world = World::with_spool(&rules(), 0).await;
    let (server, outside) = serve(&world).await;
    let socket = client(server).await;
    let answer = ask(&socket, "_ldap._tcp.dir.example.", Type::SRV).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    assert!(outside.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_question_is_counted() {
    let world = World::under(&rules()).await;
    let (server, _) = serve(&world).await;
    let socket = client(server).await;
    for packet in [&b"x"[..], &[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 200]] {
        socket.send(packet).await.unwrap();
    }
    // Datagrams come in order: once this is answered, those have been read.
    ask(&socket, "n.example.com.", Type::A).await;
    assert!(world.metrics.render().contains("exeat_proxy_dns_malformed_total 2"));
}

#[tokio::test]
async fn over_tcp_it_is_the_same() {
    let world = World::under(&rules()).await;
    let names = Arc::new(Synthetic::default());
    let zone = Zone { search: Vec::new(), has_ipv6: false };
    let server = Arc::new(Server::new(world.gate(), names, zone, Arc::new(Outside::default())));
    let (_, tcp) = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let at = tcp.local_addr().unwrap();
    tokio::spawn(server.tcp(tcp));
    let mut stream = TcpStream::connect(at).await.unwrap();
    for (name, of) in [("_ldap._tcp.dir.example.", Type::SRV), ("a.example.com.", Type::A)] {
        let packet = packet(9, name, of);
        stream.write_u16(u16::try_from(packet.len()).unwrap()).await.unwrap();
        stream.write_all(&packet).await.unwrap();
        let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(Message::from_vec(&answer).unwrap().answers.len(), 1, "{name}");
    }
}
