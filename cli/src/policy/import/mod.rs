//! `exeat policy import`: SafeClaw's policy files as an AgentPolicy.
//!
//! Nothing becomes wider than it was: a rule that cannot be taken over whole is left out and named. Two
//! things differ and are said: there the first rule that matches decides, here a Deny wins whatever the
//! order; and there `*` is a default that a rule may be, here what no rule allows is denied anyway.

mod convert;
mod host;
mod pattern;
mod written;

use super::files;
use anyhow::{Context, Result};
use clap::Args;
use convert::{Became, Converted};
use exeat_crds::{AgentPolicy, AgentPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A policy file of SafeClaw, YAML or JSON; `-` is standard input
    file: PathBuf,
    /// Name of the AgentPolicy
    #[arg(long, default_value = "imported")]
    name: String,
    /// Namespace of the AgentPolicy; the current one of kubectl if none is given
    #[arg(long, short)]
    namespace: Option<String>,
    /// Labels of the pods that it selects, as in app=research; all pods of the namespace if none is given
    #[arg(long, short = 'l', value_delimiter = ',', value_parser = label, value_name = "KEY=VALUE")]
    selector: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or_else(|| "write KEY=VALUE".to_owned())?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode> {
    let text = files::read(&args.file)?;
    let written = written::read(&text).with_context(|| args.file.display().to_string())?;
    let Converted { rules, said } = convert::all(&written);
    let rules = serde_json::from_value(json!(rules)).context("a rule does not fit the schema")?;
    let labels: BTreeMap<String, String> = args.selector.iter().cloned().collect();
    let spec = AgentPolicySpec {
        pod_selector: LabelSelector {
            match_labels: Some(labels).filter(|labels| !labels.is_empty()),
            ..LabelSelector::default()
        },
        mode: exeat_crds::Mode::default(),
        rules,
        ingress: Vec::new(),
        audit: exeat_crds::Audit::default(),
        dns: exeat_crds::Dns::default(),
    };
    let mut policy = AgentPolicy::new(&args.name, spec);
    policy.metadata.namespace.clone_from(&args.namespace);
    print!("{}", serde_yaml::to_string(&policy)?);
    let mut left = 0;
    for line in said {
        left += usize::from(matches!(line.became, Became::LeftOut(_)));
        eprintln!("{line}");
    }
    if left > 0 {
        eprintln!("{left} not taken over");
    }
    Ok(ExitCode::from(u8::from(left > 0)))
}

#[cfg(test)]
mod tests;
