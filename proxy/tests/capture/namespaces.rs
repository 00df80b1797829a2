//! A pod and a world, each a network namespace, joined by one cable. Removed when dropped.

use rustix::process::Uid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space, set_thread_uid};
use std::fs::File;
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
