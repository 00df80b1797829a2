//! Connections that are relayed as they are, under a `network.connect` rule.
//!
//! TLS that passes through is still held to its name: the ClientHello in the clear must ask for
//! the name that the connection was made to, and must not hide another one. Everything else is
//! held to being what it was taken for ([`first`]).

mod first;

use super::relay::{Guard, Watched, relay};
use crate::dial::Dialer;
use crate::gate::{
    Allowed, Ask, Carries, Ending, Endpoint, Gate, Noted, Permit, Recorded, Route, Subject,
};
use crate::refusal::Refusal;
use crate::tls::hello::{self, HELLO_LIMIT, HelloError};
use crate::wire::detect::Protocol;
use crate::wire::{Io, Memory, Prefixed};
use exeat_policy::normal::Host;
use exeat_policy::pattern::Scheme;
use first::{First, held_to_name, readable};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const HELLO_TIME: Duration = Duration::from_secs(10);

/// What a relayed connection may touch.
#[derive(Clone)]
pub struct Opaque {
    pub gate: Gate,
    pub dialer: Dialer,
    /// For what one side sent and the other does not take yet.
    pub memory: Memory,
    /// Cancelled when the proxy drains.
    pub drain: CancellationToken,
}

/// A refusal, and what Observe policies said of the same connection.
type Refused = (Refusal, Option<String>);

impl Opaque {
    /// Decides, dials and relays. The client may not have spoken yet: where what it says first is
    /// another protocol, of which every request is decided, the connection comes back.
    pub async fn serve(
        &self,
        mut stream: Prefixed<Io>,
        scheme: Scheme,
        to: Arc<Endpoint>,
    ) -> Option<(Protocol, Prefixed<Io>)> {
        let subject = Subject::connection(scheme, &to);
        let (allowed, route) = match self.decide(&mut stream, scheme, &to).await {
            Ok(decided) => decided,
            Err((refusal, observed)) => {
                self.gate.refuse(&subject, &refusal, observed.as_deref());
                stream.reset();
                return None;
            }
        };
        let noted = Noted { address: route.first(), ..Noted::default() };
        let Ok(recorded) = self.gate.record(&allowed, &subject, noted).await else {
            stream.reset();
            return None;
        };
        let (ending, turned) = self.carry(&mut stream, scheme, &allowed, &recorded, route).await;
        if ending.refusal.is_some() {
            stream.reset();
        }
        recorded.end(ending);
        turned.map(|protocol| (protocol, stream))
    }

    async fn decide(
        &self,
        stream: &mut Prefixed<Io>,
        scheme: Scheme,
        to: &Arc<Endpoint>,
    ) -> Result<(Allowed, Route), Refused> {
        let asked = self.gate.pass(Ask::Connect { scheme, to: to.clone() }).await;
        let allowed = asked.map_err(|denied| (denied.refusal, denied.observed))?;
        let found = async {
            if scheme == Scheme::Tls {
                check_name(stream, &self.gate, &to.host).await?;
            }
            self.dialer.find(&allowed).await
        };
        let route = found.await.map_err(|refusal| (refusal, None))?;
        Ok((allowed, route))
    }

    /// Dials and relays until it ends.
    async fn carry(
        &self,
        stream: &mut Prefixed<Io>,
        scheme: Scheme,
        allowed: &Allowed,
        recorded: &Recorded,
        route: Route,
    ) -> (Ending, Option<Protocol>) {
        let dialled = match Permit::grant(allowed, recorded, route) {
            Ok(permit) => self.dialer.dial(permit).await,
            Err(refusal) => Err(refusal),
        };
        let (mut upstream, address) = match dialled {
            Ok(dialled) => dialled,
            Err(refusal) => {
                return (Ending { refusal: Some(refusal), ..Ending::default() }, None);
            }
        };
        allowed.dialled(address);
        let Some(to) = allowed.ask().to() else { return (Ending::default(), None) };
        let guard = (scheme == Scheme::Tcp)
            .then(|| Box::new(First { gate: self.gate.clone(), to: to.clone() }) as Box<dyn Guard>);
        let readable = readable(&self.gate, stream.prefix(), scheme, to);
        let mut standing = allowed.standing(&self.gate, Carries::Opaque(readable));
        let counts = recorded.counts();
        let mut agent = Watched::new(&mut *stream, counts.clone(), guard);
        let (memory, drain) = (&self.memory, &self.drain);
        let refusal = relay(&mut agent, &mut upstream, counts, &mut standing, memory, drain).await;
        let ending = Ending { address: Some(address), refusal, ..Ending::default() };
        match agent.turned() {
            Some((protocol, first)) => {
                stream.put_back(first);
                (Ending { refusal: None, ..ending }, Some(protocol))
            }
            None => (ending, None),
        }
    }
}

/// The ClientHello must name the host, in the clear.
async fn check_name(stream: &mut Prefixed<Io>, gate: &Gate, host: &Host) -> Result<(), Refusal> {
    let read = async {
        loop {
            match hello::parse(stream.prefix()) {
                Err(HelloError::Incomplete) if stream.prefix().len() < HELLO_LIMIT => {}
                read => return held_to_name(read, gate, host),
            }
            match stream.fill().await {
                Ok(read) if read > 0 => {}
                _ => return Err(Refusal::Malformed("the ClientHello broke off")),
            }
        }
    };
    timeout(HELLO_TIME, read)
        .await
        .map_err(|_| Refusal::Malformed("the ClientHello did not arrive in time"))?
}
