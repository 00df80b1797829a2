//! The capture rules, written by the real program into real network namespaces and tried with
//! real sockets: whatever a process that is not the proxy sends ends at the proxy or nowhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apart;
mod counted;
mod foreign;
mod namespaces;
mod sockets;

use namespaces::{AGENT, Namespaces, POD_V4, POD_V6, PROXY, ROOT, Side, WORLD_V4, WORLD_V6};
use socket2::{Domain, Protocol, SockAddr};
use sockets::{
    LOOPBACK, PATIENCE, QUIET, accept, any, assert_no_datagram, assert_nothing_arrived, bind,
    connect, listen, original, raw, timed_out,
};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

#[test]
fn tcp_of_every_other_uid_ends_at_the_proxy() {
    let namespaces = Namespaces::captured();
    for (own, world) in [(LOOPBACK[0], WORLD_V4), (LOOPBACK[1], WORLD_V6)] {
        let proxy = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15001));
        let outside = listen(&namespaces, Side::World, ROOT, SocketAddr::new(world, 8443));
        for uid in [AGENT, ROOT, PROXY + 1] {
            let target = SocketAddr::new(world, 8443);
            let mut client = connect(&namespaces, uid, target).expect("the proxy accepts");
            client.write_all(b"secret").unwrap();
            let (mut captured, _) = proxy.accept().unwrap();
            let mut got = [0; 6];
            captured.read_exact(&mut got).unwrap();
            assert_eq!(&got, b"secret");
            assert_eq!(original(&captured), target, "uid {uid}");
        }
        assert_nothing_arrived(&outside);
    }
}

#[test]
fn the_proxy_itself_goes_free() {
    let namespaces = Namespaces::captured();
    for world in [WORLD_V4, WORLD_V6] {
        let target = SocketAddr::new(world, 8080);
        let outside = listen(&namespaces, Side::World, ROOT, target);
        let mut client = connect(&namespaces, PROXY, target).expect("the proxy reaches the world");
        let (mut arrived, _) = outside.accept().unwrap();
        client.write_all(b"out").unwrap();
        arrived.read_exact(&mut [0; 3]).unwrap();
        arrived.write_all(b"back").unwrap();
        drop(arrived);
        let mut back = String::new();
        client.read_to_string(&mut back).unwrap();
        assert_eq!(back, "back");
    }
}

/// What the proxy has closed is nobody's to go on with.
#[test]
fn a_port_that_the_proxy_left_opens_nothing() {
    let namespaces = Namespaces::captured();
    let target = SocketAddr::new(WORLD_V4, 9999);
    let outside = bind(&namespaces, Side::World, ROOT, target);
    let own = SocketAddr::new(POD_V4, 45_678);
    let mut buffer = [0; 8];
    let socket = bind(&namespaces, Side::Pod, PROXY, own);
    socket.send_to(b"proxy", target).unwrap();
    outside.recv_from(&mut buffer).expect("the proxy's datagram arrives");
    outside.send_to(b"answer", own).unwrap();
    socket.recv_from(&mut buffer).expect("and the answer to it");
    drop(socket);
    let heir = bind(&namespaces, Side::Pod, AGENT, own);
    assert!(heir.send_to(b"secret", target).is_err());
    assert_no_datagram(&outside);
}

/// A closed socket has no owner, and its last segments no uid.
#[test]
fn what_the_proxy_sent_before_it_closed_still_arrives() {
    let namespaces = Namespaces::captured();
    let target = SocketAddr::new(WORLD_V4, 8080);
    let outside = listen(&namespaces, Side::World, ROOT, target);
    let client = connect(&namespaces, PROXY, target).unwrap();
    let (mut arrived, _) = outside.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while let Ok(len) = (&client).write(&[b'x'; 16 * 1024]) {
        sent += len;
    }
    drop(client);
    let mut got = Vec::new();
    arrived.set_read_timeout(Some(PATIENCE)).unwrap();
    arrived.read_to_end(&mut got).expect("the connection ends in order");
    assert_eq!(got.len(), sent);
}

