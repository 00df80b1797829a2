//! `exeat audit verify`: the two verdicts on every chain. What could not be looked at does not hold.

use super::{chains, now};
use crate::connect::{Collector, ConnectArgs, block_on};
use crate::table::plain;
use anyhow::{Context, Result};
use clap::Args;
use exeat_audit::chain::ChainId;
use exeat_audit::export;
use exeat_audit::verify::{Report, Verifier};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verify an export instead of asking the cluster
    #[arg(long, value_name = "EXPORT.jsonl")]
    file: Option<PathBuf>,

    #[command(flatten)]
    connect: ConnectArgs,
}

/// A chain's report, with what the cluster knows beyond it.
struct Judged {
    report: Report,
    faults: Vec<String>,
    gaps: Vec<String>,
}

/// The pods that should have a chain and have none; an error when they are not known.
type WithoutChain = Result<Vec<String>>;

pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let (judged, without_chain) = match &args.file {
        // An export tells of chains alone.
        Some(file) => (verify_file(file)?.into_iter().map(Judged::from).collect(), Ok(Vec::new())),
        None => block_on(verify_cluster(&args.connect))?,
    };
    print(&mut std::io::stdout().lock(), &judged, &without_chain)
}

impl From<Report> for Judged {
    fn from(report: Report) -> Self {
        let faults = report.faults.iter().map(ToString::to_string).collect();
        let gaps = report.gaps.iter().map(ToString::to_string).collect();
        Self { report, faults, gaps }
    }
}

fn verify_file(file: &Path) -> Result<Vec<Report>> {
    let source =
        File::open(file).with_context(|| format!("{} cannot be opened", file.display()))?;
    export::verify(BufReader::new(source), None)
        .with_context(|| format!("{} cannot be verified", file.display()))
}

async fn verify_cluster(args: &ConnectArgs) -> Result<(Vec<Judged>, WithoutChain)> {
    let mut collector = Collector::connect(args).await?;
    // Pods first: one that starts meanwhile must not look as if it had no chain.
    let pods = collector.agent_pods().await;
    let mut judged = Vec::new();
    let mut known = BTreeSet::new();
    for chain in chains::all(&mut collector).await? {
        known.insert(chain.chain.clone());
        let id: ChainId = chain.chain.parse()?;
        let mut verifier = Verifier::new(id).pin(&chain.public_key);
        verifier.head(chain.head.clone());
        chains::entries(&mut collector, &chain, |entry| {
            verifier.push(entry);
            Ok(())
        })
        .await?;
        let mut one = Judged::from(verifier.finish(Some(now())));
        if chain.broken {
            one.faults.push("fork: the collector refused what contradicts this chain".to_owned());
        }
        judged.push(one);
    }
    let without_chain = pods.map(|pods| {
        let without = pods.into_iter().filter(|pod| !known.contains(&pod.uid));
        without.map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
    });
    Ok((judged, without_chain))
}

fn print(
    out: &mut impl Write,
    judged: &[Judged],
    without_chain: &WithoutChain,
) -> Result<ExitCode> {
    for Judged { report, faults, gaps } in judged {
        let verdict = match (faults.is_empty(), gaps.is_empty()) {
            (true, true) => "ok",
            (true, false) => "INCOMPLETE",
            (false, _) => "ALTERED",
        };
        let pod = report.genesis.as_ref().map_or_else(
            || "unknown pod".to_owned(),
            |genesis| format!("{}/{}", genesis.namespace, genesis.pod_name),
        );
        let end = if report.closed { "closed" } else { "open" };
        writeln!(
            out,
            "{verdict:<10}  {}  chain {}  {} entries, {end}",
            plain(&pod),
            plain(&report.chain),
            report.entries
        )?;
        for finding in faults.iter().chain(gaps) {
            writeln!(out, "            {}", plain(finding))?;
        }
        if report.omitted > 0 {
            writeln!(out, "            and {} more", report.omitted)?;
        }
    }
    let missing = without_chain.as_ref().map_or(&[][..], Vec::as_slice);
    for pod in missing {
        writeln!(out, "INCOMPLETE  {}  no-chain: the pod runs, but has no chain", plain(pod))?;
    }
    let altered = judged.iter().filter(|it| !it.faults.is_empty()).count();
    let incomplete = judged.iter().filter(|it| !it.gaps.is_empty()).count() + missing.len();
    let entries: u64 = judged.iter().map(|it| it.report.entries).sum();
    writeln!(out, "{} chains, {entries} entries", judged.len())?;
    writeln!(out, "integrity     {}", verdict(altered, "altered"))?;
    match without_chain {
        Err(error) if incomplete == 0 => writeln!(
            out,
            "completeness  UNKNOWN, the agent pods cannot be listed: {}",
            plain(&format!("{error:#}"))
        )?,
        Err(error) => writeln!(
            out,
            "completeness  {}, and the agent pods cannot be listed: {}",
            verdict(incomplete, "incomplete"),
            plain(&format!("{error:#}"))
        )?,
        Ok(_) => writeln!(out, "completeness  {}", verdict(incomplete, "incomplete"))?,
    }
    Ok(match (altered, incomplete, without_chain) {
        (0, 0, Ok(_)) => ExitCode::SUCCESS,
        (0, ..) => ExitCode::from(2),
        _ => ExitCode::from(1),
    })
}

fn verdict(number: usize, what: &str) -> String {
    if number == 0 { "ok".to_owned() } else { format!("FAILED, {number} {what}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(without_chain: &WithoutChain) -> (String, ExitCode) {
        let mut out = Vec::new();
        let code = print(&mut out, &[], without_chain).unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn completeness_is_unknown_when_agent_pods_cannot_be_listed() {
        let (text, code) = printed(&Err(anyhow::anyhow!("pods is forbidden")));
        let unknown = "completeness  UNKNOWN, the agent pods cannot be listed: pods is forbidden\n";
        assert!(text.contains("integrity     ok\n") && text.ends_with(unknown), "{text}");
        assert_eq!(code, ExitCode::from(2));
    }

    #[test]
    fn completeness_holds_only_when_every_pod_has_a_chain() {
        let (text, code) = printed(&Ok(Vec::new()));
        assert!(text.ends_with("completeness  ok\n"), "{text}");
        assert_eq!(code, ExitCode::SUCCESS);
        let (text, code) = printed(&Ok(vec!["agents/a".to_owned()]));
        assert!(text.ends_with("completeness  FAILED, 1 incomplete\n"), "{text}");
        assert_eq!(code, ExitCode::from(2));
    }
}
