//! What was measured, as tables for people and as JSON.

use crate::decisions::Decision;
use crate::goals::Goal;
use crate::memory::{CONNECTIONS, Footprint};
use crate::process::Memory;
use crate::results::{Ratio, Round, Value, ratio, typical};
use crate::start::Proxy;
use crate::work::Work;
use clap::ValueEnum as _;
use serde::Serialize;
use std::fmt;

/// Added latencies below this are as much the scheduler's as the proxy's.
const NOISE_US: f64 = 5.0;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) cores: usize,
    /// Median of `fdatasync` after an append.
    pub(crate) sync_us: f64,
    pub(crate) spool_in_memory: bool,
    pub(crate) connections: usize,
    /// Worker threads by name.
    pub(crate) threads: Vec<(String, usize)>,
    pub(crate) rounds: Vec<Round>,
    pub(crate) memory: Vec<(String, Footprint)>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) goals: Vec<Goal>,
}

/// A column of a work's table.
struct Column {
    title: String,
    value: Value,
    /// Below it, there is no ratio.
    floor: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let disk = if self.spool_in_memory { "memory" } else { "disk" };
        let threads: Vec<_> = self
            .threads
            .iter()
            .filter(|(_, threads)| *threads > 0)
            .map(|(name, threads)| format!("{name} {threads}"))
            .collect();
        writeln!(
            f,
            "{} cores shared by client, proxy and upstream; {} connections where there are many; \
             fdatasync of an appended record ({disk}): {:.0} µs; worker threads: {}. Behind each \
             value: Exeat's over it, median of the ratios within each round (lowest to highest).",
            self.cores,
            self.connections,
            self.sync_us,
            threads.join(", ")
        )?;
        Work::value_variants().iter().try_for_each(|work| self.table(f, *work))?;
        self.memory(f)?;
        self.decisions(f)?;
        writeln!(f, "\n### Goals\n\n| | wanted | measured | met |\n|---|--:|--:|---|")?;
        self.goals.iter().try_for_each(|goal| writeln!(f, "{}", goal.row()))
    }
}

impl Report {
    fn table(&self, f: &mut fmt::Formatter<'_>, work: Work) -> fmt::Result {
        let of_work: Vec<_> = self.rounds.iter().filter(|it| it.work == work).collect();
        let Some(first) = of_work.first() else { return Ok(()) };
        let dropped = of_work.iter().filter(|it| it.disturbed).count();
        writeln!(f, "\n### {}\n", work.title())?;
        writeln!(f, "{} rounds, {dropped} dropped as disturbed\n", of_work.len())?;
        let columns = columns(work);
        let titles: Vec<_> = columns.iter().map(|it| it.title.as_str()).collect();
        writeln!(f, "| | {} |", titles.join(" | "))?;
        writeln!(f, "|---|{}", "--:|".repeat(columns.len()))?;
        let mut names: Vec<_> = first.samples.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_by_key(|name| self.threads.iter().position(|(it, _)| it == name));
        for name in names {
            write!(f, "| {name} |")?;
            for column in &columns {
                write!(f, " {} |", self.cell(work, name, column))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.memory.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n### Memory\n\nResident MiB, and how much of it is anonymous\n")?;
        writeln!(f, "| | idle | {CONNECTIONS} connections | before | after 1 GiB down |")?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        for (name, found) in &self.memory {
            let cell = |it: Memory| {
                format!("{:.1} ({:.1})", it.rss as f64 / 1024.0, it.anonymous as f64 / 1024.0)
            };
            let Footprint { idle, open, before, after, through_mib } = *found;
            let short =
                if through_mib < 1024 { format!(", {through_mib} MiB") } else { String::new() };
            writeln!(
                f,
                "| {name} | {} | {} | {} | {}{short} |",
                cell(idle),
                cell(open),
                cell(before),
                cell(after)
            )?;
        }
        Ok(())
    }

    fn decisions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.decisions.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n### Decisions\n\n| | rules | ns |\n|---|--:|--:|")?;
        for Decision { kind, rules, nanoseconds } in &self.decisions {
            writeln!(f, "| {kind} | {rules} | {nanoseconds:.0} |")?;
        }
        Ok(())
    }

    fn cell(&self, work: Work, name: &str, column: &Column) -> String {
        let Some(value) = typical(&self.rounds, work, name, column.value) else {
            return String::new();
        };
        if value == 0.0 {
            return String::new();
        }
        let ours = Proxy::Exeat.name();
        let digits = if value.abs() < 10.0 { 1 } else { 0 };
        let value = format!("{value:.digits$}");
        match ratio(&self.rounds, work, [ours, name], column.value, column.floor) {
            Some(Ratio { median, least, most }) if name != ours => {
                format!("{value} ({median:.2} ×, {least:.2} – {most:.2})")
            }
            _ => value,
        }
    }
}

fn columns(work: Work) -> Vec<Column> {
    let column =
        |title: &str, value: Value, floor| Column { title: title.to_owned(), value, floor };
    let unit = work.unit();
    let mut all = match work {
        Work::Latency => vec![
            column("p50 µs", |it| it.p50_us, 0.0),
            column("p99 µs", |it| it.p99_us, 0.0),
            column("added p50 µs", |it| it.added_p50_us, NOISE_US),
            column("added p99 µs", |it| it.added_p99_us, NOISE_US),
        ],
        Work::Cold => vec![column("longer than the second, µs", |it| it.added_p50_us, NOISE_US)],
        _ => vec![
            column(&format!("{unit}/s"), |it| it.per_second, 0.0),
            column(&format!("CPU µs per {}", unit.trim_end_matches('s')), |it| it.cpu_us, 0.0),
        ],
    };
    if matches!(work, Work::Keepalive | Work::Newconn | Work::Plain | Work::Pingpong | Work::Synced)
    {
        all.push(column("p50 µs", |it| it.p50_us, 0.0));
        all.push(column("p99 µs", |it| it.p99_us, 0.0));
    }
    all
}
