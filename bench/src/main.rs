//! What interception costs: Exeat's proxy beside others, on one upstream, in one run.
//!
//! Every proxy and the upstream are processes of their own, so that the CPU time of one is its own.
//! All of them share the machine's cores with the client: numbers are for comparison with each
//! other, not for sizing. Everything is on loopback and ends with the run.

mod client;
mod collector;
mod decisions;
mod exeat;
mod goals;
mod machine;
mod memory;
mod peers;
mod process;
mod profile;
mod report;
mod results;
mod run;
mod start;
mod subject;
mod upstream;
mod work;
mod world;

use clap::{Parser, Subcommand};
use std::io;
use std::path::PathBuf;
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Parser)]
#[command(about = "Compares interception by Exeat with that by other proxies")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the comparison and prints tables.
    Run(run::RunArgs),
    /// The servers that everything ends at, and a collector that acknowledges audit.
    #[command(hide = true)]
    Upstream { world: PathBuf },
    /// Exeat's pipeline, behind ports instead of a redirection.
    #[command(hide = true)]
    Exeat(exeat::ExeatArgs),
    /// hudsucker with its rcgen authority.
    #[command(hide = true)]
    Hudsucker { world: PathBuf, threads: usize },
}

fn main() -> anyhow::Result<()> {
    process::raise_file_limit()?;
    let command = match Cli::parse().command {
        Command::Run(args) => return single()?.block_on(run::run(args)),
        command => command,
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("warn,hudsucker=off"))
        .with_writer(io::stderr)
        .init();
    let runtime = match &command {
        Command::Exeat(_) => exeat::runtime()?,
        Command::Hudsucker { threads, .. } => {
            Builder::new_multi_thread().worker_threads(*threads).enable_all().build()?
        }
        Command::Run(_) | Command::Upstream { .. } => single()?,
    };
    runtime.block_on(async {
        tokio::select! {
            // The parent holds the other end: with it gone, nothing is left to serve.
            () = process::parent_gone() => Ok(()),
            ended = serve(command) => ended,
        }
    })
}

async fn serve(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Run(_) => unreachable!("handled by main"),
        Command::Upstream { world } => upstream::serve(&world).await,
        Command::Exeat(args) => exeat::serve(&args).await,
        Command::Hudsucker { world, .. } => peers::hudsucker::serve(&world).await,
    }
}

/// Client and upstream are one thread each: they take as little of the machine as they can.
fn single() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
