//! The comparison: rounds in which each proxy is measured in its turn.

use crate::decisions;
use crate::goals::goals;
use crate::machine::{cores, sync_cost};
use crate::memory::{self, Footprint};
use crate::peers::{Peer, Setting};
use crate::process::{Process, in_memory};
use crate::profile::profile;
use crate::report::Report;
use crate::results::{Round, mark};
use crate::start::Proxy;
use crate::subject::Subject;
use crate::work::{Load, Work, measure};
use crate::world::{Destination, Upstream, World};
use anyhow::Context as _;
use clap::{Args, ValueEnum as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Rounds: medians are over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Kept connections, where there are many.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Worker threads of the other proxies: by default as many as there are cores, as they would
    /// choose themselves.
    #[arg(long, default_value_t = cores())]
    threads: usize,
    /// Only these kinds of work.
    #[arg(long, value_delimiter = ',')]
    work: Vec<Work>,
    /// Only proxies whose names hold one of these, and the upstream without a proxy.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the spool's file system is: by default beside this program.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Instead of the comparison: record Exeat at the first kind of work with `perf`.
    #[arg(long)]
    profile: bool,
    /// Where criterion left the cost of decisions.
    #[arg(long)]
    criterion: Option<PathBuf>,
    /// Also write what was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Programs; what is not given is left out.
    #[arg(long)]
    envoy: Option<PathBuf>,
    #[arg(long)]
    haproxy: Option<PathBuf>,
    #[arg(long)]
    squid: Option<PathBuf>,
    #[arg(long)]
    mitmproxy: Option<PathBuf>,
}

impl RunArgs {
    fn works(&self) -> Vec<Work> {
        let all = Work::value_variants().iter().copied();
        all.filter(|it| self.work.is_empty() || self.work.contains(it)).collect()
    }

    fn load(&self) -> Load {
        let duration = Duration::from_secs_f64(self.seconds);
        Load { connections: self.connections, duration }
    }

    /// What is measured at these kinds of work, without those that the arguments leave out.
    fn proxies(&self, works: &[Work]) -> Vec<Proxy> {
        let mut all = vec![Proxy::Exeat, Proxy::Hudsucker];
        for peer in Peer::ALL {
            let binary = match peer {
                Peer::Envoy => &self.envoy,
                Peer::HaProxy => &self.haproxy,
                Peer::Squid => &self.squid,
                Peer::Mitmproxy => &self.mitmproxy,
            };
            match binary {
                Some(binary) => all.push(Proxy::Peer(peer, binary.clone())),
                None => eprintln!("{} is left out: no program was given", peer.name()),
            }
        }
        if works.contains(&Work::Up) {
            all.push(Proxy::Scanning);
        }
        if works.contains(&Work::Synced) {
            all.push(Proxy::Synced);
        }
        let only = |it: &Proxy| self.only.iter().any(|only| it.name().contains(only.as_str()));
        all.retain(|it| self.only.is_empty() || only(it));
        all.insert(0, Proxy::Direct);
        all
    }
}

pub(crate) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("this program is nowhere")?;
    let dir = tempfile::tempdir_in(args.dir.as_deref().unwrap_or(beside))?;
    let world = World::create(dir.path())?;
    let path = dir.path().to_str().context("a path is not text")?;
    let upstream = Process::of_ours(&["upstream", path]).await?;
    let ports = Upstream::of(&upstream.ports)?;
    let setting = Setting { world: &world, upstream: ports, threads: args.threads };
    let works = args.works();
    if args.profile {
        let (ours, direct) = (Proxy::Exeat, Proxy::Direct);
        let ours = ours.start(&setting, "profile").await?;
        let direct = direct.start(&setting, "direct").await?;
        let work = *works.first().context("no work is given")?;
        return profile(work, &ours, &direct, args.load(), Path::new("target")).await;
    }
    let proxies = args.proxies(&works);
    let subjects = start(&proxies, &setting).await?;
    let rounds = rounds(&args, &works, &subjects).await?;
    let threads = subjects.iter().map(|it| (it.name.to_owned(), it.threads)).collect();
    // What runs still would only take of the machine.
    drop(subjects);
    let memory = match works.contains(&Work::Memory) {
        true => footprints(&proxies, &setting).await?,
        false => Vec::new(),
    };
    let mut report = Report {
        cores: cores(),
        sync_us: sync_cost(dir.path())?,
        spool_in_memory: in_memory(dir.path()),
        connections: args.connections,
        threads,
        rounds,
        memory,
        decisions: args.criterion.as_deref().map(decisions::read).transpose()?.unwrap_or_default(),
        goals: Vec::new(),
    };
    report.goals = goals(&report);
    println!("{report}");
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

