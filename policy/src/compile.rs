//! From a policy as written to rules that can be matched. Every error names the field, what is
//! wrong with it and what to write instead; a policy with any error does not compile at all.

use crate::action::{Action, Effect};
use crate::body::BodyPatterns;
use crate::content::Content;
use crate::detect::Set;
use crate::limits::{
    MAX_DETECTORS, MAX_METHOD, MAX_METHODS, MAX_REASON, MAX_RESOURCE, MAX_RULE_NAME, MAX_RULES,
    MAX_TYPES,
};
use crate::pattern::{HostPattern, ResourcePattern, Scheme};
use crate::record_type::RecordType;
use crate::rule::{Rule, RuleRef};
use crate::source::{PolicyRef, PolicySource, RuleSource, Tier, TlsMode};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

mod credential;

pub(crate) use credential::credential_of;
mod mask;

/// Actions of the design that this version does not decide.
const LATER: [&str; 3] = ["shell.exec", "postgres.query", "ssh.exec"];

/// One thing that is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// Such as `spec.rules[2].resource`.
    pub path: String,
    pub problem: String,
    pub fix: String,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.problem, self.fix)
    }
}

/// A policy all of whose rules compiled.
#[derive(Debug)]
pub struct CompiledPolicy {
    pub rules: Vec<Rule>,
}

