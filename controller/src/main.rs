//! `exeat-controller`: the roles that `--roles` names, in one process; and what the chart's hooks
//! run, `exeat-controller cleanup` and `exeat-controller check`.

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use exeat_controller::cli::Flags;
use exeat_controller::{check, cleanup, roles};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Parser)]
#[command(name = "exeat-controller", version, about = "The controller of Exeat.")]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    flags: Flags,
}

/// Without one: play the roles until SIGTERM.
#[derive(Debug, Subcommand)]
enum Task {
    /// Deletes everything of Exeat that can refuse something; for uninstalling.
    Cleanup,
    /// Checks that the services answer and that the API server trusts them.
    Check,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { task, flags } = Arguments::parse();
    let filter = EnvFilter::try_new(&flags.log)?;
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    // Several dependencies ask for the process's default provider.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = || async { kube::Client::try_default().await.context("no way to the API server") };
    match task {
        None => serve(flags).await,
        Some(Task::Cleanup) => cleanup::run(client().await?, &flags.webhook_name).await,
        Some(Task::Check) => {
            check::run(client().await?, &flags.namespace, &flags.webhook_name).await
        }
    }
}

/// Plays the roles until a signal says stop.
async fn serve(flags: Flags) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let trigger = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        trigger.cancel();
    });
    roles::run(flags, stop).await
}
