//! `exeat-proxy init` and `exeat-proxy run`.

use anyhow::Context as _;
use clap::Parser;
use exeat_api::env;
use exeat_proxy::config::{Cli, Command};
use exeat_proxy::run::logs;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let filter = EnvFilter::try_new(&cli.log)
        .with_context(|| format!("{} is not a tracing filter", env::LOG))?;
    // The guard writes what waits when everything else has ended.
    let (lines, _guard) = logs::start(std::io::stderr()).context("no thread for the log")?;
    let dropped = lines.dropped();
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(lines).init();
    match cli.command {
        Command::Init(args) => {
            exeat_proxy::init::run(&args.nft, args.proxy_uid)?;
            tracing::info!(proxy_uid = args.proxy_uid, "Capture rules written and verified");
            Ok(())
        }
        Command::Run(args) => {
            exeat_proxy::run::runtime(args.workers)?.block_on(exeat_proxy::run::run(*args, dropped))
        }
    }
}
