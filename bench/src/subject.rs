//! What is measured: a proxy, or none, and how a client reaches the upstream through it.

use crate::client::{self, Target};
use crate::process::Process;
use crate::world::{Destination, HOST, Upstream};
use anyhow::Context as _;
use rustls::ClientConfig;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;

/// Names that are asked for only twice in a run.
pub(crate) const COLD_NAMES: u16 = 4_000;

/// How the client comes to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// There is no proxy.
    Direct,
    /// As after a redirection: a port for each destination.
    Redirected,
    /// By CONNECT, or by a request whose target names the host.
    Asked,
}

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// Ours with other settings, for some kinds of work.
    pub(crate) variant: bool,
    /// A program that is not built in.
    pub(crate) foreign: bool,
    pub(crate) threads: usize,
    /// None where the client goes to the upstream itself.
    pub(crate) process: Option<Process>,
    pub(crate) way: Way,
    /// What it can do.
    pub(crate) destinations: &'static [Destination],
    pub(crate) upstream: Upstream,
    /// How many names of [`Destination::Cold`] were asked for.
    pub(crate) names_used: AtomicU16,
    /// Checks nothing: for load.
    pub(crate) careless: Arc<ClientConfig>,
    /// Trusts the authority whose certificates this one shows.
    pub(crate) careful: Arc<ClientConfig>,
}

impl Subject {
    /// How to get to a destination; None where this one cannot.
    pub(crate) fn target(&self, destination: Destination) -> Option<Target> {
        self.target_of(destination, 0)
    }

    /// The same for the `n`-th name of a destination that has many.
    pub(crate) fn target_of(&self, destination: Destination, n: u16) -> Option<Target> {
        let at = self.destinations.iter().position(|it| *it == destination)?;
        let host = destination.host(n);
        let upstream = self.upstream.port(destination);
        // What is tunnelled as it is would be resolved for real.
        let raw = destination == Destination::Raw;
        let name = if raw { "127.0.0.1" } else { host.as_str() };
        let authority = format!("{name}:{upstream}");
        let plain = destination == Destination::Plain;
        let asked = self.way == Way::Asked;
        Some(Target {
            port: match (&self.process, self.way) {
                (Some(process), Way::Redirected) => *process.ports.get(at)?,
                (Some(process), _) => *process.ports.first()?,
                (None, _) => upstream,
            },
            connect: (asked && !plain).then(|| authority.clone()),
            tls: (!plain && !raw).then(|| self.careless.clone()),
            origin: if asked && plain { format!("http://{authority}") } else { String::new() },
            // squid takes the port from here.
            host: if asked { authority } else { host.clone() },
            name: host,
        })
    }

    /// Holds it to showing a certificate of its authority for the name, and to the right answer.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        let target = self.target(Destination::Tls).context("it has no TLS")?;
        let target = target.with_tls(&self.careful);
        client::open(&target, 1)
            .await
            .with_context(|| format!("{} does not serve {HOST}", self.name))?;
        Ok(())
    }
}
