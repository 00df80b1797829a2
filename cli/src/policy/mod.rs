//! `exeat policy`: work on policy files, without a cluster.

mod check;
mod files;
mod import;
mod test;

use anyhow::Result;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Compile policies as the admission webhook does; exit code 1 when one has errors
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Decide the requests of case files as the proxy does, and compare with what they expect
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArgs),
    /// Make an AgentPolicy of a SafeClaw policy file, and say what became of each rule
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(import::ImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// YAML files, of one or more documents; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Directories, of which each file *.test.yaml is read, or such files
    #[arg(required = true, value_name = "DIR")]
    places: Vec<PathBuf>,
}

const CHECK_EXAMPLES: &str = "\
What compiles and is probably not meant is said as a warning, which changes no exit code.

Examples:
  exeat policy check policy.yaml
  helm template ./agents | exeat policy check -";

const TEST_EXAMPLES: &str = "\
A case file names its policies, by paths that begin at the file, and its cases:
  policies: [policy.yaml]
  cases:
    - name: a key in the body stays here
      request:
        method: POST
        url: https://api.your-company.com/v1/notes
        headers: {content-type: application/json}
        body: '{\"note\": \"AKIA...\"}'
      expect: {verdict: Deny, code: Detected, detector: aws-access-key, at: body.note}
    - {name: the database, connect: 'tcp://10.20.0.5:5432', expect: {verdict: Allow, rule: db}}
    - {name: a look-up, resolve: api.your-company.com, expect: {verdict: Allow}}
A body is `body`, `bodyBase64`, or a file: `bodyFile`. What `expect` leaves out is not compared.

Exit code: 0 all cases are as expected, 1 one is not, 3 a file could not be read.

Example:
  exeat policy test examples";

const IMPORT_EXAMPLES: &str = "\
The policy goes to standard output, what became of each rule to standard error.

Exit code: 0 every rule is in the policy or needs none, 1 some rule is not.

Examples:
  exeat policy import .safeclaw/policy.yaml --name research-agent --namespace agents > policy.yaml
  exeat policy import policy.json --name agent | exeat policy check -";

pub(crate) fn run(command: &PolicyCommand) -> Result<ExitCode> {
    match command {
        PolicyCommand::Check(args) => check::run(&args.files),
        PolicyCommand::Test(args) => test::run(&args.places),
        PolicyCommand::Import(args) => import::run(args),
    }
}
