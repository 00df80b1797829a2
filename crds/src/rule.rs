//! `spec.rules`.

use crate::{Credential, RecordType};
use exeat_policy::limits::{
    MAX_BODY_PATTERN, MAX_BODY_PATTERNS, MAX_DETECTOR, MAX_DETECTORS, MAX_MASKS, MAX_METHOD,
    MAX_METHODS, MAX_PATTERNS, MAX_REASON, MAX_RESOURCE, MAX_RULE_NAME, MAX_TYPES, METHOD_PATTERN,
    RULE_NAME_PATTERN,
};
use exeat_policy::{action, mask, source};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may or may not be done. The order of rules never matters: a Deny wins over an Allow, and
/// what no rule allows is denied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.methods) || size(self.methods) == 0 || self.action == 'network.request'").message("methods belong to network.request rules: remove methods, or set action to network.request"),
    validation = Rule::new("!has(self.types) || size(self.types) == 0 || self.action == 'network.dns'").message("types are types of DNS records and belong to network.dns rules: remove types, or set action to network.dns"),
    validation = Rule::new("!has(self.denyBodyPatterns) || size(self.denyBodyPatterns) == 0 || self.action == 'network.request'").message("denyBodyPatterns belong to network.request rules, the only ones whose content is read: remove them, or set action to network.request"),
    validation = Rule::new("!has(self.denyBodyPatterns) || size(self.denyBodyPatterns) == 0 || self.effect == 'Allow'").message("denyBodyPatterns narrow an Allow: a Deny refuses whatever the body is, so remove them or set effect to Allow"),
    validation = Rule::new("!has(self.denyPatterns) || size(self.denyPatterns) == 0 || (self.action == 'network.request' && self.effect == 'Allow')").message("denyPatterns narrow an Allow of network.request, the only rules whose content is read: move them to such a rule"),
    validation = Rule::new("!has(self.denyDetectors) || size(self.denyDetectors) == 0 || (self.action == 'network.request' && self.effect == 'Allow')").message("denyDetectors narrow an Allow of network.request, the only rules whose content is read: move them to such a rule"),
    validation = Rule::new("!has(self.mask) || size(self.mask) == 0 || (self.action == 'network.request' && self.effect == 'Allow')").message("masks belong to an Allow of network.request, the only rules whose content is read: move mask to such a rule"),
    validation = Rule::new("!has(self.tls) || self.tls != 'Passthrough' || !has(self.mask) || size(self.mask) == 0").message("tls: Passthrough is not read, so nothing in it can be masked: remove mask, or set tls to Intercept"),
    validation = Rule::new("!has(self.tls) || self.tls != 'Passthrough' || (self.action == 'network.request' && self.effect == 'Allow' && self.resource.startsWith('https://'))").message("tls: Passthrough belongs to an Allow of network.request whose resource begins with https://: TLS of a network.connect rule passes through anyway"),
    validation = Rule::new("!has(self.tls) || self.tls != 'Passthrough' || (!(has(self.methods) && size(self.methods) > 0) && !(has(self.denyBodyPatterns) && size(self.denyBodyPatterns) > 0) && !(has(self.denyPatterns) && size(self.denyPatterns) > 0) && !(has(self.denyDetectors) && size(self.denyDetectors) > 0))").message("tls: Passthrough is not read, so methods, denyBodyPatterns, denyPatterns and denyDetectors cannot be held to: remove them, or set tls to Intercept"),
    validation = Rule::new("!has(self.credential) || (self.action == 'network.request' && self.effect == 'Allow' && self.resource.matches('^https://[^*/:]+(:[0-9]+)?(/.*)?$') && (!has(self.tls) || self.tls == 'Intercept'))").message("a credential belongs to an Allow of network.request whose resource is https:// and one host, such as https://api.example.com/**, and whose tls is Intercept"),
    validation = Rule::new("self.action != 'network.dns' || !self.resource.contains('://')").message("the resource of a network.dns rule is a host pattern without a scheme, such as *.example.com"),
    validation = Rule::new("self.action != 'network.request' || self.resource.startsWith('http://') || self.resource.startsWith('https://') || self.resource.startsWith('ws://') || self.resource.startsWith('wss://') || self.resource.startsWith('*://')").message("the resource of a network.request rule begins with http://, https://, ws://, wss:// or *://"),
    validation = Rule::new("self.action != 'network.connect' || self.resource.startsWith('tcp://') || self.resource.startsWith('tls://') || self.resource.startsWith('*://')").message("the resource of a network.connect rule begins with tcp://, tls:// or *://"),
)]
pub struct Rule {
    /// Names the rule in refusals and in the audit; unique within the policy.
    #[schemars(length(min = 1, max = MAX_RULE_NAME), regex(pattern = RULE_NAME_PATTERN))]
    pub name: String,
    /// The kind of act.
    pub action: Action,
    /// What is acted upon. network.request and network.connect: scheme://host[:port][/path], for
    /// example https://api.example.com/v1/**; network.dns: a host pattern. A host is a name,
    /// *.name (whole labels, never the apex), ** (any name), an address or a CIDR. Names never
    /// match addresses. In a path * stays within a segment and ** crosses segments.
    #[schemars(length(min = 1, max = MAX_RESOURCE))]
    pub resource: String,
    /// HTTP methods, in capitals. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_METHODS),
        inner(length(min = 1, max = MAX_METHOD), regex(pattern = METHOD_PATTERN))
    )]
    pub methods: Vec<String>,
    /// Types of DNS records. Empty: addresses (A and AAAA) in an Allow, every type in a Deny. What is
    /// listed is asked for outside, so the name leaves the pod; a name in an answer needs a rule of
    /// its own to be connected to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_TYPES))]
    pub types: Vec<RecordType>,
    /// Allow or Deny.
    pub effect: Effect,
    /// Why, for people: shown in refusals and in the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_REASON))]
    pub reason: Option<String>,
    /// Case-insensitive regular expressions (RE2 syntax). A request that this rule would allow is
    /// refused when its body matches one of them, as it is or in what it decodes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_BODY_PATTERNS), inner(length(min = 1, max = MAX_BODY_PATTERN)))]
    pub deny_body_patterns: Vec<String>,
    /// The same for all that the agent sends: path, query, names and values of header lines, body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_PATTERNS), inner(length(min = 1, max = MAX_BODY_PATTERN)))]
    pub deny_patterns: Vec<String>,
    /// Names of detectors, such as aws-access-key or private-key; `exeat detectors list` shows them. A
    /// request that this rule would allow is refused when one of them finds something in what the agent
    /// sends: path, query, names and values of header lines, body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = MAX_DETECTORS),
        inner(length(min = 1, max = MAX_DETECTOR), regex(pattern = RULE_NAME_PATTERN))
    )]
    pub deny_detectors: Vec<String>,
    /// What is masked in bodies that this rule allows, in what the server answers unless an entry says
    /// otherwise. What cannot be masked, such as gRPC and WebSockets, is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_MASKS))]
    pub mask: Vec<Mask>,
    /// What becomes of the host's TLS. Intercept: it is terminated, and every request is decided.
    /// Passthrough: it passes as it is, held to its server name alone, for clients that pin
    /// certificates or present their own; in an Allow of https:// and a name, without path,
    /// methods and rules about content. Where another rule denies requests to the host or holds their
    /// content, it is terminated all the same.
    #[serde(default, skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// A credential that the proxy adds to the requests that this rule allows; in an Allow of an
    /// AgentPolicy, of https:// and one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
}

