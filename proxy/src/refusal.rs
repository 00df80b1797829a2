//! Every way in which the proxy says no. Each protocol turns a [`Refusal`] into its own words.
//!
//! A refusal tells the agent the rule, the reason and what to do instead; where no rule allows it, the
//! rule that comes nearest. It names nothing else that the agent did not bring along itself: no
//! address that a name resolved to, no pattern that matched.

use exeat_audit::record::cut;
use exeat_policy::Code;
use thiserror::Error;

/// Of what the agent wrote, at most this many bytes are said back and recorded.
const BRIEF: usize = 128;

/// The agent's words, cut to what an answer and a record have room for.
pub(crate) fn brief(words: &[u8]) -> String {
    cut(&String::from_utf8_lossy(&words[..words.len().min(2 * BRIEF)]), BRIEF)
}

/// A refusal. Its `Display` is what people read in the answer and in the record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The policy says no: a rule, or no rule at all.
    #[error("{reason}")]
    Denied { code: Code, rule: Option<String>, reason: String },
    #[error("{reason}")]
    Content { code: Code, rule: Option<String>, reason: String },
    #[error("the body cannot be decoded ({0}) and a rule requires that it be read")]
    Encoding(String),
    #[error(
        "the rule adds a credential where its placeholder stands, and the request has it not there"
    )]
    CredentialRequired { rule: Option<String> },
    #[error("the credential that the rule adds is not available: {why}")]
    CredentialUnavailable { rule: Option<String>, why: &'static str },
    #[error("{0} holds the placeholder of a credential, which belongs elsewhere")]
    PlaceholderElsewhere(String),
    #[error("the server's answer cannot be masked ({0}) and a rule requires that it be")]
    Unmaskable(String),
    #[error("what follows a WebSocket upgrade cannot be read, and a rule requires that it be")]
    Uninspectable,
    #[error("the TLS server name is not the name that this address was given for")]
    SniMismatch,
    #[error("the TLS handshake names no server")]
    SniMissing,
    /// The agent's own client gave the handshake up.
    #[error("the client gave up the TLS handshake: {0}")]
    ClientTls(&'static str),
    #[error("the encrypted ClientHello hides which server is meant")]
    EncryptedHello,
    #[error("the request's host or port is not the one that the connection was made to")]
    HostMismatch,
    #[error("the host in the request is not a valid name: {0}")]
    HostName(String),
    #[error("the path is ambiguous: {0}")]
    Path(String),
    #[error("the method {0} is never passed on")]
    Method(String),
    /// What arrived is not plain enough to be decided.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    #[error("the expectation is not `100-continue`")]
    Expectation,
    #[error("the name leads to an address that no agent may reach")]
    AddressClass,
    #[error("the name leads to an address that this cluster keeps from agents")]
    Excluded,
    #[error("the port is one of the proxy's own")]
    OwnPort,
    #[error("the connection ended before it said what it wanted")]
    Silent,
    #[error("the address was not given out by this proxy's DNS, or no longer stands for a name")]
    UnknownAddress,
    #[error("the body did not arrive in time")]
    BodyTimeout,
    #[error("the body broke off or was malformed")]
    BodyBroken,
    #[error("too much is being read and held at once; there was no memory for ten seconds")]
    Overloaded,
    #[error("too many requests to this server are under way at once")]
    Crowded,
    #[error("the audit record could not be written, and nothing leaves unrecorded")]
    AuditFailure,
    #[error("the policy changed while the request was under way, and denies it now")]
    PolicyChanged,
    #[error("the agent left before the answer came")]
    Abandoned,
    #[error("the name could not be resolved")]
    UpstreamUnresolved,
    #[error("the server could not be reached")]
    UpstreamUnreachable,
    #[error("nothing moved between the agent and the server for an hour")]
    UpstreamSilent,
    #[error("the server's certificate or TLS handshake was not accepted")]
    UpstreamTls,
    #[error("the server encoded its answer, so that a credential could not be kept out of it")]
    UpstreamEncoded,
    #[error("the server broke off or answered with something that is not HTTP")]
    UpstreamProtocol,
}

impl Refusal {
    /// From the closed set that records and metrics share.
    pub fn code(&self) -> Code {
        match self {
            Self::Denied { code, .. } | Self::Content { code, .. } => *code,
            Self::CredentialRequired { .. } => Code::CredentialRequired,
            Self::CredentialUnavailable { .. } => Code::CredentialUnavailable,
            Self::PlaceholderElsewhere(_) => Code::PlaceholderElsewhere,
            Self::Encoding(_)
            | Self::Unmaskable(_)
            | Self::Uninspectable
            | Self::UpstreamEncoded => Code::Encoding,
            Self::SniMismatch | Self::SniMissing | Self::EncryptedHello | Self::HostMismatch => {
                Code::HostMismatch
            }
            Self::HostName(_)
            | Self::Path(_)
            | Self::Method(_)
            | Self::Malformed(_)
            | Self::Expectation
            | Self::BodyBroken => Code::Malformed,
            Self::AddressClass => Code::AddressClass,
            Self::Excluded => Code::ExcludedAddress,
            Self::UnknownAddress | Self::OwnPort => Code::DirectIp,
            Self::Silent => Code::Silent,
            Self::BodyTimeout | Self::Overloaded | Self::Crowded => Code::Overload,
            Self::AuditFailure => Code::AuditUnavailable,
            Self::PolicyChanged => Code::PolicyChanged,
            Self::ClientTls(_) => Code::ClientTls,
            Self::Abandoned => Code::Abandoned,
            Self::UpstreamTls => Code::UpstreamTls,
            Self::UpstreamUnresolved
            | Self::UpstreamUnreachable
            | Self::UpstreamSilent
            | Self::UpstreamProtocol => Code::UpstreamUnreachable,
        }
    }

    /// The rule that refused, where it was one.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Denied { rule, .. }
            | Self::Content { rule, .. }
            | Self::CredentialRequired { rule }
            | Self::CredentialUnavailable { rule, .. } => rule.as_deref(),
            _ => None,
        }
    }

    /// Whether this is about the server rather than about what the agent may do.
    pub const fn is_upstream(&self) -> bool {
        matches!(
            self,
            Self::UpstreamUnresolved
                | Self::UpstreamUnreachable
                | Self::UpstreamSilent
                | Self::UpstreamTls
                | Self::UpstreamEncoded
                | Self::UpstreamProtocol
        )
    }

    /// What to do instead.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Denied { .. } => {
                "Use only what this agent's policy allows, or ask its owner for a rule. Another \
                 client, protocol, port, encoding or address for the same place is refused too."
            }
            Self::Content { .. } => {
                "Remove what must not leave and send the request again. Encoding, splitting or \
                 renaming it does not help: all of it is decoded and read."
            }
            Self::CredentialRequired { .. } => {
                "Send the placeholder in its place: it is in the variable of the environment, and in a \
                 file below /var/run/exeat/trust/placeholders."
            }
            Self::CredentialUnavailable { .. } => {
                "Nothing is wrong with the request. Ask the owner of this agent's namespace."
            }
            Self::PlaceholderElsewhere(_) => {
                "Send the placeholder to its own host alone, in the place that its rule names. It is \
                 worth nothing anywhere else, and each attempt is reported."
            }
            Self::Encoding(_) => "Send the body as it is, or in a common encoding that is whole.",
            Self::Unmaskable(_) => {
                "Ask for the answer whole, in a common encoding: what it holds is masked by a rule."
            }
            Self::Uninspectable => "Use plain requests instead of a WebSocket.",
            Self::SniMismatch | Self::SniMissing | Self::EncryptedHello | Self::HostMismatch => {
                "Resolve the name, connect to the address you are given, and use that one name in \
                 TLS and HTTP. Fronting one host by another is refused everywhere."
            }
            Self::ClientTls(_) => {
                "Let the client trust the pod's certificate authority. A client that pins a certificate \
                 needs a network.connect rule, under which TLS passes as it is."
            }
            Self::AddressClass | Self::Excluded | Self::UnknownAddress | Self::OwnPort => {
                "Connect by name, to a host that the policy allows. Loopback, link-local, metadata \
                 and unnamed private addresses are out of reach by any spelling."
            }
            Self::Malformed(_)
            | Self::HostName(_)
            | Self::Path(_)
            | Self::Method(_)
            | Self::Expectation
            | Self::BodyBroken => "Send a plain, unambiguous HTTP request.",
            Self::BodyTimeout | Self::Overloaded => "Send a smaller body, or try again later.",
            Self::Crowded => "Wait until other requests to this server have ended.",
            Self::AuditFailure => "Nothing is wrong with the request. Try again later.",
            Self::Abandoned => "Nothing is wrong with the request.",
            Self::Silent => {
                "Say what is wanted: a request, a ClientHello, or a protocol that a rule allows."
            }
            Self::PolicyChanged => "Do not retry: the new policy denies this.",
            Self::UpstreamUnresolved
            | Self::UpstreamUnreachable
            | Self::UpstreamSilent
            | Self::UpstreamTls
            | Self::UpstreamEncoded
            | Self::UpstreamProtocol => {
                "The policy allows this request; the fault is at the server. Try again later."
            }
        }
    }
}
