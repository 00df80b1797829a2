//! What the machine does beside the run.

use crate::process::cpu_of_tree;
use anyhow::Context as _;
use serde::Serialize;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The counters of `/proc/stat` and of our own processes at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    at: Instant,
    /// User and system time of everybody.
    busy: Duration,
    steal: Duration,
    /// User and system time of this process and of those that it started.
    own: Duration,
}

/// What others took of the machine during a measurement, as shares of all its cores.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Others {
    /// Processes that are not of this run.
    pub(crate) foreign: f64,
    /// The hypervisor.
    pub(crate) steal: f64,
}

impl Moment {
    pub(crate) fn now() -> anyhow::Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).map(str::parse).collect::<Result<_, _>>()?;
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        let time = |fields: &[usize]| {
            let ticks: u64 = fields.iter().filter_map(|at| ticks.get(*at)).sum();
            Duration::from_secs_f64(ticks as f64 / per_second)
        };
        // user, nice, system; idle, iowait; irq, softirq, which belong to nobody; steal.
        let (busy, steal) = (time(&[0, 1, 2]), time(&[7]));
        Ok(Self { at: Instant::now(), busy, steal, own: cpu_of_tree(std::process::id())? })
    }

    /// What others took since then.
    pub(crate) fn others(&self) -> anyhow::Result<Others> {
        let now = Self::now()?;
        let all = now.at.duration_since(self.at).as_secs_f64() * cores() as f64;
        let busy = now.busy.saturating_sub(self.busy);
        let foreign = busy.saturating_sub(now.own.saturating_sub(self.own));
        let steal = now.steal.saturating_sub(self.steal);
        Ok(Others { foreign: foreign.as_secs_f64() / all, steal: steal.as_secs_f64() / all })
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What `fdatasync` of one appended record costs here, in microseconds.
pub(crate) fn sync_cost(dir: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(dir.join("sync"))?;
    let mut all = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        file.write_all(&[b'x'; 512])?;
        file.sync_data()?;
        all.push(begun.elapsed().as_secs_f64() * 1e6);
    }
    all.sort_by(f64::total_cmp);
    Ok(all[all.len() / 2])
}
