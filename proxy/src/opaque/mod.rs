//! Connections that are relayed as they are, under a `network.connect` rule.
//!
//! TLS that passes through is still held to its name: the ClientHello in the clear must ask for
//! the name that the connection was made to, and must not hide another one. Everything else is
//! held to being what it was taken for: the first bytes are looked at once more on their way out,
//! whether the client spoke at once or kept silent at first ([`First`]).

mod relay;

pub(crate) use relay::{Counts, Watched, relay};

use crate::connection::detect::{Care, Protocol, classify};
use crate::connection::{
    Carries, Ending, Opening, Pipeline, Subject, connect_subject, connect_wish,
};
use crate::dial::{Permit, Route, dial};
use crate::problem::Refusal;
use crate::tls::hello::{self, ClientHello, HELLO_LIMIT, HelloError};
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const HELLO_TIME: Duration = Duration::from_secs(10);
const DISGUISED: Refusal =
    Refusal::MalformedHead("HTTP or TLS where requests are decided one by one");

/// Decides, dials and relays. The client may not have spoken yet.
pub async fn serve(
    pipeline: &Arc<Pipeline>,
    mut stream: Opening,
    scheme: Scheme,
    host: Host,
    port: u16,
) {
    let subject = connect_subject(scheme, &host, port);
    let served = serve_inner(pipeline, &mut stream, scheme, &host, port, &subject).await;
    if let Err((refusal, observed)) = served {
        pipeline.refused(&subject, &refusal, observed).await;
        stream.reset();
    }
}

async fn serve_inner(
    pipeline: &Arc<Pipeline>,
    stream: &mut Opening,
    scheme: Scheme,
    host: &Host,
    port: u16,
    subject: &Subject,
) -> Result<(), (Refusal, Option<String>)> {
    let allowed = connect_wish(scheme, host, port)
        .rule(&pipeline.policy)
        .map_err(|denied| (denied.refusal, denied.observed))?;
    if scheme == Scheme::Tls {
        check_name(stream, host).await.map_err(|refusal| (refusal, None))?;
    }
    let route = Route::find(pipeline, &allowed).await.map_err(|refusal| (refusal, None))?;
    let recorded = match pipeline.allowed(subject, &allowed, route.first(), None, None).await {
        Ok(recorded) => recorded,
        Err(_) => {
            stream.reset();
            return Ok(());
        }
    };
    let mut ending = Ending::default();
    let dialled = match Permit::grant(&allowed, &recorded, route) {
        Ok(permit) => dial(pipeline, permit).await,
        Err(refusal) => Err(refusal),
    };
    match dialled {
        Err(refusal) => {
            stream.reset();
            ending.refusal = Some(refusal);
        }
        Ok((mut upstream, address)) => {
            ending.address = Some(address);
            allowed.dialled(address);
            let first = (scheme == Scheme::Tcp).then(|| First {
                pipeline: pipeline.clone(),
                host: host.clone(),
                port,
            });
            let readable = readable(pipeline, stream, scheme, host, port);
            let mut standing = allowed.standing(pipeline.policy.clone(), Carries::Opaque(readable));
            let counts = recorded.counts();
            let mut agent = Watched::new(&mut *stream, counts.clone(), first);
            ending.refusal =
                relay(&mut agent, &mut upstream, &counts, &mut standing, &pipeline.drain).await;
            if ending.refusal.is_some() {
                stream.reset();
            }
        }
    }
    recorded.end(ending);
    Ok(())
}

/// What the first bytes of a connection may be that was let pass without TLS, under the policy of
/// the moment at which they come.
pub(crate) struct First {
    pipeline: Arc<Pipeline>,
    host: Host,
    port: u16,
}

/// The schemes under which requests may be inside: where a policy has them decided, this connection
/// would not have been relayed. Nothing is, where [`First`] has still to see the first bytes and
/// refuses requests already.
fn readable(
    pipeline: &Pipeline,
    stream: &Opening,
    scheme: Scheme,
    host: &Host,
    port: u16,
) -> &'static [Scheme] {
    let first = stream.prefix();
    let decided = || [Scheme::Tcp, Scheme::Tls].map(|as_| pipeline.intercepts(as_, host, port));
    // Where nothing is taken apart yet, requests are looked for all the same.
    let care = match pipeline.care(host, port) {
        Care::Name => Care::Host,
        care => care,
    };
    match scheme {
        Scheme::Tls => &[Scheme::Tls],
        _ if first.is_empty() && decided().contains(&true) => &[],
        _ if first.is_empty() => &[Scheme::Tcp, Scheme::Tls],
        _ if classify(first, care).is_ok_and(|it| it == Protocol::Opaque) => &[],
        _ => &[Scheme::Tcp],
    }
}

impl First {
    /// Whether these bytes may pass; `None` where more are needed to tell.
    fn check(&self, first: &[u8]) -> Option<Result<(), Refusal>> {
        let (pipeline, host, port) = (&self.pipeline, &self.host, self.port);
        let protocol = classify(first, pipeline.care(host, port)).ok()?;
        let scheme = match protocol {
            Protocol::Opaque => return Some(Ok(())),
            Protocol::Http1 | Protocol::Http2 => Scheme::Tcp,
            Protocol::Tls => Scheme::Tls,
        };
        if pipeline.intercepts(scheme, host, port) {
            return Some(Err(DISGUISED));
        }
        if scheme == Scheme::Tcp {
            return Some(Ok(()));
        }
        // What was decided so far is a connection without TLS.
        if let Err(denied) = connect_wish(scheme, host, port).rule(&pipeline.policy) {
            return Some(Err(denied.refusal));
        }
        match hello::parse(first) {
            Err(HelloError::Incomplete) => None,
            read => Some(held_to_name(read, host)),
        }
    }
}

/// The ClientHello must name the host, in the clear.
async fn check_name(stream: &mut Opening, host: &Host) -> Result<(), Refusal> {
    let read = async {
        loop {
            match hello::parse(stream.prefix()) {
                Err(HelloError::Incomplete) if stream.prefix().len() < HELLO_LIMIT => {}
                read => return held_to_name(read, host),
            }
            match stream.fill().await {
                Ok(read) if read > 0 => {}
                _ => return Err(Refusal::MalformedHead("the ClientHello broke off")),
            }
        }
    };
    timeout(HELLO_TIME, read)
        .await
        .map_err(|_| Refusal::MalformedHead("the ClientHello did not arrive in time"))?
}

fn held_to_name(read: Result<ClientHello, HelloError>, host: &Host) -> Result<(), Refusal> {
    let hello = read.map_err(|_| Refusal::MalformedHead("the ClientHello cannot be read"))?;
    if hello.encrypted {
        return Err(Refusal::EncryptedHello);
    }
    match (host, hello.server_name) {
        // A rule that names an address allows whatever answers there.
        (Host::Ip(_), _) => Ok(()),
        (Host::Name(_), None) => Err(Refusal::SniMissing),
        (Host::Name(name), Some(asked)) => match Name::parse(&asked) {
            Ok(asked) if asked == *name => Ok(()),
            _ => Err(Refusal::SniMismatch),
        },
    }
}
