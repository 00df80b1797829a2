//! A pod and a world, each a network namespace, joined by one cable. Removed when dropped.

use crate::sockets::QUIET;
use rustix::process::Uid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space, set_thread_uid};
use socket2::{Domain, Protocol, Socket, Type};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) const PROXY: u32 = 1_234_567_890;
pub(crate) const AGENT: u32 = 1000;
pub(crate) const ROOT: u32 = 0;

pub(crate) const WORLD_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 97, 0, 1));
pub(crate) const POD_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 97, 0, 2));
pub(crate) const WORLD_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd97, 0, 0, 0, 0, 0, 0, 1));
pub(crate) const POD_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd97, 0, 0, 0, 0, 0, 0, 2));

/// Which of the two namespaces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Pod,
    World,
}

pub(crate) struct Namespaces {
    pod: String,
    world: String,
}

impl Namespaces {
    /// With the capture rules in place.
    pub(crate) fn captured() -> Self {
        let namespaces = Self::bare();
        let output = namespaces.init();
        assert!(
            output.status.success(),
            "init failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        namespaces
    }

    /// Without them.
    pub(crate) fn bare() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make network namespaces and need root: run them as root (sudo -E make test)"
        );
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made =
            Self { pod: format!("exeat-pod-{unique}"), world: format!("exeat-wld-{unique}") };
        ip(&["netns", "add", &made.pod]);
        ip(&["netns", "add", &made.world]);
        ip(&[
            "-n",
            &made.pod,
            "link",
            "add",
            "eth0",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &made.world,
        ]);
        for (namespace, v4, v6) in [(&made.pod, POD_V4, POD_V6), (&made.world, WORLD_V4, WORLD_V6)]
        {
            ip(&["-n", namespace, "link", "set", "lo", "up"]);
            ip(&["-n", namespace, "link", "set", "eth0", "up"]);
            ip(&["-n", namespace, "address", "add", &format!("{v4}/24"), "dev", "eth0"]);
            ip(&["-n", namespace, "address", "add", &format!("{v6}/64"), "dev", "eth0", "nodad"]);
        }
        ip(&["-n", &made.pod, "route", "add", "default", "via", &WORLD_V4.to_string()]);
        ip(&["-n", &made.pod, "-6", "route", "add", "default", "via", &WORLD_V6.to_string()]);
        made
    }

    /// Runs the init step in the pod, as a pod would.
    pub(crate) fn init(&self) -> Output {
        self.exec(&[env!("CARGO_BIN_EXE_exeat-proxy"), "init"])
    }

    /// Runs a program in the pod's namespace, as root.
    pub(crate) fn exec(&self, command: &[&str]) -> Output {
        Command::new("ip")
            .args(["netns", "exec", &self.pod])
            .args(command)
            .env("EXEAT_PROXY_UID", PROXY.to_string())
            .output()
            .expect("ip can be run")
    }

    /// Watches everything that arrives in the world from now on.
    pub(crate) fn sniff(&self) -> Sniffer {
        const EVERYTHING: i32 = 0x0003;
        self.within(Side::World, ROOT, || {
            let protocol = Protocol::from(i32::from((EVERYTHING as u16).to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
            socket.set_recv_buffer_size(1 << 22).unwrap();
            socket.set_read_timeout(Some(QUIET)).unwrap();
            Sniffer(socket)
        })
    }

    /// Refuses connections to this port of the world by ICMP, as a node does for a Service without
    /// endpoints.
    pub(crate) fn refuse_outside(&self, port: u16) {
        let rules = format!(
            "add table inet refuse; \
             add chain inet refuse input {{ type filter hook input priority 0; }}; \
             add rule inet refuse input tcp dport {port} reject with icmpx type port-unreachable"
        );
        let output = Command::new("ip")
            .args(["netns", "exec", &self.world, "nft", &rules])
            .output()
            .expect("ip can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs `act` on a thread that is in the namespace and has the uid. Sockets that it returns
    /// stay what they were made.
    pub(crate) fn within<T: Send>(
        &self,
        side: Side,
        uid: u32,
        act: impl FnOnce() -> T + Send,
    ) -> T {
        let name = match side {
            Side::Pod => &self.pod,
            Side::World => &self.world,
        };
        let namespace = File::open(format!("/run/netns/{name}")).expect("the namespace is there");
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter the namespace");
                set_thread_uid(Uid::from_raw(uid)).expect("root may take any uid");
                act()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Every packet that arrived in the world.
pub(crate) struct Sniffer(Socket);

impl Sniffer {
    /// Whether some packet had these bytes in it. Waits until none comes any more.
    pub(crate) fn saw(&self, bytes: &[u8]) -> bool {
        let mut buffer = vec![0; 1 << 16];
        // A talkative neighbour must not keep this from ending.
        for _ in 0..100_000 {
            let Ok(read) = (&self.0).read(&mut buffer) else { return false };
            if buffer[..read].windows(bytes.len()).any(|part| part == bytes) {
                return true;
            }
        }
        panic!("the world is never quiet");
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for namespace in [&self.pod, &self.world] {
            // What cannot be removed must not hide why a test failed.
            drop(Command::new("ip").args(["netns", "delete", namespace]).output());
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("ip can be run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {error}", arguments.join(" "));
}
