//! The form of case files.

use super::verdict::Verdict;
use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    /// By paths that begin at the directory of the case file.
    pub(super) policies: Vec<PathBuf>,
    pub(super) cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Case {
    #[serde(default)]
    name: String,
    #[serde(default)]
    pub(super) request: Option<Request>,
    /// `tcp://host:port` or `tls://host:port`.
    #[serde(default)]
    pub(super) connect: Option<String>,
    /// A name, whose record of `recordType` is asked for, A by default.
    #[serde(default)]
    pub(super) resolve: Option<String>,
    #[serde(default)]
    pub(super) record_type: Option<String>,
    pub(super) expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Request {
    #[serde(default = "get")]
    pub(super) method: String,
    pub(super) url: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
    #[serde(default)]
    body_file: Option<PathBuf>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What is not given is not compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expect {
    verdict: Expected,
    #[serde(default)]
    code: Option<String>,
    /// The rule's name, or all of it: `Namespaced/agents/research/api`.
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    detector: Option<String>,
    /// The index in `denyPatterns` or `denyBodyPatterns`.
    #[serde(default)]
    pattern: Option<usize>,
    /// Where it was found, as in `body.messages[3].content` or `header authorization`.
    #[serde(default)]
    at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum Expected {
    Allow,
    Deny,
}

impl Case {
    /// By its name, or else by its number.
    pub(super) fn called(&self, index: usize) -> String {
        match self.name.as_str() {
            "" => format!("case {}", index + 1),
            name => name.to_owned(),
        }
    }
}

impl Request {
    /// # Errors
    /// When there are two, or the one that is given cannot be read.
    pub(super) fn body(&self, directory: &Path) -> Result<Vec<u8>> {
        Ok(match (&self.body, &self.body_base64, &self.body_file) {
            (None, None, None) => Vec::new(),
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(text), None) => {
                let text: String = text.split_whitespace().collect();
                STANDARD.decode(text).context("bodyBase64 is not base64")?
            }
            (None, None, Some(file)) => {
                let path = directory.join(file);
                let read = std::fs::read(&path);
                read.with_context(|| format!("bodyFile: {} cannot be read", path.display()))?
            }
            _ => bail!("give one of body, bodyBase64 and bodyFile"),
        })
    }
}

impl Expect {
    /// A line for each thing that is not as expected.
    pub(super) fn differences(&self, got: &Verdict) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |field: &str, want: Option<String>, got: Option<String>| {
            let Some(want) = want else { return };
            if got.as_ref() != Some(&want) {
                let got = got.unwrap_or_else(|| "none".to_owned());
                lines.push(format!("{field}: expected {want}, got {got}"));
            }
        };
        let verdict = format!("{:?}", self.verdict);
        compare("verdict", Some(verdict), Some(got.verdict.as_str().to_owned()));
        compare("code", self.code.clone(), Some(got.code.as_str().to_owned()));
        let whole = self.rule.as_ref().is_some_and(|rule| rule.contains('/'));
        let of_rule = |rule: &str| match whole {
            true => rule.to_owned(),
            false => rule.rsplit('/').next().unwrap_or(rule).to_owned(),
        };
        compare("rule", self.rule.clone(), got.rule.as_deref().map(of_rule));
        compare("detector", self.detector.clone(), got.detector.clone());
        let text = |index: usize| index.to_string();
        compare("pattern", self.pattern.map(text), got.pattern.map(text));
        compare("at", self.at.clone(), got.at.clone());
        lines
    }
}