async fn start(proxies: &[Proxy], setting: &Setting<'_>) -> anyhow::Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    for proxy in proxies {
        match proxy.start(setting, proxy.name()).await {
            Ok(subject) => subjects.push(subject),
            // A program may lack what it needs here; what is built in may not.
            Err(error) if matches!(proxy, Proxy::Peer(..)) => {
                eprintln!("{} is left out: {error:#}", proxy.name());
            }
            Err(error) => return Err(error.context(format!("{} does not start", proxy.name()))),
        }
    }
    Ok(subjects)
}

async fn rounds(
    args: &RunArgs,
    works: &[Work],
    subjects: &[Subject],
) -> anyhow::Result<Vec<Round>> {
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        for work in works {
            let found = round(*work, subjects, number, args.load()).await?;
            if let Some(round) = found {
                eprintln!("round {number} of {}: {}", args.rounds, work.title());
                rounds.push(round);
            }
        }
    }
    for work in works {
        let mut of_work: Vec<_> = rounds.iter_mut().filter(|it| it.work == *work).collect();
        mark(&mut of_work, Proxy::Direct.name());
    }
    Ok(rounds)
}

/// Memory of every proxy but variants of ours, each time of a new process.
async fn footprints(
    proxies: &[Proxy],
    setting: &Setting<'_>,
) -> anyhow::Result<Vec<(String, Footprint)>> {
    let mut all = Vec::new();
    for proxy in proxies {
        if matches!(proxy, Proxy::Direct | Proxy::Scanning | Proxy::Synced) {
            continue;
        }
        let name = proxy.name();
        eprintln!("memory: {name}");
        let measured = async {
            let fresh = proxy.start(setting, &format!("{name}-open")).await?;
            let [idle, open] = memory::idle_and_open(&fresh).await?;
            drop(fresh);
            let fresh = proxy.start(setting, &format!("{name}-through")).await?;
            let ([before, after], through_mib) = memory::before_and_after(&fresh).await?;
            anyhow::Ok(Footprint { idle, open, before, after, through_mib })
        };
        match measured.await {
            Ok(footprint) => all.push((name.to_owned(), footprint)),
            Err(error) if matches!(proxy, Proxy::Peer(..)) => {
                eprintln!("memory of {name} is left out: {error:#}");
            }
            Err(error) => return Err(error.context(format!("memory of {name}"))),
        }
    }
    Ok(all)
}

/// One proxy, or a variant of ours, at one work.
struct Case<'a> {
    name: &'a str,
    subject: &'a Subject,
    destination: Destination,
}

/// Who is measured at a work. The upstream without a proxy is everywhere where it can be, for its
/// speed tells whether a round was disturbed.
fn cases(work: Work, subjects: &[Subject]) -> Vec<Case<'_>> {
    let destination = work.destination();
    let mut cases: Vec<_> = subjects
        .iter()
        .filter(|it| !it.variant && it.destinations.contains(&destination))
        .filter(|it| work != Work::Latency || it.process.is_some())
        .filter(|it| work != Work::Synced || it.name == Proxy::Exeat.name() || it.process.is_none())
        .map(|subject| Case { name: subject.name, subject, destination })
        .collect();
    let variant = |proxy: Proxy| subjects.iter().find(|it| it.name == proxy.name());
    match work {
        Work::Up => {
            for (name, destination) in [
                ("Exeat, 64 literals", Destination::Literals),
                ("Exeat, 10 regular expressions", Destination::Regexes),
            ] {
                cases.extend(variant(Proxy::Scanning).map(|subject| Case {
                    name,
                    subject,
                    destination,
                }));
            }
        }
        Work::Synced => {
            let synced = variant(Proxy::Synced);
            let Some(subject) = synced else { return vec![] };
            cases.push(Case { name: subject.name, subject, destination });
        }
        _ => {}
    }
    cases
}

async fn round(
    work: Work,
    subjects: &[Subject],
    number: usize,
    load: Load,
) -> anyhow::Result<Option<Round>> {
    let direct = subjects.iter().find(|it| it.process.is_none()).context("no direct way")?;
    let mut cases = cases(work, subjects);
    if cases.is_empty() || work == Work::Memory {
        return Ok(None);
    }
    // Nobody is always first, and nobody always comes after the same one.
    let first = number % cases.len();
    cases.rotate_left(first);
    if number % 2 == 0 {
        cases.reverse();
    }
    let mut samples = Vec::new();
    for case in cases {
        match measure(work, case.subject, case.destination, direct, load).await {
            Ok(sample) => samples.push((case.name.to_owned(), sample)),
            // A program that fails is the worse for it, and no reason to learn nothing of the rest.
            Err(error) if case.subject.foreign => {
                eprintln!("{} failed at {}: {error:#}", case.name, work.title());
            }
            Err(error) => {
                let what = format!("{} failed at {}", case.name, work.title());
                return Err(error.context(what));
            }
        }
    }
    Ok(Some(Round { work, samples, disturbed: false }))
}