/// What is masked, where, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mask {
    /// Names of detectors, such as credit-card; `exeat detectors list` shows them.
    #[schemars(
        length(min = 1, max = MAX_DETECTORS),
        inner(length(min = 1, max = MAX_DETECTOR), regex(pattern = RULE_NAME_PATTERN))
    )]
    pub detectors: Vec<String>,
    /// Response: what the server answers. Request: what the agent sends. Both.
    #[serde(default, skip_serializing_if = "is_default")]
    pub direction: MaskDirection,
    /// Placeholder: [exeat:credit-card]. Partial: the last four characters, but never more than half of
    /// them. Hash: a placeholder with a hash under the pod's own key, so that equal values stay equal.
    #[serde(default, skip_serializing_if = "is_default")]
    pub with: MaskWith,
    /// What becomes of numbers in JSON. Keep: numbers of the same length, with other digits. String: what
    /// `with` says, as a string.
    #[serde(default, skip_serializing_if = "is_default")]
    pub numbers: MaskNumbers,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Which bodies are masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MaskDirection {
    /// What the agent sends.
    Request,
    /// What the server answers.
    #[default]
    Response,
    /// Either.
    Both,
}

/// What stands in place of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MaskWith {
    /// The detector's name in brackets.
    #[default]
    Placeholder,
    /// The end of the value.
    Partial,
    /// The detector's name and a keyed hash.
    Hash,
}

