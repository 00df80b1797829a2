//! Sockets of either side, each of which waits only so long.

use crate::namespaces::{Namespaces, Side};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long nothing must arrive to count as nothing.
pub(crate) const QUIET: Duration = Duration::from_millis(300);
pub(crate) const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

pub(crate) fn listen(namespaces: &Namespaces, side: Side, uid: u32, at: SocketAddr) -> TcpListener {
    // Ports of the world below 1024 need root; the pod's are above.
    namespaces.within(side, uid, || {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        if at.is_ipv6() {
            socket.set_only_v6(true).unwrap();
        }
        socket.bind(&at.into()).unwrap_or_else(|error| panic!("{at}: {error}"));
        socket.listen(16).unwrap();
        // Holds for `accept` too: a test that waits for what never comes fails.
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.into()
    })
}

pub(crate) fn bind(namespaces: &Namespaces, side: Side, uid: u32, at: SocketAddr) -> UdpSocket {
    let socket = namespaces.within(side, uid, || UdpSocket::bind(at)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub(crate) fn connect(
    namespaces: &Namespaces,
    uid: u32,
    target: SocketAddr,
) -> io::Result<TcpStream> {
    let stream =
        namespaces.within(Side::Pod, uid, || TcpStream::connect_timeout(&target, PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A connection's uid is that of whoever accepted it.
pub(crate) fn accept(namespaces: &Namespaces, uid: u32, listener: &TcpListener) -> TcpStream {
    namespaces.within(Side::Pod, uid, || listener.accept().unwrap().0)
}

pub(crate) fn raw(domain: Domain, protocol: Protocol) -> Socket {
    let socket =
        Socket::new(domain, Type::RAW, Some(protocol)).expect("root may open a raw socket");
    socket.set_read_timeout(Some(QUIET)).unwrap();
    socket
}

pub(crate) fn any(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

pub(crate) fn original(stream: &TcpStream) -> SocketAddr {
    let socket = SockRef::from(stream);
    let v4 = stream.local_addr().unwrap().is_ipv4();
    let found = if v4 { socket.original_dst_v4() } else { socket.original_dst_v6() };
    found.unwrap().as_socket().unwrap()
}

pub(crate) fn assert_nothing_arrived(listener: &TcpListener) {
    listener.set_nonblocking(true).unwrap();
    std::thread::sleep(QUIET);
    let arrived = listener.accept();
    assert!(arrived.as_ref().is_err_and(timed_out), "something arrived: {arrived:?}");
}

pub(crate) fn assert_no_datagram(socket: &UdpSocket) {
    socket.set_read_timeout(Some(QUIET)).unwrap();
    let mut buffer = [0; 64];
    let arrived = socket.recv_from(&mut buffer);
    assert!(arrived.as_ref().is_err_and(timed_out), "something arrived: {arrived:?}");
}

pub(crate) fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
