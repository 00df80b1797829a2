//! The proxy's connections and the agent's have nothing to do with one another, also where they
//! use the same ports one after the other. Tried with every port that the kernel gives out.

use crate::namespaces::{AGENT, Namespaces, POD_V4, PROXY, ROOT, Side, WORLD_V4, WORLD_V6};
use crate::sockets::{LOOPBACK, PATIENCE, any, bind, listen};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;

/// What the kernel gives out by itself in a new network namespace.
const EPHEMERAL: Range<u16> = 32_768..61_000;
/// Ports of TCP that are tried by one side after the other. The kernel remembers a connection that
/// was reset for ten seconds.
const CHUNK: usize = 500;

#[test]
fn a_question_goes_where_it_should_from_every_port_that_the_other_has_used() {
    let namespaces = Namespaces::captured();
    for (own, world) in [(LOOPBACK[0], WORLD_V4), (LOOPBACK[1], WORLD_V6)] {
        let server = SocketAddr::new(world, 53);
        let at_world = bind(&namespaces, Side::World, ROOT, server);
        let at_proxy = bind(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15053));
        answer_datagrams(at_world, b'W');
        answer_datagrams(at_proxy, b'P');
        // The proxy's come after the agent's, and the agent's after the proxy's.
        for (uid, by) in [(AGENT, b'P'), (PROXY, b'W'), (AGENT, b'P')] {
            let wrong = namespaces.within(Side::Pod, uid, || {
                let asked = EPHEMERAL.map(|port| (port, ask(port, server)));
                asked.filter(|(_, got)| got.as_ref().ok() != Some(&by)).collect::<Vec<_>>()
            });
            assert!(wrong.is_empty(), "uid {uid}: {} ports, such as {:?}", wrong.len(), wrong[0]);
        }
    }
}

#[test]
fn a_connection_goes_where_it_should_from_every_port_that_the_other_has_used() {
    let namespaces = Namespaces::captured();
    for (own, world) in [(LOOPBACK[0], WORLD_V4), (LOOPBACK[1], WORLD_V6)] {
        let server = SocketAddr::new(world, 8443);
        let at_world = listen(&namespaces, Side::World, ROOT, server);
        let at_proxy = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15001));
        answer_connections(at_world, b'W');
        answer_connections(at_proxy, b'P');
        let ports: Vec<u16> = EPHEMERAL.collect();
        for ports in ports.chunks(CHUNK) {
            for (uid, by) in [(AGENT, b'P'), (PROXY, b'W'), (AGENT, b'P')] {
                let wrong = namespaces.within(Side::Pod, uid, || {
                    let called = ports.iter().map(|port| (*port, call(*port, server)));
                    called.filter(|(_, got)| got.as_ref().ok() != Some(&by)).collect::<Vec<_>>()
                });
                let many = wrong.len();
                assert!(wrong.is_empty(), "uid {uid}: {many} ports, such as {:?}", wrong[0]);
            }
        }
    }
}

/// A closed socket has no owner, and its last segments no uid.
#[test]
fn what_the_proxy_sent_before_it_closed_arrives_from_a_port_that_the_agent_used() {
    let namespaces = Namespaces::captured();
    for (own, world) in [(LOOPBACK[0], WORLD_V4), (LOOPBACK[1], WORLD_V6)] {
        let server = SocketAddr::new(world, 8443);
        let outside = listen(&namespaces, Side::World, ROOT, server);
        let capture = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15001));
        let agents = namespaces.within(Side::Pod, AGENT, || from_port(45_678, server)).unwrap();
        reset(capture.accept().unwrap().0);
        is_reset(agents);
        let client = namespaces.within(Side::Pod, PROXY, || from_port(45_678, server)).unwrap();
        let (arrived, _) = outside.accept().unwrap();
        let sent = fill_and_close(client, b'x');
        assert_eq!(read_all(arrived).len(), sent);
    }
}

