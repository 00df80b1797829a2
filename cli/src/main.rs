//! `exeat`: what left, where to, and whether the record of it holds. Also installed as
//! `kubectl-exeat`.
//!
//! Exit codes: 0 all is well; 1 a policy has errors, a case of it fails, a rule was not imported, an
//! audit chain was altered, or a detector found something; 2 an audit chain is incomplete, or whether one is missing is not known; 3 the command
//! could not do its work.

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use std::process::ExitCode;

mod audit;
mod connect;
mod credentials;
mod detectors;
mod policy;
mod table;

/// Nothing leaves an agent's pod without a policy; see what did, what did not, and prove it.
#[derive(Debug, Parser)]
#[command(name = "exeat", version, propagate_version = false, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in the whole process")]
enum Command {
    /// Show, verify and export the audit
    #[command(args_conflicts_with_subcommands = true, after_help = AUDIT_EXAMPLES)]
    Audit {
        #[command(subcommand)]
        command: Option<AuditCommand>,
        #[command(flatten)]
        show: audit::show::ShowArgs,
    },
    /// Work on policy files, without a cluster
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// What is looked for in content: secrets and personal data, without a cluster
    Detectors {
        #[command(subcommand)]
        command: detectors::DetectorsCommand,
    },
    /// What lets Exeat read the credentials that policies name, without a cluster
    Credentials {
        #[command(subcommand)]
        command: credentials::CredentialsCommand,
    },
    /// Print the version
    Version,
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  source <(exeat completion bash)")]
    Completion { shell: Shell },
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Verify the chain of every pod: integrity (nothing altered) and completeness (nothing missing)
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(audit::verify::VerifyArgs),
    /// Write every chain as JSON Lines, for other verifiers and for keeping
    #[command(after_help = "Example:\n  exeat audit export > audit.jsonl")]
    Export(connect::ConnectArgs),
}

const AUDIT_EXAMPLES: &str = "\
Filter: terms `key:value`, separated by spaces; all must hold.
  action:network        that action and all below it (network.request, network.dns, ...)
  effect:Deny           Allow or Deny
  kind:Intent           Genesis, Restart, Intent, Outcome, Policy, Rejected, Heartbeat, Close
  host:*.example.com    a host, or all names below one
  rule:no-plain-http    a rule, policy/rule, or tier/namespace/policy/rule
  code: method: pod: namespace:
  since:1h              not older than 90s, 15m, 1h, 7d, or since an RFC 3339 time

Examples:
  exeat audit --filter \"action:network\" --last 50
  exeat audit --filter \"effect:Deny since:1h\" --namespace agents -o json
  exeat audit --file audit.jsonl --filter \"host:*.example.com\"";

const VERIFY_EXAMPLES: &str = "\
Exit code: 0 both verdicts hold, 1 something was altered, 2 something is missing or it is not known
whether (the agent pods cannot be listed), 3 nothing could be judged.

Examples:
  exeat audit verify
  exeat audit verify --file audit.jsonl";

fn main() -> ExitCode {
    let as_plugin = std::env::args_os().next().is_some_and(|name| {
        PathBuf::from(name).file_stem().is_some_and(|stem| stem == "kubectl-exeat")
    });
    let mut command = Cli::command();
    if as_plugin {
        command = command.bin_name("kubectl exeat");
    }
    let matches = command.get_matches();
    let cli = match <Cli as clap::FromArgMatches>::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exeat: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Audit { command: None, show } => audit::show::run(&show),
        Command::Audit { command: Some(AuditCommand::Verify(args)), .. } => {
            audit::verify::run(&args)
        }
        Command::Audit { command: Some(AuditCommand::Export(args)), .. } => {
            audit::export::run(&args)
        }
        Command::Policy { command } => policy::run(&command),
        Command::Detectors { command } => detectors::run(&command),
        Command::Credentials { command } => credentials::run(&command),
        Command::Version => {
            println!("exeat {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "exeat", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whoever reads our output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
