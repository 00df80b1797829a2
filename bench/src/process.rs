//! Child processes: started, waited for, measured, and ended with the run.

use anyhow::{Context as _, bail};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const START: Duration = Duration::from_secs(60);

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) pid: u32,
    /// In the order in which the process names them.
    pub(crate) ports: Vec<u16>,
    /// Removed after the process has ended.
    kept: Option<TempDir>,
}

/// Resident memory, in KiB.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub(crate) struct Memory {
    pub(crate) rss: u64,
    /// Without pages of files: programs and libraries.
    pub(crate) anonymous: u64,
}

impl Process {
    /// Starts this program again in another role, and waits for the ports that it names.
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
        let ports = line.split_whitespace().map(str::parse).collect::<Result<Vec<u16>, _>>()?;
        if ports.is_empty() {
            bail!("{arguments:?} did not start");
        }
        Self::new(child, ports)
    }

    /// Starts another program, and waits until it listens on all of `ports`.
    pub(crate) async fn other(command: &mut Command, ports: Vec<u16>) -> anyhow::Result<Self> {
        let child = command.stdin(Stdio::null()).kill_on_drop(true).spawn()?;
        let mut process = Self::new(child, ports)?;
        let waited = timeout(START, async {
            for port in process.ports.clone() {
                while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                    if let Some(status) = process.child.try_wait()? {
                        bail!("it ended: {status}");
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            }
            Ok(())
        });
        waited.await.context("it does not listen")??;
        Ok(process)
    }

    /// With a directory that it needs for as long as it runs.
    pub(crate) fn keeping(mut self, dir: TempDir) -> Self {
        self.kept = Some(dir);
        self
    }

    fn new(child: Child, ports: Vec<u16>) -> anyhow::Result<Self> {
        let pid = child.id().context("the child ended at once")?;
        Ok(Self { child, pid, ports, kept: None })
    }

    /// User and system time of the process and of those that it started.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of_tree(self.pid)
    }

    /// Waits until it does nothing more, so that what it still has to do for one measurement is
    /// not taken for the next one's.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        let mut before = self.cpu()?;
        for _ in 0..50 {
            sleep(Duration::from_millis(150)).await;
            let now = self.cpu()?;
            if now.saturating_sub(before) < Duration::from_millis(10) {
                return Ok(());
            }
            before = now;
        }
        Ok(())
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        Ok(Memory { rss: field("VmRSS:"), anonymous: field("RssAnon:") })
    }
}

/// User and system time of all threads, ended ones too, of a process and all below it.
pub(crate) fn cpu_of_tree(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name, in brackets, may hold anything; behind it state is field 3.
    let fields = stat.rsplit_once(')').context("stat cannot be read")?.1;
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    let mut all = Duration::from_secs_f64(ticks as f64 / per_second as f64);
    for child in children(pid) {
        // One that ended since is no part of the sum any more.
        all += cpu_of_tree(child).unwrap_or_default();
    }
    Ok(all)
}

fn children(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return all };
    for task in tasks.flatten() {
        let listed = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    all
}

/// As many open files as there may be: the measurement of memory has two thousand connections.
pub(crate) fn raise_file_limit() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Tells the parent which ports are served.
pub(crate) fn ready(ports: &[u16]) {
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    println!("{}", ports.join(" "));
}

/// Returns when the parent has ended, however.
pub(crate) async fn parent_gone() {
    let mut byte = [0];
    while let Ok(1) = tokio::io::stdin().read(&mut byte).await {}
}

/// Ports that were free a moment ago, for a program that cannot choose them itself.
pub(crate) fn free_ports<const N: usize>() -> anyhow::Result<[u16; N]> {
    let mut held = Vec::new();
    for _ in 0..N {
        held.push(std::net::TcpListener::bind("127.0.0.1:0")?);
    }
    let ports = held.iter().map(|it| Ok(it.local_addr()?.port()));
    let ports = ports.collect::<std::io::Result<Vec<_>>>()?;
    ports.try_into().map_err(|_| anyhow::anyhow!("not as many ports"))
}

/// Whether a path is on a file system that lives in memory.
pub(crate) fn in_memory(path: &Path) -> bool {
    const TMPFS_MAGIC: i64 = 0x0102_1994;
    rustix::fs::statfs(path).is_ok_and(|found| found.f_type == TMPFS_MAGIC)
}
