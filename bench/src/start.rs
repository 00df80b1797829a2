//! Starts what is measured.

use crate::client::{careful, careless};
use crate::exeat;
use crate::peers::{Peer, Setting};
use crate::process::Process;
use crate::subject::{Subject, Way};
use crate::world::{Destination, Upstream};
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU16;

/// What is measured.
#[derive(Debug, Clone)]
pub(crate) enum Proxy {
    Direct,
    Exeat,
    /// With rules that look into bodies.
    Scanning,
    /// With every record on disk before the request goes out.
    Synced,
    Hudsucker,
    Peer(Peer, PathBuf),
}

/// How names of variants begin.
const OURS: &str = "Exeat";
const OPEN: &[Destination] = &[Destination::Tls, Destination::Plain, Destination::Raw];
const FORGING: &[Destination] =
    &[Destination::Tls, Destination::Plain, Destination::Raw, Destination::Cold];
/// squid and mitmproxy take tunnels apart, or refuse what is no TLS in them.
const WEB: &[Destination] = &[Destination::Tls, Destination::Plain, Destination::Cold];

impl Proxy {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Direct => "no proxy",
            Self::Exeat => OURS,
            Self::Scanning => "Exeat, scanning",
            Self::Synced => "Exeat, Synced",
            Self::Hudsucker => "hudsucker",
            Self::Peer(peer, _) => peer.name(),
        }
    }

    /// A process of its own in the directory of the run; `tag` tells it from others of its kind.
    pub(crate) async fn start(&self, setting: &Setting<'_>, tag: &str) -> anyhow::Result<Subject> {
        let world = setting.world;
        let mut authority = world.file("ca.crt");
        let process = match self {
            Self::Direct => None,
            Self::Exeat | Self::Scanning | Self::Synced => {
                let dir = world.file(&format!("exeat-{tag}"));
                let process = self.ours(setting, &dir).await?;
                authority = dir.join("trust/ca.crt");
                Some(process)
            }
            Self::Hudsucker => {
                let threads = setting.threads.to_string();
                Some(Process::of_ours(&["hudsucker", text(world.dir())?, &threads]).await?)
            }
            Self::Peer(peer, binary) => Some(peer.start(setting, binary).await?),
        };
        let (way, destinations) = self.reached();
        let subject = Subject {
            name: self.name(),
            variant: matches!(self, Self::Scanning | Self::Synced),
            foreign: matches!(self, Self::Peer(..)),
            threads: self.threads(setting),
            process,
            way,
            destinations,
            upstream: setting.upstream,
            names_used: AtomicU16::new(0),
            careless: careless()?,
            careful: careful(&authority)?,
        };
        subject.check().await?;
        Ok(subject)
    }

    async fn ours(&self, setting: &Setting<'_>, dir: &Path) -> anyhow::Result<Process> {
        let Upstream { tls, plain, raw, collector } = setting.upstream;
        let ports = format!("{tls},{plain},{raw},{collector}");
        let mut arguments = vec!["exeat", text(setting.world.dir())?, text(dir)?, &ports];
        match self {
            Self::Scanning => arguments.push("--scanning"),
            Self::Synced => arguments.extend(["--durability", "Synced"]),
            _ => {}
        }
        Process::of_ours(&arguments).await
    }

    fn reached(&self) -> (Way, &'static [Destination]) {
        match self {
            Self::Direct => (Way::Direct, OPEN),
            Self::Exeat | Self::Scanning | Self::Synced => (Way::Redirected, &Destination::ALL),
            Self::Hudsucker => (Way::Asked, FORGING),
            Self::Peer(peer, _) if peer.asked() => (Way::Asked, WEB),
            Self::Peer(..) => (Way::Redirected, OPEN),
        }
    }

    fn threads(&self, setting: &Setting<'_>) -> usize {
        match self {
            Self::Direct => 0,
            Self::Exeat | Self::Scanning | Self::Synced => usize::from(exeat::THREADS),
            // Neither has threads.
            Self::Peer(Peer::Mitmproxy | Peer::Squid, _) => 1,
            Self::Hudsucker | Self::Peer(..) => setting.threads,
        }
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is not text")
}
