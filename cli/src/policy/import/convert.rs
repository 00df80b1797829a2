//! From what was written to rules, and what became of each.

use super::host::{Resources, resources};
use super::written::{File, Target, Written};
use exeat_policy::action::{Action, Effect};
use exeat_policy::compile::compile_policy;
use exeat_policy::limits::MAX_RULE_NAME;
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::{HostPattern, ResourcePattern};
use exeat_policy::source::{PolicyRef, PolicySource, RuleSource};
use std::collections::HashSet;
use std::fmt;

/// What a file becomes.
#[derive(Debug, Default)]
pub(super) struct Converted {
    pub(super) rules: Vec<RuleSource>,
    pub(super) said: Vec<Said>,
}

/// What became of one rule.
#[derive(Debug)]
pub(super) struct Said {
    /// As in `rules[3] (deny-curl)`.
    pub(super) rule: String,
    pub(super) became: Became,
    pub(super) notes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The names of these rules.
    Rules(Vec<String>),
    /// It says what holds anyway.
    Needless(&'static str),
    LeftOut(String),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.became {
            Became::Rules(names) => write!(f, "{}: taken over as {}", self.rule, names.join(", "))?,
            Became::Needless(why) => write!(f, "{}: needs no rule: {why}", self.rule)?,
            Became::LeftOut(why) => write!(f, "{}: LEFT OUT: {why}", self.rule)?,
        }
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

/// What the action of a rule is here.
enum Act {
    Network(Action),
    Any,
    /// Named, so that nobody looks for the mistake in the file.
    NotYet(String),
    Outside(String),
}

pub(super) fn all(file: &File) -> Converted {
    let mut converted = Converted::default();
    let mut names = HashSet::new();
    if file.allows_by_default {
        let why = "what no rule allows is denied; name what is allowed".to_owned();
        let rule = "the default (allow)".to_owned();
        let became = Became::LeftOut(why);
        converted.said.push(Said { rule, became, notes: Vec::new() });
    }
    for (index, written) in file.rules.iter().enumerate() {
        let rule = match &written.name {
            Some(name) => format!("rules[{index}] ({name})"),
            None => format!("rules[{index}]"),
        };
        let mut notes = Vec::new();
        let became = match of_rule(written, &mut notes) {
            Ok(Some(made)) => take(made, written, &mut names, &mut converted.rules, &mut notes),
            Ok(None) => Became::Needless("what no rule allows is denied"),
            Err(why) => Became::LeftOut(why),
        };
        converted.said.push(Said { rule, became, notes });
    }
    converted
}

/// Names the rules, and adds them where all of them compile.
fn take(
    mut made: Vec<RuleSource>,
    written: &Written,
    names: &mut HashSet<String>,
    rules: &mut Vec<RuleSource>,
    notes: &mut Vec<String>,
) -> Became {
    for rule in &mut made {
        let wanted = written.name.as_deref().unwrap_or(&rule.resource);
        rule.name = free_name(wanted, names);
        let origin = PolicyRef::namespaced("default", "imported");
        if let Err(errors) = compile_policy(&PolicySource::new(origin, vec![rule.clone()])) {
            let why = errors.first().map(|error| format!("{}; {}", error.problem, error.fix));
            return Became::LeftOut(why.unwrap_or_default());
        }
    }
    for rule in made.iter().filter(|rule| rule.effect == Effect::Deny) {
        let beaten = rules.iter().filter(|allow| allow.effect == Effect::Allow);
        for allow in beaten.filter(|allow| overlaps(rule, allow)) {
            let note = format!("it wins over {}, which came first and decided there", allow.name);
            notes.push(note);
        }
    }
    let taken = made.iter().map(|rule| rule.name.clone()).collect();
    rules.extend(made);
    Became::Rules(taken)
}

/// None: the rule is not needed.
fn of_rule(written: &Written, notes: &mut Vec<String>) -> Result<Option<Vec<RuleSource>>, String> {
    if written.disabled {
        return Err("it is not enabled".to_owned());
    }
    if !written.unknown.is_empty() {
        return Err(format!("not known here: {}", written.unknown.join(", ")));
    }
    let effect = effect(written, notes)?;
    let act = act(written)?;
    let everything =
        |target: &Target| matches!(target, Target::Text(text) if text == "*" || text == "**");
    let no_target = written.targets.iter().all(everything);
    let action = match act {
        Act::NotYet(what) => return Err(format!("{what} is not decided yet by this version")),
        Act::Outside(what) => return Err(format!("{what} does not leave the pod")),
        Act::Any if effect == Effect::Deny && no_target => return Ok(None),
        Act::Any => return Err("name its action: network.request, network.dns".to_owned()),
        Act::Network(action) => action,
    };
    if effect == Effect::Deny && !written.body_patterns.is_empty() {
        let why = "a Deny refuses whatever the body is; put the patterns on the rule that allows";
        return Err(why.to_owned());
    }
    if written.targets.is_empty() && effect == Effect::Allow {
        return Err("it names no host".to_owned());
    }
    let mut list = Vec::new();
    let mut all = written.targets.is_empty();
    for target in &written.targets {
        let Resources { list: more, notes: said, everything } = resources(target, action, effect)?;
        all |= everything;
        list.extend(more);
        notes.extend(said.into_iter().map(str::to_owned));
    }
    if all {
        return match effect {
            Effect::Deny if written.methods.is_empty() => Ok(None),
            Effect::Deny => Err("a Deny of methods everywhere; name the hosts".to_owned()),
            Effect::Allow => Err("an Allow of every host; name the hosts".to_owned()),
        };
    }
    let rule = |resource: String| RuleSource {
        methods: written.methods.iter().map(|it| it.to_ascii_uppercase()).collect(),
        reason: written.reason.clone(),
        deny_body_patterns: written.body_patterns.clone(),
        ..RuleSource::new("", action.as_str(), resource, effect)
    };
    Ok(Some(list.into_iter().map(rule).collect()))
}

fn effect(written: &Written, notes: &mut Vec<String>) -> Result<Effect, String> {
    match written.effect.to_ascii_lowercase().replace('-', "_").as_str() {
        "allow" | "permit" => Ok(Effect::Allow),
        "deny" | "block" => Ok(Effect::Deny),
        "audit" | "log" => {
            notes.push("every act is recorded, so it is an Allow".to_owned());
            Ok(Effect::Allow)
        }
        "require_approval" | "requireapproval" | "ask" | "approve" => {
            Err("approvals are not decided yet by this version; until then it is denied".to_owned())
        }
        "" => Err("it has no effect".to_owned()),
        other => Err(format!("the effect {other:?} is not known")),
    }
}

fn act(written: &Written) -> Result<Act, String> {
    let [action] = written.actions.as_slice() else {
        return Err(match written.actions.len() {
            0 => "it has no action".to_owned(),
            _ => "it has several actions; make a rule of each".to_owned(),
        });
    };
    let known = action.trim_end_matches(['*', '.']).to_ascii_lowercase().replace('_', ".");
    Ok(match known.as_str() {
        "" => Act::Any,
        "network.dns" | "dns" | "dns.resolve" | "network.resolve" => {
            Act::Network(Action::NetworkDns)
        }
        "network.connect" | "tcp" | "network.tcp" => Act::Network(Action::NetworkConnect),
        "network" | "network.request" | "network.http" | "http" | "http.request"
        | "network.fetch" => Act::Network(Action::NetworkRequest),
        shell if shell.starts_with("shell") || shell.starts_with("code") || shell == "exec" => {
            Act::NotYet("shell.exec".to_owned())
        }
        file if file.starts_with("file") => Act::Outside(action.clone()),
        _ => return Err(format!("the action {action:?} is not known")),
    })
}

/// A name as rules have them, that no other rule has.
fn free_name(wanted: &str, names: &mut HashSet<String>) -> String {
    let mut name = String::new();
    for letter in wanted.to_ascii_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => name.push(letter),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    // Room for a number.
    name.truncate(MAX_RULE_NAME - 4);
    let name = match name.trim_end_matches('-') {
        "" => "rule",
        name => name,
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|it| !names.contains(it));
    let free = free.unwrap_or_default();
    names.insert(free.clone());
    free
}

/// Whether a Deny speaks of hosts of an Allow.
fn overlaps(deny: &RuleSource, allow: &RuleSource) -> bool {
    if deny.action != allow.action {
        return false;
    }
    let parse = |rule: &RuleSource| {
        let action = Action::ALL.into_iter().find(|action| action.as_str() == rule.action)?;
        ResourcePattern::parse(&rule.resource, action, rule.effect).ok()
    };
    let (Some(deny), Some(allow)) = (parse(deny), parse(allow)) else { return false };
    let scheme = deny.scheme.is_none() || allow.scheme.is_none() || deny.scheme == allow.scheme;
    let some_host = match &allow.host {
        HostPattern::Exact(name) => Some(Host::Name(name.clone())),
        HostPattern::Below(name) => Name::parse(&format!("a.{name}")).ok().map(Host::Name),
        HostPattern::AnyName => Name::parse("a.example").ok().map(Host::Name),
        HostPattern::Net(net) => Some(Host::Ip(net.network())),
    };
    scheme && some_host.is_some_and(|host| deny.host.matches(&host))
}
