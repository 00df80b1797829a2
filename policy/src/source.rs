//! Policies as their authors wrote them, before compilation. Plain values: the custom resources
//! convert into these, and snapshots carry these, so that controller, proxy and command line all
//! run the same compiler over the same input.

use crate::action::Effect;
use crate::credential::PlaceholderUse;
use crate::mask::MaskSource;
use serde::{Deserialize, Serialize};

/// Which custom resource a policy came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyRef {
    /// `Guardrail` and `Baseline` are ClusterAgentPolicies, `Namespaced` is an AgentPolicy.
    pub tier: Tier,
    /// Empty for cluster-scoped policies.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
}

impl PolicyRef {
    /// An AgentPolicy.
    pub fn namespaced(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { tier: Tier::Namespaced, namespace: namespace.into(), name: name.into() }
    }
}

/// Precedence of a policy: a Guardrail's Deny is reported before any other, and nothing lifts it.
/// A Baseline is united with the AgentPolicies that select the same pod, and suffices where no
/// AgentPolicy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tier {
    Guardrail,
    Namespaced,
    Baseline,
}

/// Whether a policy's refusals are carried out.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum Mode {
    #[default]
    Enforce,
    /// Decide and record, let pass.
    Observe,
}

/// One policy, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySource {
    #[serde(flatten)]
    pub origin: PolicyRef,
    /// `metadata.generation`.
    pub generation: i64,
    #[serde(default)]
    pub mode: Mode,
    pub rules: Vec<RuleSource>,
    /// Set when the stored object could not be read as a policy: why. Such a policy denies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
}

impl PolicySource {
    /// The first generation of a policy that is enforced.
    pub const fn new(origin: PolicyRef, rules: Vec<RuleSource>) -> Self {
        Self { origin, generation: 1, mode: Mode::Enforce, rules, invalid: None }
    }
}

/// One rule, as written. `action` stays text: an unknown one is a compile error with its path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleSource {
    pub name: String,
    pub action: String,
    pub resource: String,
    /// Empty: all methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Types of DNS records, by their mnemonics. Text, as `action` is. Empty: addresses in an Allow,
    /// all in a Deny.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    pub effect: Effect,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_body_patterns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_patterns: Vec<String>,
    /// Names of the catalogue ([`crate::detect`]). Text, as `action` is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_detectors: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mask: Vec<MaskSource>,
    #[serde(default, skip_serializing_if = "TlsMode::is_default")]
    pub tls: TlsMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialSource>,
}

impl RuleSource {
    /// Whether it speaks of what is sent.
    pub fn reads_content(&self) -> bool {
        let lists = [&self.deny_body_patterns, &self.deny_patterns, &self.deny_detectors];
        lists.into_iter().any(|list| !list.is_empty())
    }

    /// A rule under no condition.
    pub fn new(
        name: impl Into<String>,
        action: impl Into<String>,
        resource: impl Into<String>,
        effect: Effect,
    ) -> Self {
        Self {
            name: name.into(),
            action: action.into(),
            resource: resource.into(),
            methods: Vec::new(),
            types: Vec::new(),
            effect,
            reason: None,
            deny_body_patterns: Vec::new(),
            deny_patterns: Vec::new(),
            deny_detectors: Vec::new(),
            mask: Vec::new(),
            tls: TlsMode::Intercept,
            credential: None,
        }
    }
}

/// A credential, as written. One of `header`, `query` and `basic` says where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialSource {
    pub secret_ref: SecretKeySource,
    /// Name of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Text of the header, with `{value}` in it. None: the value alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Name of a parameter of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// User name of HTTP Basic; the value is the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    #[serde(default, skip_serializing_if = "PlaceholderUse::is_default")]
    pub placeholder: PlaceholderUse,
}

/// A key of a Secret in the policy's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeySource {
    pub name: String,
    pub key: String,
}

impl CredentialSource {
    /// A credential that goes nowhere yet.
    pub const fn new(secret_ref: SecretKeySource) -> Self {
        Self {
            secret_ref,
            header: None,
            template: None,
            query: None,
            basic: None,
            env: None,
            placeholder: PlaceholderUse::Optional,
        }
    }
}

/// What becomes of the TLS of an allowed host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsMode {
    /// It is terminated, and every request is decided.
    #[default]
    Intercept,
    /// It passes as it is, held to its server name alone: for clients that pin certificates or
    /// present their own.
    Passthrough,
}

impl TlsMode {
    fn is_default(&self) -> bool {
        *self == Self::Intercept
    }
}