#[test]
fn dns_ends_at_the_proxys_dns_whatever_server_was_meant() {
    let namespaces = Namespaces::captured();
    for (own, world) in [(LOOPBACK[0], WORLD_V4), (LOOPBACK[1], WORLD_V6)] {
        let proxy = SocketAddr::new(own, 15053);
        let (udp, tcp) = (
            bind(&namespaces, Side::Pod, PROXY, proxy),
            listen(&namespaces, Side::Pod, PROXY, proxy),
        );
        let server = SocketAddr::new(world, 53);
        let outside = bind(&namespaces, Side::World, ROOT, server);
        let outside_tcp = listen(&namespaces, Side::World, ROOT, server);
        let client = bind(&namespaces, Side::Pod, AGENT, SocketAddr::new(any(world), 0));
        client.send_to(b"question", server).unwrap();
        let mut buffer = [0; 64];
        let (len, from) = udp.recv_from(&mut buffer).expect("the question is redirected");
        assert_eq!(&buffer[..len], b"question");
        udp.send_to(b"answer", from).unwrap();
        let (len, from) = client.recv_from(&mut buffer).expect("the answer passes");
        assert_eq!(
            (&buffer[..len], from),
            (&b"answer"[..], server),
            "it seems to come from the server"
        );
        connect(&namespaces, AGENT, server).expect("DNS over TCP is redirected");
        tcp.accept().unwrap();
        assert_no_datagram(&outside);
        assert_nothing_arrived(&outside_tcp);
    }
}

#[test]
fn udp_is_rejected_at_once() {
    let namespaces = Namespaces::captured();
    for world in [WORLD_V4, WORLD_V6] {
        for port in [443, 123, 9999] {
            let target = SocketAddr::new(world, port);
            let outside = bind(&namespaces, Side::World, ROOT, target);
            let client = bind(&namespaces, Side::Pod, AGENT, SocketAddr::new(any(world), 0));
            client.connect(target).unwrap();
            let error = client.send(b"secret").and_then(|_| client.recv(&mut [0; 8])).unwrap_err();
            assert!(!timed_out(&error), "{target}: rejected, not swallowed: {error}");
            assert_no_datagram(&outside);
        }
    }
}

#[test]
fn other_protocols_do_not_leave_even_by_a_raw_socket() {
    let namespaces = Namespaces::captured();
    let outside = namespaces.within(Side::World, ROOT, || raw(Domain::IPV4, Protocol::ICMPV4));
    // Container root has no NET_RAW; this one has it, and still gets nothing out.
    namespaces.within(Side::Pod, ROOT, || {
        let echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
        let sent = raw(Domain::IPV4, Protocol::ICMPV4)
            .send_to(&echo, &SockAddr::from(SocketAddr::new(WORLD_V4, 0)));
        assert!(sent.is_err(), "an echo request was sent");
        let forged = raw(Domain::IPV4, Protocol::UDP);
        let datagram = [0x27, 0x0f, 0x27, 0x0f, 0, 9, 0, 0, b's'];
        let sent = forged.send_to(&datagram, &SockAddr::from(SocketAddr::new(WORLD_V4, 9999)));
        assert!(sent.is_err(), "a forged datagram was sent");
        let six = raw(Domain::IPV6, Protocol::ICMPV6);
        let sent =
            six.send_to(&[128, 0, 0, 0, 0, 0, 0, 0], &SockAddr::from(SocketAddr::new(WORLD_V6, 0)));
        assert!(sent.is_err(), "an ICMPv6 echo request was sent");
    });
    let mut buffer = [std::mem::MaybeUninit::uninit(); 64];
    assert!(timed_out(&outside.recv(&mut buffer).unwrap_err()));
}

/// The kernel reports a group that a socket joins by itself, and the group's address is the
/// agent's to choose.
#[test]
fn a_multicast_group_tells_nothing_outside() {
    assert!(join_is_seen(&Namespaces::bare()), "the kernel reports no group here at all");
    assert!(!join_is_seen(&Namespaces::captured()));
}

fn join_is_seen(namespaces: &Namespaces) -> bool {
    let secret = *b"EXFILTRATED-14";
    let mut group = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    group[2..].copy_from_slice(&secret);
    let outside = namespaces.sniff();
    let _member = namespaces.within(Side::Pod, AGENT, || {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        socket.join_multicast_v6(&Ipv6Addr::from(group), 0).unwrap();
        socket
    });
    let end = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < end {
        if outside.saw(&secret) {
            return true;
        }
    }
    false
}

#[test]
fn the_proxys_ports_take_no_direct_connection() {
    let namespaces = Namespaces::captured();
    for (own, pod) in [(LOOPBACK[0], POD_V4), (LOOPBACK[1], POD_V6)] {
        for port in [15001, 15053, 15020] {
            let listener = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(any(own), port));
            for address in [own, pod] {
                for uid in [AGENT, ROOT] {
                    let error =
                        connect(&namespaces, uid, SocketAddr::new(address, port)).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{address} {port}");
                }
            }
            assert_nothing_arrived(&listener);
        }
        let dns = bind(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15053));
        let client = bind(&namespaces, Side::Pod, AGENT, SocketAddr::new(own, 0));
        assert!(client.send_to(b"direct", SocketAddr::new(own, 15053)).is_err());
        assert_no_datagram(&dns);
    }
}

