//! What interception costs: Exeat's proxy beside `hudsucker` and Envoy, on one upstream, in one run.
//!
//! Every proxy and the upstream are processes of their own, so that the CPU time of one is its own.
//! All of them share the machine's cores with the client: numbers are for comparison with each
//! other, not for sizing. Everything is on loopback and ends with the run.

mod exeat;
mod load;
mod peers;
mod process;
mod report;
mod run;
mod upstream;
mod world;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(about = "Compares interception by Exeat, hudsucker and Envoy")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the comparison and prints a table.
    Run(run::RunArgs),
    /// The HTTPS server that everything ends at, and a collector that acknowledges audit.
    #[command(hide = true)]
    Upstream { world: PathBuf },
    /// Exeat's pipeline, behind a port instead of a redirection.
    #[command(hide = true)]
    Exeat { world: PathBuf, dir: PathBuf, upstream: u16 },
    /// hudsucker with its rcgen authority.
    #[command(hide = true)]
    Hudsucker { world: PathBuf },
}

fn main() -> anyhow::Result<()> {
    // As many workers as the proxy's own main has; the client needs one.
    let mut runtime = match Cli::parse().command {
        Command::Run(args) => return runtime(1)?.block_on(run::run(args)),
        command => (runtime(2)?, command),
    };
    let (runtime, command) = (&mut runtime.0, runtime.1);
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("warn"))
        .with_writer(std::io::stderr)
        .init();
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
        Command::Exeat { world, dir, upstream } => exeat::serve(&world, &dir, upstream).await,
        Command::Hudsucker { world } => peers::hudsucker(&world).await,
    }
}

fn runtime(workers: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()
}
