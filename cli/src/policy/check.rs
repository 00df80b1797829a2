//! `exeat policy check`: the compiler of the admission webhook, without a cluster.

use super::files::{self, Document};
use anyhow::Result;
use exeat_crds::{AGENT_POLICY, CLUSTER_AGENT_POLICY};
use exeat_policy::compile::compile_policy;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Default)]
struct Tally {
    policies: usize,
    invalid: usize,
}

pub(super) fn run(files: &[PathBuf]) -> Result<ExitCode> {
    let mut tally = Tally::default();
    for file in files {
        check_file(file, &mut tally)?;
    }
    if tally.policies == 0 {
        println!("no {AGENT_POLICY} or {CLUSTER_AGENT_POLICY} found");
        return Ok(ExitCode::from(1));
    }
    println!("{} policies, {} with errors", tally.policies, tally.invalid);
    Ok(ExitCode::from(u8::from(tally.invalid > 0)))
}

fn check_file(file: &Path, tally: &mut Tally) -> Result<()> {
    for Document { number, name, policy } in files::policies(file)? {
        let place = format!("{}, document {number}", file.display());
        tally.policies += 1;
        let problems = match policy.map(|source| compile_policy(&source)) {
            Ok(Ok(compiled)) => {
                println!("{place}: {name}: ok");
                for warning in exeat_policy::warnings(&compiled) {
                    println!("{place}: {name}: warning: {warning}");
                }
                continue;
            }
            Ok(Err(errors)) => errors.iter().map(|error| format!("{name}: {error}")).collect(),
            Err(problems) => problems,
        };
        tally.invalid += 1;
        problems.iter().for_each(|problem| println!("{place}: {problem}"));
    }
    Ok(())
}
