//! Resident memory: of a proxy that was just started, with many connections open, and after much
//! went through it.

use crate::client::{self, Direction};
use crate::process::{Memory, Process};
use crate::subject::Subject;
use crate::world::Destination;
use anyhow::Context as _;
use serde::Serialize;
use std::time::Duration;

pub(crate) const CONNECTIONS: usize = 1_000;
/// What goes through, over as many connections, and how long it may take at most.
const BYTES: usize = 1 << 30;
const AT_ONCE: usize = 4;
const LIMIT: Duration = Duration::from_secs(8);

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Footprint {
    /// Right after the start and one request.
    pub(crate) idle: Memory,
    /// With [`CONNECTIONS`] MITM connections that each had an answer.
    pub(crate) open: Memory,
    /// Before and after a gigabyte of 10 MiB answers, in a process of its own.
    pub(crate) before: Memory,
    pub(crate) after: Memory,
    /// What went through, where time ran out before.
    pub(crate) through_mib: u64,
}

/// Needs a process that did nothing yet.
pub(crate) async fn idle_and_open(subject: &Subject) -> anyhow::Result<[Memory; 2]> {
    let (process, target) = parts(subject)?;
    process.settle().await?;
    let idle = process.memory()?;
    let kept = client::open(&target, CONNECTIONS).await?;
    process.settle().await?;
    let open = process.memory()?;
    drop(kept);
    Ok([idle, open])
}

/// Needs a process that did nothing yet. Before and after, and how many MiB went through.
pub(crate) async fn before_and_after(subject: &Subject) -> anyhow::Result<([Memory; 2], u64)> {
    let (process, target) = parts(subject)?;
    process.settle().await?;
    let before = process.memory()?;
    let seen = client::bulk(&target, Direction::Down, AT_ONCE, LIMIT, BYTES).await?;
    process.settle().await?;
    Ok(([before, process.memory()?], seen.units >> 20))
}

fn parts(subject: &Subject) -> anyhow::Result<(&Process, client::Target)> {
    let process = subject.process.as_ref().context("it is no process")?;
    let target = subject.target(Destination::Tls).context("it has no TLS")?;
    Ok((process, target))
}
