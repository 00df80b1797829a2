//! Connections that say nothing, or nothing that tells what is wanted, as those of a port scan do.
//!
//! What no rule could allow is refused as soon as it is accepted, so that the port seems as closed as
//! it is. Where a client may speak HTTP, it is waited for a while, so that it can be told why.

use super::Front;
use crate::gate::{Ask, Endpoint, Subject};
use crate::refusal::Refusal;
use crate::wire::{Io, Prefixed};
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use std::sync::Arc;

/// Ports of addresses on which clients speak HTTP, and read why they are refused. A name is told on
/// every port.
const READERS: [u16; 2] = [80, 443];

impl Front {
    /// Whether nothing that could be said on this connection would be allowed. Unknown before the
    /// first policy.
    pub(super) fn is_hopeless(&self, to: &Endpoint) -> bool {
        let active = self.agent.gate.policy().load();
        active.is_some_and(|active| !active.policies.could_reach(&to.host, to.port))
    }

    /// Refuses what nobody will read an answer to. True: it was refused.
    pub(super) fn refused_at_once(&self, stream: &Io, to: &Arc<Endpoint>) -> bool {
        let read = READERS.contains(&to.port) || matches!(to.host, Host::Name(_));
        if read || !self.is_hopeless(to) {
            return false;
        }
        self.said_nothing(Scheme::Tcp, to);
        stream.reset();
        true
    }

    /// Whether silence is no beginning here: no rule allows a connection whose server speaks first.
    /// True: it was refused.
    pub(super) fn refused_in_silence(&self, stream: &Prefixed<Io>, to: &Arc<Endpoint>) -> bool {
        if self.connects(Scheme::Tcp, to).is_ok() {
            return false;
        }
        self.said_nothing(Scheme::Tcp, to);
        stream.reset();
        true
    }

    /// Records a connection that did not say what it wanted: as what the policy says of it where
    /// nothing could be allowed, else as silent.
    pub(super) fn said_nothing(&self, scheme: Scheme, to: &Arc<Endpoint>) {
        let refusal = match self.connects(scheme, to) {
            Err(refusal) if self.is_hopeless(to) => refusal,
            _ => Refusal::Silent,
        };
        let subject = Subject::connection(scheme, to);
        self.agent.gate.refuse(&subject, &refusal, None);
    }

    fn connects(&self, scheme: Scheme, to: &Arc<Endpoint>) -> Result<(), Refusal> {
        let ask = Ask::Connect { scheme, to: to.clone() };
        self.agent.gate.rule(ask).at_once().map(drop).map_err(|denied| denied.refusal)
    }
}