#[test]
fn loopback_is_free_otherwise() {
    let namespaces = Namespaces::captured();
    for address in [LOOPBACK[0], LOOPBACK[1], POD_V4, POD_V6] {
        let target = SocketAddr::new(address, 8080);
        let listener = listen(&namespaces, Side::Pod, AGENT, target);
        connect(&namespaces, AGENT, target).expect("the agent may talk to itself");
        listener.accept().unwrap();
    }
}

#[test]
fn replies_to_those_who_came_in_pass() {
    let namespaces = Namespaces::captured();
    for (pod, uid, port) in [(POD_V4, AGENT, 8080), (POD_V6, AGENT, 8080), (POD_V4, PROXY, 15020)] {
        let target = SocketAddr::new(pod, port);
        let listener = listen(&namespaces, Side::Pod, uid, target);
        let mut client = namespaces
            .within(Side::World, ROOT, || TcpStream::connect_timeout(&target, PATIENCE))
            .expect("the answer to an inbound connection passes");
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        accept(&namespaces, uid, &listener).write_all(b"hello").unwrap();
        let mut got = [0; 5];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
    }
}

/// The port is open to the cluster, so whoever takes it from a dead proxy must not be heard.
#[test]
fn nobody_but_the_proxy_answers_on_its_port_for_metrics() {
    let namespaces = Namespaces::captured();
    for pod in [POD_V4, POD_V6] {
        let target = SocketAddr::new(pod, 15020);
        for uid in [AGENT, ROOT] {
            let _thief = listen(&namespaces, Side::Pod, uid, target);
            let outside = || TcpStream::connect_timeout(&target, QUIET);
            let answered = namespaces.within(Side::World, ROOT, outside);
            assert!(answered.is_err(), "uid {uid} answered at {target}");
        }
    }
}

/// What the proxy wrote before it closed arrives whole, though its socket has no uid any more.
#[test]
fn metrics_arrive_whole() {
    let namespaces = Namespaces::captured();
    let target = SocketAddr::new(POD_V4, 15020);
    let listener = listen(&namespaces, Side::Pod, PROXY, target);
    let connect = || TcpStream::connect_timeout(&target, PATIENCE);
    let mut client = namespaces.within(Side::World, ROOT, connect).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answering = accept(&namespaces, PROXY, &listener);
    let written = vec![b'x'; 1 << 20];
    let sender = std::thread::spawn(move || answering.write_all(&written));
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    sender.join().unwrap().unwrap();
    assert_eq!(got.len(), 1 << 20);
}

#[test]
fn writing_twice_is_writing_once() {
    let namespaces = Namespaces::captured();
    let list = || namespaces.exec(&["nft", "-s", "list", "ruleset"]).stdout;
    let once = list();
    assert!(namespaces.init().status.success());
    assert_eq!(once, list());
    // A table of the same name that is not ours in content is replaced, not merged with.
    let opened = namespaces.exec(&["nft", "insert", "rule", "inet", "exeat", "filter", "accept"]);
    assert!(opened.status.success());
    assert!(namespaces.init().status.success());
    assert_eq!(once, list());
}

#[test]
fn a_pod_without_ipv6_is_captured_too() {
    let namespaces = Namespaces::bare();
    let off = namespaces.exec(&["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]);
    assert!(off.status.success(), "{}", String::from_utf8_lossy(&off.stderr));
    let output = namespaces.init();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let proxy = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(LOOPBACK[0], 15001));
    connect(&namespaces, AGENT, SocketAddr::new(WORLD_V4, 443)).expect("the proxy accepts");
    proxy.accept().unwrap();
}

#[test]
fn without_net_admin_init_fails_and_says_so() {
    let namespaces = Namespaces::bare();
    let program = env!("CARGO_BIN_EXE_exeat-proxy");
    let output = namespaces.exec(&[
        "setpriv",
        "--bounding-set=-net_admin",
        "--inh-caps=-net_admin",
        program,
        "init",
    ]);
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("NET_ADMIN"), "{error}");
    let left = namespaces.exec(&["nft", "list", "ruleset"]).stdout;
    assert!(left.is_empty(), "{}", String::from_utf8_lossy(&left));
}
