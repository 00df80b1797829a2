//! Rules as SafeClaw's files hold them. Its versions and guides spell the same things in several ways;
//! all are read, and a field that is not known is kept by name, since it may narrow the rule.

use anyhow::{Context, Result, bail};
use serde_yaml::{Mapping, Value};

/// One rule, as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: Option<String>,
    pub(super) actions: Vec<String>,
    pub(super) targets: Vec<Target>,
    pub(super) methods: Vec<String>,
    pub(super) effect: String,
    pub(super) reason: Option<String>,
    pub(super) body_patterns: Vec<String>,
    /// Fields and operators that are not known.
    pub(super) unknown: Vec<String>,
    pub(super) disabled: bool,
}

/// What a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A host, a URL or a command, with `*` and `**`.
    Text(String),
    /// A regular expression.
    Expression(String),
}

/// The rules of a file, and whether what no rule matches is allowed.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) rules: Vec<Written>,
    pub(super) allows_by_default: bool,
}

const TARGETS: [&str; 12] = [
    "resource",
    "resources",
    "domain",
    "domains",
    "destination",
    "destinations",
    "url",
    "host",
    "hosts",
    "target",
    "command",
    "path",
];
const NAMES: [&str; 2] = ["id", "name"];
const REASONS: [&str; 3] = ["reason", "message", "description"];
const EFFECTS: [&str; 3] = ["effect", "decision", "verdict"];
const ACTIONS: [&str; 3] = ["action", "actions", "type"];
const METHODS: [&str; 2] = ["method", "methods"];
const BODY: [&str; 2] = ["deny_body_patterns", "denyBodyPatterns"];
const INSIDE: [&str; 3] = ["match", "matcher", "when"];
/// They change nothing that is decided.
const IDLE: [&str; 7] = ["audit", "tags", "severity", "category", "comment", "notes", "version"];
const DEFAULTS: [&str; 5] =
    ["default", "defaultAction", "defaultEffect", "default_action", "default_effect"];

/// # Errors
/// When the text is neither YAML nor JSON, or holds no list of rules.
pub(super) fn read(text: &str) -> Result<File> {
    let value: Value = serde_yaml::from_str(text).context("neither YAML nor JSON")?;
    let (head, rules) = match &value {
        Value::Sequence(rules) => (None, rules),
        Value::Mapping(top) => {
            let inner = top.get("policy").and_then(Value::as_mapping).unwrap_or(top);
            match inner.get("rules") {
                Some(Value::Sequence(rules)) => (Some(inner), rules),
                _ => bail!("no list of rules: expected `rules:` with a list below it"),
            }
        }
        _ => bail!("no list of rules: expected `rules:` with a list below it"),
    };
    let default = head.and_then(|head| DEFAULTS.iter().find_map(|key| head.get(*key)));
    let default = default.and_then(Value::as_str).unwrap_or_default();
    let mut file =
        File { allows_by_default: default.eq_ignore_ascii_case("allow"), ..File::default() };
    for (index, rule) in rules.iter().enumerate() {
        let Value::Mapping(fields) = rule else { bail!("rules[{index}] is no mapping") };
        let mut written = Written::default();
        written.take(fields);
        file.rules.push(written);
    }
    Ok(file)
}

impl Written {
    fn take(&mut self, fields: &Mapping) {
        for (key, value) in fields {
            let key = key.as_str().unwrap_or_default();
            let is = |names: &[&str]| names.contains(&key);
            match value {
                _ if is(&NAMES) => self.name = self.name.take().or_else(|| text(value)),
                _ if is(&REASONS) => self.reason = self.reason.take().or_else(|| text(value)),
                _ if is(&EFFECTS) => self.effect = text(value).unwrap_or_default(),
                _ if is(&ACTIONS) => self.actions.extend(texts(value)),
                _ if is(&METHODS) => self.methods.extend(texts(value)),
                _ if is(&BODY) => self.body_patterns.extend(texts(value)),
                _ if is(&TARGETS) => {
                    self.targets.extend(texts(value).into_iter().map(Target::Text))
                }
                Value::Mapping(inner) if is(&INSIDE) => self.take(inner),
                Value::Bool(enabled) if key == "enabled" => self.disabled = !enabled,
                Value::Sequence(list) if key == "conditions" => self.conditions(list),
                Value::Mapping(one) if key == "condition" => self.condition(one),
                _ if is(&IDLE) => {}
                _ => self.unknown.push(key.to_owned()),
            }
        }
    }

    /// All of these hold.
    fn conditions(&mut self, list: &[Value]) {
        for condition in list {
            match condition.as_mapping() {
                Some(condition) => self.condition(condition),
                None => self.unknown.push("conditions".to_owned()),
            }
        }
    }

    fn condition(&mut self, of: &Mapping) {
        if let Some(Value::Sequence(all)) = of.get("all") {
            return self.conditions(all);
        }
        if let Some(Value::Sequence(any)) = of.get("any") {
            // Of these one holds: targets stand beside one another already.
            let before = self.actions.len();
            self.conditions(any);
            if self.actions.len() > before && any.len() > self.actions.len() - before {
                self.unknown.push("any of actions and resources".to_owned());
            }
            return;
        }
        let field = of.get("field").and_then(Value::as_str).unwrap_or_default();
        let operator = of.get("operator").or_else(|| of.get("op")).and_then(Value::as_str);
        let operator = operator.unwrap_or_default().to_ascii_lowercase().replace('_', "");
        let values = of.get("value").map(texts).unwrap_or_default();
        let equal = matches!(operator.as_str(), "eq" | "equals" | "is" | "in" | "oneof");
        match field {
            "type" | "action" | "action.type" if equal || operator == "startswith" => {
                self.actions.extend(values);
            }
            "method" if equal => self.methods.extend(values),
            "url" | "host" | "domain" | "command" | "path" | "resource" | "action.resource" => {
                let target = |value: String| match operator.as_str() {
                    _ if equal => Some(Target::Text(value)),
                    "startswith" => Some(Target::Text(format!("{value}**"))),
                    "glob" => Some(Target::Text(value)),
                    "matches" | "regex" => Some(Target::Expression(value)),
                    _ => None,
                };
                for value in values {
                    match target(value) {
                        Some(target) => self.targets.push(target),
                        None => self.unknown.push(format!("operator {operator}")),
                    }
                }
            }
            _ => self.unknown.push(format!("condition on {field}")),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Sequence(list) => list.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    }
}
