//! `network.connect`: scheme and port of an opaque connection.

use super::Rule;
use crate::pattern::Scheme;

impl Rule {
    /// Whether this rule speaks of the connection, whatever its host. TLS is TCP too: a `tcp` rule
    /// speaks of both, a `tls` rule of TLS alone.
    pub(crate) fn matches_connection(&self, scheme: Scheme, port: u16) -> bool {
        self.pattern.matches_endpoint(scheme, port)
            || self.pattern.matches_endpoint(Scheme::Tcp, port)
    }
}
