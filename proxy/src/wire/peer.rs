//! Whether the program at the other end of a captured connection is still there.
//!
//! A program that closes its socket and one that only ends its sending side look the same on the
//! wire: a FIN. Both ends of a captured connection are in one network namespace, so the kernel can
//! be asked for the other socket (`sock_diag(7)`): one that no program holds any more has no inode.

use super::Io;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

/// `AF_NETLINK`, `NETLINK_SOCK_DIAG`, `SOCK_DIAG_BY_FAMILY`, `NLM_F_REQUEST`, `NLMSG_ERROR`.
const NETLINK: i32 = 16;
const SOCK_DIAG: i32 = 4;
const BY_FAMILY: u16 = 20;
const REQUEST: u16 = 1;
const ERROR: u16 = 2;
const TCP: u8 = 6;
const LISTEN: u8 = 10;
const NOT_FOUND: i32 = -2;
/// Of a request and of an answer, headers included; where the answer has its state and its inode.
const REQUEST_BYTES: usize = 72;
const STATE_AT: usize = 17;
const INODE_AT: usize = 84;

/// The other socket of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    own: SocketAddr,
    /// What it is connected to as it sees it: where it meant to go, or our own address.
    reached: [SocketAddr; 2],
}

/// What the kernel says of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    BySomebody,
    ByNobody,
}

impl Peer {
    /// `original`: where the agent connected to. None for what is not TCP.
    pub fn of(stream: &Io, original: SocketAddr) -> Option<Self> {
        let (local, own) = stream.addresses()?;
        Some(Self { own, reached: [original, local] })
    }

    /// Whether no program holds the other socket any more. What cannot be told is no.
    pub fn has_left(&self) -> bool {
        let held = self.reached.map(|reached| look_up(self.own, reached));
        held.iter().all(|held| matches!(held, Ok(Held::ByNobody)))
    }
}

/// Asks for the socket that is bound to `own` and connected to `reached`.
fn look_up(own: SocketAddr, reached: SocketAddr) -> io::Result<Held> {
    let socket = socket2::Socket::new(NETLINK.into(), socket2::Type::RAW, Some(SOCK_DIAG.into()))?;
    // The kernel answers before `send` returns.
    socket.set_nonblocking(true)?;
    socket.send(&request(own, reached))?;
    let mut answer = [0; 512];
    let read = (&socket).read(&mut answer)?;
    read_answer(&answer[..read]).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// `nlmsghdr` and `inet_diag_req_v2`.
fn request(own: SocketAddr, reached: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REQUEST_BYTES);
    bytes.extend_from_slice(&(REQUEST_BYTES as u32).to_ne_bytes());
    bytes.extend_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes.extend_from_slice(&REQUEST.to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    let family: u8 = if own.is_ipv4() { 2 } else { 10 };
    bytes.extend_from_slice(&[family, TCP, 0, 0]);
    // Any state.
    bytes.extend_from_slice(&u32::MAX.to_ne_bytes());
    bytes.extend_from_slice(&own.port().to_be_bytes());
    bytes.extend_from_slice(&reached.port().to_be_bytes());
    for ip in [own.ip(), reached.ip()] {
        let mut address = [0; 16];
        match ip {
            IpAddr::V4(v4) => address[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => address = v6.octets(),
        }
        bytes.extend_from_slice(&address);
    }
    // Any interface, any cookie.
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&[0xff; 8]);
    bytes
}

fn read_answer(answer: &[u8]) -> Option<Held> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if kind == ERROR {
        let error = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
        return (error == NOT_FOUND).then_some(Held::ByNobody);
    }
    let state = *answer.get(STATE_AT)?;
    let inode = u32::from_ne_bytes(answer.get(INODE_AT..INODE_AT + 4)?.try_into().ok()?);
    (kind == BY_FAMILY).then_some(match (state, inode) {
        (LISTEN, _) | (_, 0) => Held::ByNobody,
        _ => Held::BySomebody,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};

    #[test]
    fn a_socket_that_is_half_closed_is_still_held_and_a_closed_one_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, own) = listener.accept().unwrap();
            let elsewhere = "203.0.113.9:443".parse().unwrap();
            let peer = Peer { own, reached: [elsewhere, server.local_addr().unwrap()] };
            assert!(!peer.has_left(), "{address}");
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!((&server).read(&mut [0; 1]).unwrap(), 0);
            assert!(!peer.has_left(), "{address}: it may still read");
            drop(client);
            assert!(peer.has_left(), "{address}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_gone() {
        assert_eq!(read_answer(&[]), None);
        assert_eq!(read_answer(&[0; 40]), None);
        let mut refused = [0; 20];
        refused[4..6].copy_from_slice(&ERROR.to_ne_bytes());
        refused[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(read_answer(&refused), None);
    }
}
