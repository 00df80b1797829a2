//! Where the time of our proxy goes: `perf` beside a load, as stacks for a flame graph and as a
//! table of functions.

use crate::subject::Subject;
use crate::work::{Load, Work, measure};
use anyhow::{Context as _, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Samples per second. No divisor of common timer rates, so as not to beat with them.
const RATE: &str = "997";
/// Stacks are unwound from this many bytes of them.
const UNWIND: &str = "dwarf,16384";
/// Rows of the table.
const ROWS: usize = 60;

/// Records `subject` at `work`, and writes `profile.folded` and `profile.txt` to `dir`.
pub(crate) async fn profile(
    work: Work,
    subject: &Subject,
    direct: &Subject,
    load: Load,
    dir: &Path,
) -> anyhow::Result<()> {
    let pid = subject.process.as_ref().context("it is no process")?.pid.to_string();
    let data = dir.join("perf.data");
    let mut recording = Command::new("perf")
        .args(["record", "-q", "-F", RATE, "--call-graph", UNWIND, "-p", &pid, "-o"])
        .arg(&data)
        .arg("--")
        .args(["sleep", &load.duration.as_secs_f64().to_string()])
        .kill_on_drop(true)
        .spawn()
        .context("perf cannot be run")?;
    // Warm-up, load and settling take longer than what is recorded.
    let longer = Load { duration: load.duration + Duration::from_secs(1), ..load };
    let sample = measure(work, subject, work.destination(), direct, longer).await?;
    ensure!(recording.wait().await?.success(), "perf did not record");
    let mut script = Command::new("perf");
    script.args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"]).arg(&data);
    let script = script.output().await.context("perf cannot be run")?;
    let stacks = fold(&String::from_utf8_lossy(&script.stdout));
    ensure!(!stacks.is_empty(), "perf saw nothing: {}", String::from_utf8_lossy(&script.stderr));
    let folded: String = stacks.iter().fold(String::new(), |mut all, (stack, samples)| {
        let _ = writeln!(all, "{} {samples}", stack.join(";"));
        all
    });
    std::fs::write(dir.join("profile.folded"), folded)?;
    let mut text = format!(
        "{} at {}: {:.0} {}/s, {:.1} µs of CPU each (slower than without perf)\n",
        subject.name,
        work.title(),
        sample.per_second,
        work.unit(),
        sample.cpu_us
    );
    text += &table(&stacks);
    std::fs::write(dir.join("profile.txt"), &text)?;
    std::fs::remove_file(&data)?;
    println!("{text}\n{} and profile.folded beside it", dir.join("profile.txt").display());
    Ok(())
}

/// Stacks from the thread's name inward, with the number of their samples.
type Stacks = BTreeMap<Vec<String>, u64>;

/// Reads what `perf script` prints: a thread's name, then its frames from the innermost outward.
fn fold(script: &str) -> Stacks {
    let mut stacks = Stacks::new();
    for sample in script.split("\n\n") {
        let mut lines = sample.lines().filter(|line| !line.trim().is_empty());
        let Some(thread) = lines.next() else { continue };
        let frames = lines.filter_map(|line| line.trim().split_once(' '));
        let mut stack: Vec<_> = frames.map(|(_, symbol)| name(symbol)).collect();
        stack.push(thread.trim().to_owned());
        stack.reverse();
        *stacks.entry(stack).or_default() += 1;
    }
    stacks
}

/// Without the hash that the compiler appends.
fn name(symbol: &str) -> String {
    let symbol = symbol.trim();
    let end = symbol.rfind("::h").filter(|at| symbol.len() - at == 19);
    symbol[..end.unwrap_or(symbol.len())].replace(';', ":")
}

/// Functions by the samples within them and what they call, and by those in themselves.
fn table(stacks: &Stacks) -> String {
    let all: u64 = stacks.values().sum();
    let (mut within, mut own) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
    for (stack, samples) in stacks {
        for frame in stack.iter().map(String::as_str).collect::<BTreeSet<_>>() {
            *within.entry(frame).or_default() += samples;
        }
        if let Some(leaf) = stack.last() {
            *own.entry(leaf).or_default() += samples;
        }
    }
    let mut text = String::new();
    for (title, counts) in [("in themselves", &own), ("with what they call", &within)] {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by_key(|(_, samples)| std::cmp::Reverse(**samples));
        let _ = writeln!(text, "\nOf {all} samples, in functions {title}:");
        for (frame, samples) in counts.into_iter().take(ROWS) {
            let share = *samples as f64 * 100.0 / all as f64;
            let frame: String = frame.chars().take(140).collect();
            let _ = writeln!(text, "{share:6.2} %  {frame}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "\
worker
\tffff81 __sys_sendto
\t55aa10 exeat::send::h0123456789abcdef

worker
\t55aa20 exeat::decide::h0123456789abcdef
\t55aa10 exeat::send::h0123456789abcdef

worker
\tffff81 __sys_sendto
\t55aa10 exeat::send::h0123456789abcdef
";

    #[test]
    fn equal_stacks_are_counted_together_from_the_outside_in() {
        let stacks = fold(SCRIPT);
        let counted: Vec<_> = stacks.iter().map(|(stack, n)| (stack.join(";"), *n)).collect();
        assert_eq!(
            counted,
            [
                ("worker;exeat::send;__sys_sendto".to_owned(), 2),
                ("worker;exeat::send;exeat::decide".to_owned(), 1),
            ]
        );
    }

    #[test]
    fn a_function_counts_once_for_a_stack() {
        let table = table(&fold(SCRIPT));
        assert!(table.contains("100.00 %  exeat::send"), "{table}");
        assert!(table.contains(" 66.67 %  __sys_sendto"), "{table}");
    }
}
