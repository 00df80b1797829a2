//! What was measured, as a table for people and as JSON.

use anyhow::Context as _;
use serde::Serialize;
use std::fmt;

/// Added latencies below this are as much the scheduler's as the proxy's.
const NOISE_US: f64 = 20.0;

/// One proxy in one round.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    /// Of the proxy's process, per request of the throughput part.
    pub(crate) cpu_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Over the upstream without a proxy, just before.
    pub(crate) added_p50_us: f64,
    pub(crate) added_p99_us: f64,
    pub(crate) resident_kib: u64,
}

/// Medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    name: String,
    per_second: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
    added_p50_us: f64,
    added_p99_us: f64,
    resident_kib: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    /// Median of `fdatasync` after an append.
    pub(crate) sync_us: f64,
    pub(crate) spool_in_memory: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<Row>,
}

impl Row {
    pub(crate) fn of(name: &str, samples: &[Sample]) -> anyhow::Result<Self> {
        let median = |value: fn(&Sample) -> f64| {
            let mut all: Vec<f64> = samples.iter().map(value).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().context("nothing was measured")
        };
        Ok(Self {
            name: name.to_owned(),
            per_second: median(|one| one.per_second)?,
            cpu_us: median(|one| one.cpu_us)?,
            p50_us: median(|one| one.p50_us)?,
            p99_us: median(|one| one.p99_us)?,
            added_p50_us: median(|one| one.added_p50_us)?,
            added_p99_us: median(|one| one.added_p99_us)?,
            resident_kib: median(|one| one.resident_kib as f64)?,
        })
    }

    fn is_proxy(&self) -> bool {
        self.cpu_us > 0.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = if self.machine.spool_in_memory { "memory" } else { "disk" };
        writeln!(
            f,
            "{} cores shared by client, proxy and upstream; {} connections; medians of {} rounds;\n\
             fdatasync of an appended record ({disk}): {:.0} µs\n",
            self.machine.cores, self.connections, self.rounds, self.machine.sync_us
        )?;
        writeln!(
            f,
            "| | requests/s | CPU µs/request | p50 µs | p99 µs | added p50 µs | added p99 µs | resident MiB |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|"
        )?;
        for row in &self.rows {
            write!(f, "| {} | {:.0} ", row.name, row.per_second)?;
            if row.is_proxy() {
                let mib = row.resident_kib / 1024.0;
                writeln!(
                    f,
                    "| {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {mib:.0} |",
                    row.cpu_us, row.p50_us, row.p99_us, row.added_p50_us, row.added_p99_us
                )?;
            } else {
                writeln!(f, "| | {:.0} | {:.0} | | | |", row.p50_us, row.p99_us)?;
            }
        }
        let Some(ours) = self.rows.iter().find(|row| row.name.starts_with("Exeat")) else {
            return Ok(());
        };
        writeln!(f, "\n| Exeat against | requests/s | CPU/request | added p50 | added p99 |")?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        for row in self.rows.iter().filter(|row| row.is_proxy() && row.name != ours.name) {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} |",
                row.name,
                ratio(ours.per_second, row.per_second, 0.0),
                ratio(ours.cpu_us, row.cpu_us, 0.0),
                ratio(ours.added_p50_us, row.added_p50_us, NOISE_US),
                ratio(ours.added_p99_us, row.added_p99_us, NOISE_US),
            )?;
        }
        Ok(())
    }
}

/// No ratio to what is within the noise of the measurement.
fn ratio(ours: f64, theirs: f64, noise: f64) -> String {
    if theirs > noise { format!("{:.2} ×", ours / theirs) } else { "–".to_owned() }
}
