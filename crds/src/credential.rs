//! `spec.rules[].credential`.

use exeat_policy::credential;
use exeat_policy::limits::{
    MAX_CREDENTIAL_NAME, MAX_ENV, MAX_SECRET_KEY, MAX_SECRET_NAME, MAX_TEMPLATE, MAX_USERNAME,
};
use exeat_policy::source;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A credential that the proxy adds to requests; the agent never has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("(has(self.header) ? 1 : 0) + (has(self.query) ? 1 : 0) + (has(self.basic) ? 1 : 0) == 1").message("a credential goes to exactly one place: keep one of header, query and basic"),
    validation = Rule::new("!has(self.template) || has(self.header)").message("a template is for a header: remove it, or use header"),
    validation = Rule::new("!has(self.template) || self.template.contains('{value}')").message("the template must have {value} where the value goes, such as Bearer {value}"),
)]
pub struct Credential {
    /// Where the value is: a key of a Secret in the policy's own namespace. Exeat reads it only where
    /// a Role lets it; `exeat credentials allow` prints one.
    pub secret_ref: SecretKeyRef,
    /// The header that gets the value, such as Authorization. A header of that name that the agent
    /// sends is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_CREDENTIAL_NAME), regex(pattern = "^[A-Za-z0-9-]+$"))]
    pub header: Option<String>,
    /// What the header says, with {value} where the value goes. Without it: the value alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 7, max = MAX_TEMPLATE), regex(pattern = "^[ -~]*$"))]
    pub template: Option<String>,
    /// The parameter of the query that gets the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_CREDENTIAL_NAME), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub query: Option<String>,
    /// HTTP Basic, with the value as the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<Basic>,
    /// A variable that holds the placeholder in the containers of pods that are made from now on,
    /// such as ANTHROPIC_API_KEY. One that a container sets itself stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = MAX_ENV), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub env: Option<String>,
    /// Optional: every request that the rule allows gets the value. Required: a request that has not
    /// the placeholder in that place is denied.
    #[serde(default, skip_serializing_if = "PlaceholderUse::is_default")]
    pub placeholder: PlaceholderUse,
}

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = MAX_SECRET_NAME), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub name: String,
    /// Key of its data.
    #[schemars(length(min = 1, max = MAX_SECRET_KEY), regex(pattern = "^[A-Za-z0-9._-]+$"))]
    pub key: String,
}

/// HTTP Basic (RFC 7617).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basic {
    /// The user name; may be empty.
    #[schemars(length(max = MAX_USERNAME), regex(pattern = "^[ -9;-~]*$"))]
    pub username: String,
}

/// Whether the agent has to send the placeholder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlaceholderUse {
    /// The value is added to every request that the rule allows.
    #[default]
    Optional,
    /// A request without the placeholder in its place is denied.
    Required,
}

impl PlaceholderUse {
    fn is_default(&self) -> bool {
        *self == Self::Optional
    }
}

impl From<&Credential> for source::CredentialSource {
    fn from(of: &Credential) -> Self {
        let SecretKeyRef { name, key } = of.secret_ref.clone();
        Self {
            secret_ref: source::SecretKeySource { name, key },
            header: of.header.clone(),
            template: of.template.clone(),
            query: of.query.clone(),
            basic: of.basic.as_ref().map(|basic| basic.username.clone()),
            env: of.env.clone(),
            placeholder: match of.placeholder {
                PlaceholderUse::Optional => credential::PlaceholderUse::Optional,
                PlaceholderUse::Required => credential::PlaceholderUse::Required,
            },
        }
    }
}