/// The same for the agent, whose last segments must reach the proxy and nobody else.
#[test]
fn what_the_agent_sent_before_it_closed_reaches_the_proxy_alone() {
    let namespaces = Namespaces::captured();
    for (own, world) in [(LOOPBACK[0], WORLD_V4), (LOOPBACK[1], WORLD_V6)] {
        let server = SocketAddr::new(world, 8443);
        let outside = listen(&namespaces, Side::World, ROOT, server);
        let capture = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15001));
        // The proxy had a connection from that port, and the kernel remembers it.
        let before = namespaces.within(Side::Pod, PROXY, || from_port(45_678, server)).unwrap();
        reset(outside.accept().unwrap().0);
        is_reset(before);
        let watching = namespaces.sniff();
        let client = namespaces.within(Side::Pod, AGENT, || from_port(45_678, server)).unwrap();
        let (arrived, _) = capture.accept().unwrap();
        let sent = fill_and_close(client, b's');
        assert_eq!(read_all(arrived).len(), sent);
        assert!(!watching.saw(b"ssssssss"), "the agent's last segments left the pod");
    }
}

/// A reply that comes late finds no socket; the kernel says so, and that is nobody's attempt.
#[test]
fn the_kernel_may_answer_what_comes_too_late_for_the_proxy() {
    let namespaces = Namespaces::captured();
    let server = SocketAddr::new(WORLD_V4, 53);
    let outside = bind(&namespaces, Side::World, ROOT, server);
    let own = SocketAddr::new(POD_V4, 45_678);
    let question = bind(&namespaces, Side::Pod, PROXY, own);
    question.send_to(b"question", server).unwrap();
    outside.connect(own).unwrap();
    outside.recv(&mut [0; 16]).unwrap();
    drop(question);
    outside.send(b"late").unwrap();
    let told = outside.recv(&mut [0; 16]).unwrap_err();
    assert_eq!(told.kind(), ErrorKind::ConnectionRefused);
}

fn answer_datagrams(socket: UdpSocket, by: u8) {
    socket.set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 16];
        while let Ok((_, from)) = socket.recv_from(&mut buffer) {
            // Who asked may have left already.
            drop(socket.send_to(&[by], from));
        }
    });
}

fn ask(port: u16, server: SocketAddr) -> io::Result<u8> {
    let socket = UdpSocket::bind(SocketAddr::new(any(server.ip()), port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(b"?", server)?;
    let mut got = [0];
    socket.recv_from(&mut got)?;
    Ok(got[0])
}

/// Says who it is, and resets the connection once it was heard: so the client's port is free at
/// once, and what the kernel remembers of the connection stays.
fn answer_connections(listener: TcpListener, by: u8) {
    SockRef::from(&listener).set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            drop(stream.set_read_timeout(Some(PATIENCE)));
            drop(stream.write_all(&[by]));
            drop(stream.read(&mut [0]));
            reset(stream);
        }
    });
}

fn call(port: u16, server: SocketAddr) -> io::Result<u8> {
    let mut stream = from_port(port, server)?;
    let mut got = [0];
    stream.read_exact(&mut got)?;
    stream.write_all(b"!")?;
    // Until it is reset.
    drop(stream.read(&mut [0]));
    Ok(got[0])
}

fn from_port(port: u16, server: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    if server.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    bind_when_free(&socket, SocketAddr::new(any(server.ip()), port))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect_timeout(&server.into(), PATIENCE)?;
    Ok(socket.into())
}

/// On a busy machine the kernel may not be done with the port's last connection yet.
fn bind_when_free(socket: &Socket, at: SocketAddr) -> io::Result<()> {
    for _ in 0..100 {
        match socket.bind(&at.into()) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            bound => return bound,
        }
    }
    socket.bind(&at.into())
}

fn reset(stream: TcpStream) {
    drop(SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)));
}

/// Waits for it: then the port is free.
fn is_reset(mut stream: TcpStream) {
    let ended = stream.read(&mut [0]).unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::ConnectionReset);
}

/// Sends more than the kernel can deliver before somebody reads.
fn fill_and_close(client: TcpStream, byte: u8) -> usize {
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(len) = (&client).write(&[byte; 16 * 1024]) {
        sent += len;
    }
    sent
}

fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_to_end(&mut got).expect("the connection ends in order");
    got
}
