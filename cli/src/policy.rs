//! `exeat policy check`: the compiler of the admission webhook, without a cluster.

use anyhow::{Context, Result};
use exeat_crds::{
    AGENT_POLICY, API_VERSION, AgentPolicy, CLUSTER_AGENT_POLICY, ClusterAgentPolicy, GROUP,
};
use exeat_policy::compile::compile_policy;
use exeat_policy::source::PolicySource;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// No file is longer.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
const TOP_LEVEL: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

#[derive(Debug, Default)]
struct Tally {
    policies: usize,
    invalid: usize,
}

pub(crate) fn check(files: &[PathBuf]) -> Result<ExitCode> {
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
    let text = read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
        let place = format!("{}, document {}", file.display(), index + 1);
        let value = match Value::deserialize(document) {
            Ok(Value::Null) => continue,
            Ok(value) => value,
            Err(error) => {
                // What follows a syntax error cannot be told apart.
                tally.policies += 1;
                tally.invalid += 1;
                println!("{place}: not YAML: {error}");
                return Ok(());
            }
        };
        let Some(checked) = check_document(value) else { continue };
        tally.policies += 1;
        match checked {
            Ok(name) => println!("{place}: {name}: ok"),
            Err(problems) => {
                tally.invalid += 1;
                problems.iter().for_each(|problem| println!("{place}: {problem}"));
            }
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    let source: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file)?)
    };
    source.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// None: the document is no policy.
fn check_document(value: Value) -> Option<Result<String, Vec<String>>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let known = kind == AGENT_POLICY || kind == CLUSTER_AGENT_POLICY;
    let group = api_version.split('/').next().unwrap_or_default();
    if group != GROUP && !known {
        return None;
    }
    let name = value
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = format!("{kind} {name}");
    if !known || api_version != API_VERSION {
        return Some(Err(vec![format!(
            "{name}: apiVersion {api_version:?} has no such kind; write {API_VERSION}, \
             {AGENT_POLICY} or {CLUSTER_AGENT_POLICY}"
        )]));
    }
    let unknown: Vec<String> = value
        .as_mapping()
        .into_iter()
        .flat_map(|mapping| mapping.keys())
        .filter_map(Value::as_str)
        .filter(|key| !TOP_LEVEL.contains(key))
        .map(|key| format!("{name}: {key}: unknown field; fields are {}", TOP_LEVEL.join(", ")))
        .collect();
    if !unknown.is_empty() {
        return Some(Err(unknown));
    }
    let source = if kind == AGENT_POLICY {
        read_as::<AgentPolicy>(value).map(|policy| policy.source())
    } else {
        read_as::<ClusterAgentPolicy>(value).map(|policy| policy.source())
    };
    Some(match source {
        Ok(source) => compile(&name, &source),
        Err(problem) => Err(vec![format!("{name}: {problem}")]),
    })
}

fn read_as<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_yaml::from_value(value).map_err(|error| error.to_string())
}

fn compile(name: &str, source: &PolicySource) -> Result<String, Vec<String>> {
    match compile_policy(source) {
        Ok(_) => Ok(name.to_owned()),
        Err(errors) => Err(errors.iter().map(|error| format!("{name}: {error}")).collect()),
    }
}
