//! Against a server of DNS on loopback.

use super::*;
use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, Record};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::UdpSocket;

const REAL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const SYNTHETIC: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 18, 3, 4)),
    IpAddr::V6(Ipv6Addr::new(0xfd65, 0x7865, 0x6174, 0, 0, 0, 0xc612, 0x0304)),
];

/// Answers as the proxy's own DNS for so many questions of the addresses' type, then as a real one;
/// counts the questions.
async fn server(wrong: IpAddr, times: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (at, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
            let mut message = Message::from_vec(&buffer[..len]).unwrap();
            let query = message.queries[0].clone();
            message.metadata.message_type = MessageType::Response;
            let wanted = if wrong.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            let own = query.query_type == wanted && count.fetch_add(1, Ordering::SeqCst) < times;
            let data = match (own, wrong, query.query_type) {
                (true, IpAddr::V4(ip), _) => Some(RData::A(A(ip))),
                (true, IpAddr::V6(ip), _) => Some(RData::AAAA(AAAA(ip))),
                (false, _, RecordType::A) => Some(RData::A(A(REAL))),
                _ => None,
            };
            if let Some(data) = data {
                message.add_answer(Record::from_rdata(query.name.clone(), 60, data));
            }
            socket.send_to(&message.to_vec().unwrap(), from).await.unwrap();
        }
    });
    (at, asked)
}

#[tokio::test]
async fn an_answer_of_the_proxys_own_dns_is_asked_for_again() {
    let name = Name::parse("api.example.com").unwrap();
    for wrong in SYNTHETIC {
        let (at, _) = server(wrong, 1).await;
        let resolver = Resolver::at([at].into_iter()).unwrap();
        assert_eq!(resolver.resolve(&name).await.unwrap(), [IpAddr::V4(REAL)], "{wrong}");
    }
}

#[tokio::test]
async fn an_answer_of_the_proxys_own_dns_is_never_kept() {
    let name = Name::parse("api.example.com").unwrap();
    for wrong in SYNTHETIC {
        let (at, asked) = server(wrong, 2).await;
        let resolver = Resolver::at([at].into_iter()).unwrap();
        assert!(resolver.resolve(&name).await.is_err(), "{wrong}");
        assert_eq!(asked.load(Ordering::SeqCst), 2, "asked once more, and no oftener");
        assert_eq!(resolver.resolve(&name).await.unwrap(), [IpAddr::V4(REAL)], "{wrong}");
    }
}
