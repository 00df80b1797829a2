//! What the numbers are held against.

use crate::report::Report;
use crate::results::{Value, ratio, typical};
use crate::work::Work;
use serde::Serialize;

const OURS: &str = "Exeat";
const HUDSUCKER: &str = "hudsucker";
const ENVOY: &str = "Envoy";

#[derive(Debug, Clone, Copy, Serialize)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}
use Bound::{AtLeast, AtMost};

/// One thing that is wanted, and what was measured of it.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    what: String,
    unit: &'static str,
    bound: Bound,
    /// None where it was not measured in this run.
    measured: Option<f64>,
}

impl Goal {
    /// As a row of a table: what, wanted, measured, met.
    pub(crate) fn row(&self) -> String {
        let Self { what, unit, measured, .. } = self;
        let (sign, bound) = match self.bound {
            AtLeast(bound) => ("≥", bound),
            AtMost(bound) => ("≤", bound),
        };
        let wanted = format!("{sign} {bound} {unit}");
        let Some(measured) = measured else {
            return format!("| {what} | {wanted} | | not measured |");
        };
        let met = match self.bound {
            AtLeast(bound) => *measured >= bound,
            AtMost(bound) => *measured <= bound,
        };
        let met = if met { "yes" } else { "**no**" };
        format!("| {what} | {wanted} | {measured:.2} {unit} | {met} |")
    }
}

/// Below these, a difference is noise: microseconds of latency, and of CPU.
const LATENCY: f64 = 2.0;

/// Every goal, whether it was measured or not.
pub(crate) fn goals(report: &Report) -> Vec<Goal> {
    let mut goals = compared(report);
    goals.push(cold(report));
    goals.extend(memory(report));
    goals.push(decision(report));
    goals
}

/// Ratios to others, or to ourselves with other settings.
fn compared(report: &Report) -> Vec<Goal> {
    let (rate, cpu): (Value, Value) = (|it| it.per_second, |it| it.cpu_us);
    let (p50, p99): (Value, Value) = (|it| it.added_p50_us, |it| it.added_p99_us);
    let literals = ["Exeat, 64 literals", OURS];
    let regexes = ["Exeat, 10 regular expressions", OURS];
    let wanted: [(Work, &str, Value, [&str; 2], Bound); 18] = [
        (Work::Keepalive, "requests/s", rate, [OURS, HUDSUCKER], AtLeast(1.0)),
        (Work::Keepalive, "requests/s", rate, [OURS, ENVOY], AtLeast(1.3)),
        (Work::Keepalive, "CPU per request", cpu, [OURS, HUDSUCKER], AtMost(1.0)),
        (Work::Latency, "added p50", p50, [OURS, HUDSUCKER], AtMost(1.3)),
        (Work::Latency, "added p99", p99, [OURS, HUDSUCKER], AtMost(1.3)),
        (Work::Latency, "added p50", p50, [OURS, ENVOY], AtMost(0.6)),
        (Work::Latency, "added p99", p99, [OURS, ENVOY], AtMost(0.6)),
        (Work::Newconn, "connections/s", rate, [OURS, HUDSUCKER], AtLeast(2.5)),
        (Work::Newconn, "connections/s", rate, [OURS, ENVOY], AtLeast(0.9)),
        (Work::Plain, "requests/s", rate, [OURS, ENVOY], AtLeast(1.2)),
        (Work::Stream, "MiB/s", rate, [OURS, ENVOY], AtLeast(1.0)),
        (Work::Pingpong, "round trips/s", rate, [OURS, ENVOY], AtLeast(1.0)),
        (Work::Down, "MiB/s", rate, [OURS, ENVOY], AtLeast(1.0)),
        (Work::Down, "MiB/s", rate, [OURS, HUDSUCKER], AtLeast(1.0)),
        (Work::Up, "MiB/s", rate, [OURS, ENVOY], AtLeast(1.0)),
        (Work::Up, "MiB/s", rate, [OURS, HUDSUCKER], AtLeast(1.0)),
        (Work::Up, "MiB/s", rate, literals, AtLeast(0.85)),
        (Work::Up, "MiB/s", rate, regexes, AtLeast(0.85)),
    ];
    let goal = |(work, what, value, pair, bound): (Work, &str, Value, [&str; 2], Bound)| {
        let floor = if work == Work::Latency { LATENCY } else { 0.0 };
        let measured = ratio(&report.rounds, work, pair, value, floor).map(|it| it.median);
        let [ours, theirs] = pair;
        let ours = if ours == OURS { String::new() } else { format!(" ({ours})") };
        let what = format!("{}: {what}{ours}, to {theirs}", work.title());
        Goal { what, unit: "×", bound, measured }
    };
    let mut goals: Vec<_> = wanted.into_iter().map(goal).collect();
    let synced = (Work::Synced, "requests/s", rate, ["Exeat, Synced", OURS], AtLeast(0.8));
    goals.push(goal(synced));
    goals
}

fn cold(report: &Report) -> Goal {
    let measured = typical(&report.rounds, Work::Cold, OURS, |it| it.added_p50_us);
    Goal {
        what: format!("{}: longer than the second", Work::Cold.title()),
        unit: "ms",
        bound: AtMost(0.3),
        measured: measured.map(|it| it / 1000.0),
    }
}

fn memory(report: &Report) -> [Goal; 3] {
    let found = report.memory.iter().find(|(name, _)| name == OURS).map(|(_, it)| it);
    let mib = |kib: u64| kib as f64 / 1024.0;
    let goal = |what: &str, bound, measured| Goal {
        what: format!("Memory, resident: {what}"),
        unit: "MiB",
        bound: AtMost(bound),
        measured,
    };
    [
        goal("idle", 8.0, found.map(|it| mib(it.idle.rss))),
        goal("1,000 MITM connections", 40.0, found.map(|it| mib(it.open.rss))),
        goal(
            "more after 1 GiB than before",
            8.0,
            found.map(|it| mib(it.after.rss) - mib(it.before.rss)),
        ),
    ]
}

fn decision(report: &Report) -> Goal {
    let slowest = report.decisions.iter().map(|it| it.nanoseconds).reduce(f64::max);
    Goal {
        what: "The slowest decision, of 10 to 10,000 rules".to_owned(),
        unit: "µs",
        bound: AtMost(0.15),
        measured: slowest.map(|it| it / 1000.0),
    }
}
