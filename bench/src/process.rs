//! Child processes: started, waited for, measured, and ended with the run.

use anyhow::{Context as _, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const START: Duration = Duration::from_secs(15);

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: u32,
    pub(crate) port: u16,
}

impl Process {
    /// Starts this program again in another role, and waits for the port that it names.
    pub(crate) async fn of_ours(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            // Held open for as long as we live.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the child has no output")?;
        timeout(START, BufReader::new(stdout).read_line(&mut line)).await??;
        let port = line.trim().parse().with_context(|| format!("{arguments:?} did not start"))?;
        Self::new(child, port)
    }

    /// Starts another program, and waits until it listens on `port`.
    pub(crate) async fn other(command: &mut Command, port: u16) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn()?;
        let mut process = Self::new(child, port)?;
        let waited = timeout(START, async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                if let Some(status) = process.child.try_wait()? {
                    bail!("it ended: {status}");
                }
                sleep(Duration::from_millis(50)).await;
            }
            Ok(())
        });
        waited.await.context("it does not listen")??;
        Ok(process)
    }

    fn new(child: Child, port: u16) -> anyhow::Result<Self> {
        let pid = child.id().context("the child ended at once")?;
        Ok(Self { child, pid, port })
    }

    /// User and system time of all threads, ended ones too.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The command's name, in brackets, may hold anything; behind it state is field 3.
        let fields = stat.rsplit_once(')').context("stat cannot be read")?.1;
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u64>)
            .sum::<Result<_, _>>()?;
        let per_second = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    /// Waits until it does nothing more, so that what it still has to do for one measurement is
    /// not taken for the next one's.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let mut before = self.cpu()?;
        for _ in 0..50 {
            sleep(Duration::from_millis(200)).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) < Duration::from_millis(10) {
                return Ok(());
            }
            before = now;
        }
        Ok(())
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        Ok(line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").parse()?)
    }
}

/// Tells the parent which port is served.
pub(crate) fn ready(port: u16) {
    println!("{port}");
}

/// Returns when the parent has ended, however.
pub(crate) async fn parent_gone() {
    let mut byte = [0];
    while let Ok(1) = tokio::io::stdin().read(&mut byte).await {}
}

/// A port that was free a moment ago, for a program that cannot choose one itself.
pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Whether a path is on a file system that lives in memory.
pub(crate) fn in_memory(path: &Path) -> bool {
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    rustix::fs::statfs(path).is_ok_and(|found| found.f_type == TMPFS_MAGIC)
}