/// Compiles one policy.
///
/// # Errors
/// Every error of the policy, in the order of its fields.
pub fn compile_policy(source: &PolicySource) -> Result<CompiledPolicy, Vec<CompileError>> {
    let mut errors = Vec::new();
    if let Some(why) = &source.invalid {
        errors.push(error(
            "spec",
            format!("the object could not be read: {why}"),
            "apply it again with valid fields",
        ));
        return Err(errors);
    }
    if source.rules.len() > MAX_RULES {
        errors.push(error(
            "spec.rules",
            format!("there are more than {MAX_RULES} rules"),
            "use patterns, or several policies",
        ));
        return Err(errors);
    }
    let mut names = HashSet::new();
    let mut rules = Vec::with_capacity(source.rules.len());
    for (at, rule) in source.rules.iter().enumerate() {
        let path = format!("spec.rules[{at}]");
        if let Err((problem, fix)) = check_name(&rule.name) {
            errors.push(error(&format!("{path}.name"), problem, fix));
        }
        if !names.insert(rule.name.as_str()) {
            errors.push(error(
                &format!("{path}.name"),
                format!("another rule is called {:?} too", rule.name),
                "give each rule a name of its own",
            ));
        }
        match compile_rule(rule, &path, &source.origin) {
            Ok(rule) => rules.push(rule),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(CompiledPolicy { rules }) } else { Err(errors) }
}

/// Names stand in records, answers and terminals.
fn check_name(name: &str) -> Result<(), (String, &'static str)> {
    if name.is_empty() {
        return Err(("the rule has no name".into(), "give it one; denials and records show it"));
    }
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = name.len() <= MAX_RULE_NAME && name.bytes().all(plain);
    if !fits || name.starts_with('-') || name.ends_with('-') {
        let problem = format!(
            "the name is longer than {MAX_RULE_NAME} characters, or has one that names do not have"
        );
        return Err((problem, "use a-z, 0-9 and -, which neither begins nor ends it"));
    }
    Ok(())
}

fn error(path: &str, problem: String, fix: &str) -> CompileError {
    CompileError { path: path.to_owned(), problem, fix: fix.to_owned() }
}

fn compile_rule(
    rule: &RuleSource,
    path: &str,
    origin: &PolicyRef,
) -> Result<Rule, Vec<CompileError>> {
    let mut errors = Vec::new();
    if origin.tier == Tier::Guardrail && rule.effect != Effect::Deny {
        errors.push(error(
            &format!("{path}.effect"),
            "a Guardrail may only Deny".into(),
            "move the rule to a Baseline or an AgentPolicy",
        ));
    }
    let is_reason =
        |r: &String| r.chars().count() <= MAX_REASON && !r.chars().any(char::is_control);
    if !rule.reason.as_ref().is_none_or(is_reason) {
        errors.push(error(
            &format!("{path}.reason"),
            format!("the reason is longer than {MAX_REASON} characters, or has control characters"),
            "shorten it",
        ));
    }
    let action = match parse_action(&rule.action) {
        Ok(action) => action,
        Err((problem, fix)) => {
            errors.push(CompileError { path: format!("{path}.action"), problem, fix });
            return Err(errors);
        }
    };
    if rule.resource.chars().count() > MAX_RESOURCE {
        errors.push(error(
            &format!("{path}.resource"),
            format!("the resource is longer than {MAX_RESOURCE} characters"),
            "shorten it with patterns",
        ));
    }
    let methods = check_methods(rule, action, path, &mut errors);
    let types = check_types(rule, action, path, &mut errors);
    let content = check_content(rule, action, path, &mut errors);
    let masks = mask::check_masks(rule, action, path, &mut errors);
    let pattern = ResourcePattern::parse(&rule.resource, action, rule.effect);
    if let Ok(pattern) = &pattern {
        check_tls(rule, action, pattern, path, &mut errors);
    }
    let credential = credential::check_credential(
        rule,
        action,
        pattern.as_ref().ok(),
        origin,
        path,
        &mut errors,
    );
    match pattern {
        Ok(pattern) if errors.is_empty() => Ok(Rule {
            name: Arc::new(RuleRef::new(origin.clone(), rule.name.clone())),
            action,
            effect: rule.effect,
            pattern,
            resource: rule.resource.as_str().into(),
            methods,
            types,
            reason: rule.reason.as_deref().map(Arc::from),
            content,
            masks,
            tls: rule.tls,
            credential,
        }),
        Ok(_) => Err(errors),
        Err(e) => {
            errors.push(CompileError {
                path: format!("{path}.resource"),
                problem: e.problem,
                fix: e.fix,
            });
            Err(errors)
        }
    }
}

fn parse_action(text: &str) -> Result<Action, (String, String)> {
    if let Some(action) = Action::ALL.into_iter().find(|a| a.as_str() == text) {
        return Ok(action);
    }
    let known = Action::ALL.map(Action::as_str).join(", ");
    if LATER.contains(&text) {
        return Err((
            format!("the action {text} is not supported by this version"),
            format!("remove the rule; supported are {known}"),
        ));
    }
    Err((format!("the action {text:?} is not known"), format!("use one of {known}")))
}

fn check_methods(
    rule: &RuleSource,
    action: Action,
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Vec<String> {
    if !rule.methods.is_empty() && action != Action::NetworkRequest {
        errors.push(error(
            &format!("{path}.methods"),
            format!("{action} has no methods"),
            "remove them, or use network.request",
        ));
    }
    if rule.methods.len() > MAX_METHODS {
        errors.push(error(
            &format!("{path}.methods"),
            format!("there are more than {MAX_METHODS} methods"),
            "leave them out to match every method",
        ));
    }
    for (at, method) in rule.methods.iter().enumerate() {
        let token = !method.starts_with('-')
            && (1..=MAX_METHOD).contains(&method.len())
            && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        let path = format!("{path}.methods[{at}]");
        if !token {
            errors.push(error(
                &path,
                format!("{method:?} is not an HTTP method"),
                "write it in capitals, such as GET",
            ));
        } else if matches!(method.as_str(), "CONNECT" | "TRACE") {
            errors.push(error(&path, format!("{method} never passes the proxy"), "remove it"));
        }
    }
    rule.methods.clone()
}

/// TLS that passes unread is allowed by name alone.
fn check_tls(
    rule: &RuleSource,
    action: Action,
    pattern: &ResourcePattern,
    path: &str,
    errors: &mut Vec<CompileError>,
) {
    if rule.tls == TlsMode::Intercept {
        return;
    }
    let path = format!("{path}.tls");
    if action != Action::NetworkRequest || rule.effect != Effect::Allow {
        errors.push(error(
            &path,
            "Passthrough belongs to an Allow of network.request".into(),
            "remove it; TLS of a network.connect rule passes through anyway",
        ));
    } else if !matches!(pattern.scheme, Some(Scheme::Https))
        || matches!(pattern.host, HostPattern::Net(_))
    {
        errors.push(error(
            &path,
            "Passthrough is held to the server name of https".into(),
            "write the resource as https:// and a name",
        ));
    }
    let unread = pattern.path.is_some()
        || !rule.methods.is_empty()
        || rule.reads_content()
        || !rule.mask.is_empty();
    if unread {
        errors.push(error(
            &path,
            "what passes through is not read, so paths, methods and contents cannot be held to"
                .into(),
            "remove the path, methods, masks and what is denied of the content, or set tls to Intercept",
        ));
    }
}

fn check_types(
    rule: &RuleSource,
    action: Action,
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Vec<RecordType> {
    let path = format!("{path}.types");
    if !rule.types.is_empty() && action != Action::NetworkDns {
        let problem = format!("{action} has no types");
        errors.push(error(&path, problem, "remove them, or use network.dns"));
    }
    if rule.types.len() > MAX_TYPES {
        let problem = format!("there are more than {MAX_TYPES} types");
        errors.push(error(&path, problem, "list each type once"));
    }
    let mut types = Vec::with_capacity(rule.types.len().min(MAX_TYPES));
    for (at, text) in rule.types.iter().take(MAX_TYPES).enumerate() {
        match RecordType::named(text) {
            RecordType::Other => {
                let known = RecordType::LISTED.map(RecordType::as_str).join(", ");
                errors.push(error(
                    &format!("{path}[{at}]"),
                    format!("{text:?} is not a type of DNS records that a rule can list"),
                    &format!("use one of {known}"),
                ));
            }
            known => types.push(known),
        }
    }
    types
}

fn check_content(
    rule: &RuleSource,
    action: Action,
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Option<Arc<Content>> {
    if !rule.reads_content() {
        return None;
    }
    let lists = [
        ("denyBodyPatterns", &rule.deny_body_patterns),
        ("denyPatterns", &rule.deny_patterns),
        ("denyDetectors", &rule.deny_detectors),
    ];
    if action != Action::NetworkRequest || rule.effect != Effect::Allow {
        for (field, _) in lists.iter().filter(|(_, list)| !list.is_empty()) {
            errors.push(error(
                &format!("{path}.{field}"),
                "what is sent is looked at under an Allow of network.request".into(),
                "move it to such a rule",
            ));
        }
        return None;
    }
    let [(body, _), (anywhere, _), (detectors, _)] = lists;
    let (path_of, before) = (|field: &str| format!("{path}.{field}"), errors.len());
    let content = Content {
        body: check_patterns(&rule.deny_body_patterns, &path_of(body), errors),
        anywhere: check_patterns(&rule.deny_patterns, &path_of(anywhere), errors),
        detectors: check_detectors(&rule.deny_detectors, &path_of(detectors), errors),
    };
    (errors.len() == before).then(|| Arc::new(content))
}

fn check_patterns(
    list: &[String],
    path: &str,
    errors: &mut Vec<CompileError>,
) -> Option<BodyPatterns> {
    if list.is_empty() {
        return None;
    }
    BodyPatterns::compile(list)
        .map_err(|e| {
            let path = e.index.map_or_else(|| path.to_owned(), |at| format!("{path}[{at}]"));
            errors.push(CompileError { path, problem: e.problem, fix: e.fix });
        })
        .ok()
}

fn check_detectors(list: &[String], path: &str, errors: &mut Vec<CompileError>) -> Option<Set> {
    if list.is_empty() {
        return None;
    }
    if list.len() > MAX_DETECTORS {
        let problem = format!("there are more than {MAX_DETECTORS} detectors");
        errors.push(error(path, problem, "list each detector once"));
        return None;
    }
    for (at, name) in list.iter().enumerate() {
        if let Err(unknown) = Set::compile(&[name], &[]) {
            errors.push(error(
                &format!("{path}[{at}]"),
                unknown.to_string(),
                "`exeat detectors list` names them all",
            ));
            return None;
        }
    }
    Set::compile(list, &[])
        .map_err(|e| errors.push(error(path, e.to_string(), "see `exeat detectors list`")))
        .ok()
}
