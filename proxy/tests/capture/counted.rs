//! What is counted as the agent's attempt: what the capture rules rejected, and nothing that the
//! proxy, the kernel or somebody outside did.

use crate::namespaces::{AGENT, Namespaces, POD_V4, POD_V6, PROXY, ROOT, Side, WORLD_V4, WORLD_V6};
use crate::sockets::{LOOPBACK, any, bind, connect, listen, original};
use exeat_proxy::entry::rejected;
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;

fn rejected(namespaces: &Namespaces) -> u64 {
    // This thread's namespace; `/proc/net` is that of the process.
    namespaces.within(Side::Pod, ROOT, || rejected::count(Path::new("/proc/thread-self/net")))
}

#[test]
fn every_rejected_datagram_counts_once() {
    let namespaces = Namespaces::captured();
    for world in [WORLD_V4, WORLD_V6] {
        let before = rejected(&namespaces);
        let client = bind(&namespaces, Side::Pod, AGENT, SocketAddr::new(any(world), 0));
        for port in 400..410 {
            assert!(client.send_to(b"secret", SocketAddr::new(world, port)).is_err());
        }
        assert_eq!(rejected(&namespaces) - before, 10, "{world}");
    }
}

/// The collector is away: its Service answers the proxy with ICMP or a reset, or not at all.
#[test]
fn an_idle_agent_does_nothing_while_the_proxy_is_refused_outside() {
    let namespaces = Namespaces::captured();
    let before = rejected(&namespaces);
    // A Service without endpoints is refused by the node, with ICMP.
    namespaces.refuse_outside(8443);
    for world in [WORLD_V4, WORLD_V6] {
        for port in [8443, 8444] {
            assert!(connect(&namespaces, PROXY, SocketAddr::new(world, port)).is_err());
        }
        let asks = bind(&namespaces, Side::Pod, PROXY, SocketAddr::new(any(world), 0));
        asks.connect(SocketAddr::new(world, 53)).unwrap();
        asks.send(b"question").unwrap();
        assert!(asks.recv(&mut [0; 8]).is_err(), "nobody listens there");
    }
    assert_eq!(rejected(&namespaces), before);
}

/// The kernel reports groups at the start and whenever a router asks; it cannot, and nothing fails.
#[test]
fn reports_of_groups_are_no_attempt() {
    let namespaces = Namespaces::captured();
    let before = rejected(&namespaces);
    let member = bind(&namespaces, Side::Pod, AGENT, SocketAddr::new(any(WORLD_V6), 0));
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x1234);
    namespaces.within(Side::Pod, AGENT, || member.join_multicast_v6(&group, 0)).unwrap();
    let watching = namespaces.sniff();
    assert!(!watching.saw(&group.octets()));
    assert_eq!(rejected(&namespaces), before);
}

#[test]
fn what_the_kernel_says_by_itself_is_not_the_agents() {
    let namespaces = Namespaces::captured();
    let before = rejected(&namespaces);
    // An answer that comes after the proxy has closed.
    let outside = bind(&namespaces, Side::World, ROOT, SocketAddr::new(WORLD_V4, 53));
    let own = SocketAddr::new(POD_V4, 45_678);
    let question = bind(&namespaces, Side::Pod, PROXY, own);
    question.send_to(b"question", SocketAddr::new(WORLD_V4, 53)).unwrap();
    outside.recv(&mut [0; 16]).unwrap();
    drop(question);
    outside.send_to(b"late", own).unwrap();
    // Somebody outside tries ports of the pod that nobody has.
    let stray = namespaces.within(Side::World, ROOT, || {
        drop(std::net::TcpStream::connect(SocketAddr::new(POD_V4, 9)));
        UdpSocket::bind(SocketAddr::new(WORLD_V4, 0)).unwrap()
    });
    stray.connect(SocketAddr::new(POD_V4, 9)).unwrap();
    stray.send(b"anybody").unwrap();
    assert!(stray.recv(&mut [0; 8]).is_err(), "the kernel refuses it");
    assert_eq!(rejected(&namespaces), before);
}

/// There each is recorded and counted one by one.
#[test]
fn tcp_to_the_proxys_own_ports_is_led_to_where_it_is_refused() {
    let namespaces = Namespaces::captured();
    for (own, pod) in [(LOOPBACK[0], POD_V4), (LOOPBACK[1], POD_V6)] {
        let refusing = listen(&namespaces, Side::Pod, PROXY, SocketAddr::new(own, 15021));
        for port in [15001, 15053, 15020] {
            for address in [own, pod] {
                let target = SocketAddr::new(address, port);
                let _client = connect(&namespaces, AGENT, target).expect("it is accepted");
                assert_eq!(original(&refusing.accept().unwrap().0), target);
            }
        }
    }
}
