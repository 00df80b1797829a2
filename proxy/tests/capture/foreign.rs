//! Under IPv6 any process may send from an address that its host does not have. Whoever answers
//! such a packet, be it the proxy, the kernel or the agent itself, answers outside.

use crate::namespaces::{AGENT, Namespaces, POD_V6, PROXY, ROOT, Side, WORLD_V6};
use crate::sockets::{LOOPBACK, PATIENCE, bind, listen};
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const MARKER: &[u8] = b"EXFILTRATED";
/// Outside, and not the pod's.
const FOREIGN: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd97, 0, 0, 0, 0, 0, 0, 0x66));

/// The agent's socket with an address of somebody else's.
fn foreign(namespaces: &Namespaces, kind: Type) -> Socket {
    namespaces.within(Side::Pod, AGENT, || {
        let socket = Socket::new(Domain::IPV6, kind, None).unwrap();
        socket.set_freebind_v6(true).unwrap();
        socket.bind(&SocketAddr::new(FOREIGN, 7777).into()).unwrap();
        socket
    })
}

#[test]
fn the_agent_sends_itself_nothing_that_it_could_answer_outside() {
    let namespaces = Namespaces::captured();
    let watching = namespaces.sniff();
    let own = SocketAddr::new(POD_V6, 5000);
    let server = bind(&namespaces, Side::Pod, AGENT, own);
    let sent = foreign(&namespaces, Type::DGRAM).send_to(b"open", &own.into());
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(server.send_to(MARKER, SocketAddr::new(FOREIGN, 7777)).is_err());
    assert!(!watching.saw(MARKER));
}

/// The kernel's answer to a closed port has the datagram in it.
#[test]
fn the_kernel_does_not_answer_outside_for_the_agent() {
    let namespaces = Namespaces::captured();
    let watching = namespaces.sniff();
    let closed = SocketAddr::new(POD_V6, 5001);
    drop(foreign(&namespaces, Type::DGRAM).send_to(MARKER, &closed.into()));
    assert!(!watching.saw(MARKER));
}

/// An answer to a question has the question in it.
#[test]
fn the_proxy_does_not_answer_outside_for_the_agent() {
    let namespaces = Namespaces::captured();
    let watching = namespaces.sniff();
    let dns = bind(&namespaces, Side::Pod, PROXY, SocketAddr::new(LOOPBACK[1], 15053));
    let server = SocketAddr::new(WORLD_V6, 53);
    let sent = foreign(&namespaces, Type::DGRAM).send_to(MARKER, &server.into());
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::PermissionDenied);
    // Were it to come through all the same, it is not answered outside.
    assert!(!watching.saw(MARKER));
    drop(dns);
}

#[test]
fn no_connection_begins_at_an_address_of_somebody_else() {
    let namespaces = Namespaces::captured();
    let watching = namespaces.sniff();
    let own = SocketAddr::new(POD_V6, 5000);
    let _server = listen(&namespaces, Side::Pod, AGENT, own);
    let _proxy = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(LOOPBACK[1], 15001));
    for target in [own, SocketAddr::new(WORLD_V6, 8443)] {
        let socket = foreign(&namespaces, Type::STREAM);
        assert!(socket.connect_timeout(&target.into(), PATIENCE).is_err(), "{target}");
    }
    let IpAddr::V6(foreign) = FOREIGN else { unreachable!() };
    assert!(!watching.saw(&foreign.octets()), "somebody answered outside");
}

/// What comes from outside is answered there all the same.
#[test]
fn a_datagram_from_outside_is_answered() {
    let namespaces = Namespaces::captured();
    let server = bind(&namespaces, Side::Pod, AGENT, SocketAddr::new(POD_V6, 5000));
    let client = bind(&namespaces, Side::World, ROOT, SocketAddr::new(WORLD_V6, 7777));
    client.send_to(b"question", SocketAddr::new(POD_V6, 5000)).unwrap();
    let mut buffer = [0; 16];
    let (_, from) = server.recv_from(&mut buffer).unwrap();
    server.send_to(b"answer", from).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap(), 6);
}
