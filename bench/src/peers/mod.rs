//! The other proxies, as they come: they end TLS, read the request, and send it on over TLS that
//! they verify. None of them decides or records anything. Each has a port for every destination,
//! as a redirection would have it, or one port where it is asked for destinations.

pub(crate) mod hudsucker;

mod envoy;
mod haproxy;
mod mitmproxy;
mod squid;

use crate::process::Process;
use crate::world::{Upstream, World};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What every peer is started with.
pub(crate) struct Setting<'a> {
    pub(crate) world: &'a World,
    pub(crate) upstream: Upstream,
    /// Worker threads, or processes where it has no threads.
    pub(crate) threads: usize,
}

/// A program that the bench starts where the machine has it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    Envoy,
    HaProxy,
    Squid,
    Mitmproxy,
}

impl Peer {
    pub(crate) const ALL: [Self; 4] = [Self::Envoy, Self::HaProxy, Self::Squid, Self::Mitmproxy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Envoy => "Envoy",
            Self::HaProxy => "HAProxy",
            Self::Squid => "squid",
            Self::Mitmproxy => "mitmproxy",
        }
    }

    /// Asked by CONNECT, instead of having a port for each destination.
    pub(crate) fn asked(self) -> bool {
        matches!(self, Self::Squid | Self::Mitmproxy)
    }

    pub(crate) async fn start(
        self,
        setting: &Setting<'_>,
        binary: &Path,
    ) -> anyhow::Result<Process> {
        match self {
            Self::Envoy => envoy::start(setting, binary).await,
            Self::HaProxy => haproxy::start(setting, binary).await,
            Self::Squid => squid::start(setting, binary).await,
            Self::Mitmproxy => mitmproxy::start(setting, binary).await,
        }
    }
}

impl Setting<'_> {
    /// A file of the run's directory with this content.
    fn write(&self, name: &str, content: &str) -> std::io::Result<PathBuf> {
        let file = self.world.file(name);
        std::fs::write(&file, content)?;
        Ok(file)
    }
}

/// A command that ends with this process, however that ends. Libraries are those beside the
/// program, where it was unpacked and not installed.
fn command(binary: &Path) -> Command {
    command_as(&[], binary)
}

/// The same with other options of setpriv, such as who runs it.
fn command_as(options: &[&str], binary: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(options).args(["--pdeathsig", "KILL", "--"]).arg(binary);
    if let Some(root) = unpacked(binary) {
        let libraries = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
        let libraries = libraries.map(|it| root.join(it).to_string_lossy().into_owned());
        command.env("LD_LIBRARY_PATH", libraries.join(":"));
    }
    command
}

/// The root of a package that was unpacked somewhere: what holds `usr/sbin/PROGRAM`.
fn unpacked(binary: &Path) -> Option<&Path> {
    binary.parent()?.parent()?.parent().filter(|root| *root != Path::new("/"))
}
