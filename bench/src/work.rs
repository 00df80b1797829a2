//! The kinds of work, and how one proxy is measured at one of them.

use crate::client::{self, Direction, Seen, Target};
use crate::machine::{Moment, Others};
use crate::subject::{COLD_NAMES, Subject};
use crate::world::Destination;
use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Before each measurement, to fill pools and caches.
const WARM_UP: Duration = Duration::from_millis(250);
/// Connections that are made beside each other, and those with large bodies.
const FRESH: usize = 16;
const BULK: usize = 4;
/// Names that each proxy is asked for in a round, for the first time and once more.
const COLD: u16 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// MITM, small answers on kept connections.
    Keepalive,
    /// MITM, what is added to the answer at one connection.
    Latency,
    /// MITM, a connection for every request.
    Newconn,
    /// MITM, the first handshake for a name.
    Cold,
    /// HTTP without TLS on kept connections.
    Plain,
    /// A tunnel, bytes in one direction.
    Stream,
    /// A tunnel, small messages there and back.
    Pingpong,
    /// MITM, 10 MiB answers.
    Down,
    /// MITM, 10 MiB requests.
    Up,
    /// Exeat with every record on disk before the request goes out.
    Synced,
    /// Resident memory.
    Memory,
}

impl Work {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Keepalive => "MITM, kept connections, 1 KiB answers",
            Self::Latency => "MITM, latency at one connection",
            Self::Newconn => "MITM, a new connection for every request",
            Self::Cold => "MITM, first handshake for a name",
            Self::Plain => "HTTP without TLS, kept connections, 1 KiB answers",
            Self::Stream => "Tunnel, one stream",
            Self::Pingpong => "Tunnel, 64 bytes there and back",
            Self::Down => "MITM, 10 MiB down",
            Self::Up => "MITM, 10 MiB up",
            Self::Synced => "MITM, kept connections, by durability",
            Self::Memory => "Memory",
        }
    }

    /// What is counted, for people.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Newconn => "connections",
            Self::Pingpong => "round trips",
            Self::Stream | Self::Down | Self::Up => "MiB",
            _ => "requests",
        }
    }

    /// How many of what the client counts make one of these.
    fn size(self) -> f64 {
        match self {
            Self::Stream | Self::Down | Self::Up => f64::from(1 << 20),
            _ => 1.0,
        }
    }

    pub(crate) fn destination(self) -> Destination {
        match self {
            Self::Plain => Destination::Plain,
            Self::Stream | Self::Pingpong => Destination::Raw,
            Self::Cold => Destination::Cold,
            _ => Destination::Tls,
        }
    }
}

/// One proxy at one work in one round.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Sample {
    /// Units per second.
    pub(crate) per_second: f64,
    /// Of the proxy's process, per unit.
    pub(crate) cpu_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Over the upstream without a proxy, at the same time; for [`Work::Cold`] over the second
    /// handshake with the same name.
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
    pub(crate) others: Others,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) duration: Duration,
}

/// Measures `subject` at `work`, to `destination` instead of the work's own where that is a
/// variant of it.
pub(crate) async fn measure(
    work: Work,
    subject: &Subject,
    destination: Destination,
    direct: &Subject,
    load: Load,
) -> anyhow::Result<Sample> {
    let target = subject.target(destination).context("it has no such destination")?;
    let begin = Moment::now()?;
    let mut sample = match work {
        Work::Latency => {
            let direct = direct.target(destination).context("the upstream is not there")?;
            added(&direct, &target, load).await?
        }
        Work::Cold => Sample { added_p50_us: cold(subject).await?, ..Sample::default() },
        _ => loaded(work, subject, &target, load).await?,
    };
    sample.others = begin.others()?;
    if let Some(process) = &subject.process {
        process.settle().await?;
    }
    Ok(sample)
}

async fn loaded(
    work: Work,
    subject: &Subject,
    target: &Target,
    load: Load,
) -> anyhow::Result<Sample> {
    run(work, target, Load { duration: WARM_UP, ..load }).await?;
    let before = match &subject.process {
        Some(process) => {
            process.settle().await?;
            process.cpu()?
        }
        None => Duration::ZERO,
    };
    let seen = run(work, target, load).await?;
    let mut sample = Sample {
        per_second: seen.per_second() / work.size(),
        p50_us: seen.percentile(0.5),
        p99_us: seen.percentile(0.99),
        ..Sample::default()
    };
    if let Some(process) = &subject.process {
        // What is shipped afterwards belongs to these requests too.
        process.settle().await?;
        let spent = process.cpu()?.saturating_sub(before);
        sample.cpu_us = spent.as_secs_f64() * 1e6 / (seen.units as f64 / work.size());
    }
    Ok(sample)
}

async fn run(work: Work, target: &Target, load: Load) -> anyhow::Result<Seen> {
    let Load { connections, duration } = load;
    match work {
        Work::Newconn => client::fresh(target, FRESH, duration).await,
        Work::Stream => client::flood(target, duration).await,
        Work::Pingpong => client::ping_pong(target, connections, duration).await,
        Work::Down => client::bulk(target, Direction::Down, BULK, duration, usize::MAX / 2).await,
        Work::Up => client::bulk(target, Direction::Up, BULK, duration, usize::MAX / 2).await,
        _ => client::kept(target, connections, duration).await,
    }
}

async fn added(direct: &Target, target: &Target, load: Load) -> anyhow::Result<Sample> {
    client::added(direct, target, WARM_UP).await?;
    let [direct, seen] = client::added(direct, target, load.duration).await?;
    let [p50_us, p99_us] = [0.5, 0.99].map(|share| seen.percentile(share));
    Ok(Sample {
        per_second: 1e6 / p50_us,
        p50_us,
        p99_us,
        added_p50_us: p50_us - direct.percentile(0.5),
        added_p99_us: p99_us - direct.percentile(0.99),
        ..Sample::default()
    })
}

async fn cold(subject: &Subject) -> anyhow::Result<f64> {
    let mut targets = Vec::new();
    for _ in 0..COLD {
        let n = subject.names_used.fetch_add(1, Ordering::Relaxed);
        anyhow::ensure!(n < COLD_NAMES, "no names are left");
        targets.push(subject.target_of(Destination::Cold, n).context("it has one name")?);
    }
    client::first_connections(&targets).await
}
