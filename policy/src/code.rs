//! Why something was let go or kept back: the closed set of codes that answers, audit records and
//! metric labels share.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why. Closed, so that it can label a metric.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, for metrics that begin at zero.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

codes! {
    /// An Allow rule matched, and no Deny.
    Allowed,
    /// Only Observe policies select the pod, and none of them would have refused.
    Observed,
    /// No rule matched.
    DefaultDeny,
    /// A Deny rule matched.
    RuleDeny,
    /// A Deny rule of a Guardrail matched.
    GuardrailDeny,
    /// A policy of this pod does not compile.
    InvalidPolicy,
    /// No policy selects this pod, or none has arrived yet.
    NoPolicy,
    /// The body matched a `denyBodyPatterns` entry.
    BodyPattern,
    /// The request matched a `denyPatterns` entry.
    ContentPattern,
    /// The request holds what a detector of `denyDetectors` finds.
    Detected,
    /// Rules that allow the request add different credentials to it.
    CredentialConflict,
    /// The request has not the placeholder that its rule asks for.
    CredentialRequired,
    /// The credential that its rule adds is not known.
    CredentialUnavailable,
    /// The placeholder of a credential stands where it does not belong.
    PlaceholderElsewhere,
    /// The body cannot be inspected in the encoding that it was sent in.
    Encoding,
    /// The request can be read in more than one way.
    Malformed,
    /// TLS server name, Host header and address do not name the same host.
    HostMismatch,
    /// The destination is an address that no rule names.
    DirectIp,
    /// The name resolves to an address of a class that nothing allows.
    AddressClass,
    /// The protocol is none that a rule speaks of.
    Opaque,
    /// The name resolves to an address that the installation excludes.
    ExcludedAddress,
    /// A connection ended before it said what it wanted.
    Silent,
    /// The name may not be resolved.
    NameDenied,
    /// A resolver tried a name with a suffix of the pod's search list; there is no such name.
    SearchDomain,
    /// The record type may not be asked for.
    RecordType,
    /// The decision could not be recorded.
    AuditUnavailable,
    /// The proxy is at a limit.
    Overload,
    /// The agent's client gave up the TLS handshake.
    ClientTls,
    /// The upstream's certificate does not verify.
    UpstreamTls,
    /// The upstream does not answer.
    UpstreamUnreachable,
    /// The policy changed while a connection was open.
    PolicyChanged,
    /// The agent left before the answer came.
    Abandoned,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