/// What becomes of numbers in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MaskNumbers {
    /// They stay numbers.
    #[default]
    Keep,
    /// They become strings.
    String,
}

impl From<&Mask> for mask::MaskSource {
    fn from(mask: &Mask) -> Self {
        Self {
            detectors: mask.detectors.clone(),
            direction: match mask.direction {
                MaskDirection::Request => mask::Direction::Request,
                MaskDirection::Response => mask::Direction::Response,
                MaskDirection::Both => mask::Direction::Both,
            },
            with: match mask.with {
                MaskWith::Placeholder => mask::With::Placeholder,
                MaskWith::Partial => mask::With::Partial,
                MaskWith::Hash => mask::With::Hash,
            },
            numbers: match mask.numbers {
                MaskNumbers::Keep => mask::Numbers::Keep,
                MaskNumbers::String => mask::Numbers::String,
            },
        }
    }
}

/// What becomes of a host's TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tls {
    /// Terminated; every request is decided.
    #[default]
    Intercept,
    /// Passed as it is, held to its server name.
    Passthrough,
}

impl Tls {
    fn is_default(&self) -> bool {
        *self == Self::Intercept
    }
}

/// A kind of act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// An HTTP request, decided by scheme, host, port, path and method.
    #[serde(rename = "network.request")]
    NetworkRequest,
    /// A TCP connection whose content is opaque, decided by host and port.
    #[serde(rename = "network.connect")]
    NetworkConnect,
    /// A DNS question, decided by name.
    #[serde(rename = "network.dns")]
    NetworkDns,
}

/// What a rule does where it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// Permits, where no Deny matches too.
    Allow,
    /// Refuses, whatever else matches.
    Deny,
}

impl From<Action> for action::Action {
    fn from(value: Action) -> Self {
        match value {
            Action::NetworkRequest => Self::NetworkRequest,
            Action::NetworkConnect => Self::NetworkConnect,
            Action::NetworkDns => Self::NetworkDns,
        }
    }
}

impl From<Effect> for action::Effect {
    fn from(value: Effect) -> Self {
        match value {
            Effect::Allow => Self::Allow,
            Effect::Deny => Self::Deny,
        }
    }
}

fn record_type(of: RecordType) -> String {
    exeat_policy::RecordType::from(of).as_str().to_owned()
}

impl From<&Rule> for source::RuleSource {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            action: action::Action::from(rule.action).as_str().to_owned(),
            resource: rule.resource.clone(),
            methods: rule.methods.clone(),
            types: rule.types.iter().map(|it| record_type(*it)).collect(),
            effect: rule.effect.into(),
            reason: rule.reason.clone(),
            deny_body_patterns: rule.deny_body_patterns.clone(),
            deny_patterns: rule.deny_patterns.clone(),
            deny_detectors: rule.deny_detectors.clone(),
            mask: rule.mask.iter().map(Into::into).collect(),
            tls: match rule.tls {
                Tls::Intercept => source::TlsMode::Intercept,
                Tls::Passthrough => source::TlsMode::Passthrough,
            },
            credential: rule.credential.as_ref().map(Into::into),
        }
    }
}
