//! The comparison: rounds in which each proxy is measured in its turn.

use crate::load::{self, Target};
use crate::peers;
use crate::process::{Process, in_memory};
use crate::report::{Machine, Report, Row, Sample};
use crate::world::{World, client_config};
use anyhow::Context as _;
use clap::Args;
use rustls::ClientConfig;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Envoy's binary; without, Envoy is left out.
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// Rounds; the table shows medians over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Kept connections of the throughput part.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Seconds of throughput, and of latency at one connection, per proxy and round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Where the spool's file system is: by default beside this program.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Also write what was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only proxies whose name holds this.
    #[arg(long)]
    only: Option<String>,
}

/// Before each measurement, to fill pools and caches.
const WARM_UP: Duration = Duration::from_millis(300);

/// One proxy, or none.
struct Subject {
    name: &'static str,
    /// The proxy's process; none where the client goes to the upstream itself.
    process: Option<Process>,
    target: Target,
    samples: Vec<Sample>,
}

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("this program is nowhere")?;
    let dir = tempfile::tempdir_in(args.dir.as_deref().unwrap_or(beside))?;
    // Where the machine has it: the same proxy without a disk to wait for.
    let memory = Some(Path::new("/dev/shm")).filter(|path| in_memory(path));
    let memory = memory.map(tempfile::tempdir_in).transpose()?;
    let world = World::create(dir.path())?;
    let bench_ca = Arc::new(client_config(&world.file("ca.crt"))?);
    let upstream = Process::of_ours(&["upstream", text(dir.path())?]).await?;
    let mut subjects =
        start(&args, &world, dir.path(), memory.as_ref().map(tempfile::TempDir::path), &upstream)
            .await?;
    subjects.retain(|one| args.only.as_ref().is_none_or(|only| one.name.contains(only)));
    let direct = Target { port: upstream.port, connect: None, tls: bench_ca };
    for round in 1..=args.rounds {
        for subject in &mut subjects {
            eprintln!("round {round} of {}: {}", args.rounds, subject.name);
            let sample = measure(subject, &direct, &args)
                .await
                .with_context(|| format!("{} failed", subject.name))?;
            subject.samples.push(sample);
        }
    }
    let machine = Machine {
        cores: std::thread::available_parallelism()?.get(),
        sync_us: sync_cost(dir.path())?,
        spool_in_memory: in_memory(dir.path()),
    };
    let rows = subjects
        .iter()
        .map(|subject| Row::of(subject.name, &subject.samples))
        .collect::<anyhow::Result<_>>()?;
    let report = Report { machine, connections: args.connections, rounds: args.rounds, rows };
    println!("{report}");
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

async fn start(
    args: &RunArgs,
    world: &World,
    dir: &Path,
    memory: Option<&Path>,
    upstream: &Process,
) -> anyhow::Result<Vec<Subject>> {
    let bench_ca = Arc::new(client_config(&world.file("ca.crt"))?);
    let port = upstream.port.to_string();
    let subject = |name, process: Option<Process>, connect, tls: &Arc<ClientConfig>| {
        let port = process.as_ref().map_or(upstream.port, |process| process.port);
        Subject {
            name,
            process,
            target: Target { port, connect, tls: tls.clone() },
            samples: vec![],
        }
    };
    let mut all = vec![subject("no proxy", None, None, &bench_ca)];
    for (name, place) in [("Exeat", Some(dir)), ("Exeat, spool in memory", memory)] {
        let Some(place) = place else { continue };
        let own = place.join("exeat");
        let process = Process::of_ours(&["exeat", text(dir)?, text(&own)?, &port]).await?;
        let pod_ca = Arc::new(client_config(&own.join("trust/ca.crt"))?);
        all.push(subject(name, Some(process), None, &pod_ca));
    }
    let process = Process::of_ours(&["hudsucker", text(dir)?]).await?;
    all.push(subject("hudsucker", Some(process), Some(upstream.port), &bench_ca));
    match &args.envoy {
        Some(binary) => {
            let process = peers::envoy(binary, world, upstream.port).await?;
            all.push(subject("Envoy", Some(process), None, &bench_ca));
        }
        None => eprintln!("Envoy is left out: --envoy names no binary"),
    }
    Ok(all)
}

async fn measure(subject: &Subject, direct: &Target, args: &RunArgs) -> anyhow::Result<Sample> {
    let duration = Duration::from_secs_f64(args.seconds);
    load::run(&subject.target, args.connections, WARM_UP).await?;
    let cpu = match &subject.process {
        Some(process) => {
            process.settle().await?;
            Some((process, process.cpu()?))
        }
        None => None,
    };
    let many = load::run(&subject.target, args.connections, duration).await?;
    let mut sample = Sample { per_second: many.per_second(), ..Sample::default() };
    if let Some((process, before)) = cpu {
        // What is shipped afterwards belongs to these requests too.
        process.settle().await?;
        let spent = process.cpu()?.saturating_sub(before);
        sample.cpu_us = spent.as_secs_f64() * 1e6 / many.requests as f64;
        sample.resident_kib = process.resident()?;
    }
    // What a proxy adds is told against a moment ago: a busier machine, or another placement of
    // client and upstream on the cores, changes both.
    let before = load::run(direct, 1, duration / 2).await?;
    load::run(&subject.target, 1, WARM_UP).await?;
    let one = load::run(&subject.target, 1, duration).await?;
    (sample.p50_us, sample.p99_us) = (one.percentile(0.5), one.percentile(0.99));
    sample.added_p50_us = sample.p50_us - before.percentile(0.5);
    sample.added_p99_us = sample.p99_us - before.percentile(0.99);
    if let Some(process) = &subject.process {
        process.settle().await?;
    }
    Ok(sample)
}

/// What `fdatasync` of one appended record costs here: the least that an audited request waits.
fn sync_cost(dir: &Path) -> anyhow::Result<f64> {
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

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is not text")
}
