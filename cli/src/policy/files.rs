//! Policies in files: YAML of one or more documents, of which others are no policies.

use anyhow::{Context, Result};
use exeat_crds::{
    AGENT_POLICY, API_VERSION, AgentPolicy, CLUSTER_AGENT_POLICY, ClusterAgentPolicy, GROUP,
};
use exeat_policy::source::PolicySource;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use std::io::Read;
use std::path::Path;

/// No file is longer.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
const TOP_LEVEL: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// One policy of a file, or what is wrong with it.
pub(super) struct Document {
    /// Counts from 1.
    pub(super) number: usize,
    /// As in `AgentPolicy research`.
    pub(super) name: String,
    pub(super) policy: Result<PolicySource, Vec<String>>,
}

/// The text of a file; `-` is standard input.
///
/// # Errors
/// When it cannot be read, or is no UTF-8.
pub(super) fn read(file: &Path) -> Result<String> {
    let mut text = String::new();
    let source: Result<Box<dyn Read>, _> = if file == Path::new("-") {
        Ok(Box::new(std::io::stdin()))
    } else {
        std::fs::File::open(file).map(|file| Box::new(file) as Box<dyn Read>)
    };
    source
        .and_then(|source| source.take(MAX_FILE_BYTES).read_to_string(&mut text))
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text)
}

/// Every policy of a file. What follows a syntax error cannot be told apart.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn policies(file: &Path) -> Result<Vec<Document>> {
    let text = read(file)?;
    let mut found = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(&text).enumerate() {
        let number = index + 1;
        let (name, policy) = match Value::deserialize(document) {
            Ok(Value::Null) => continue,
            Ok(value) => match of_document(value) {
                Some(read) => read,
                None => continue,
            },
            Err(error) => {
                let policy = Err(vec![format!("not YAML: {error}")]);
                found.push(Document { number, name: String::new(), policy });
                break;
            }
        };
        found.push(Document { number, name, policy });
    }
    Ok(found)
}

/// None: the document is no policy.
fn of_document(value: Value) -> Option<(String, Result<PolicySource, Vec<String>>)> {
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
        let problem = format!(
            "{name}: apiVersion {api_version:?} has no such kind; write {API_VERSION}, \
             {AGENT_POLICY} or {CLUSTER_AGENT_POLICY}"
        );
        return Some((name, Err(vec![problem])));
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
        return Some((name, Err(unknown)));
    }
    let source = if kind == AGENT_POLICY {
        read_as::<AgentPolicy>(value).map(|policy| policy.source())
    } else {
        read_as::<ClusterAgentPolicy>(value).map(|policy| policy.source())
    };
    let policy = source.map_err(|problem| vec![format!("{name}: {problem}")]);
    Some((name, policy))
}

fn read_as<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_yaml::from_value(value).map_err(|error| error.to_string())
}
