//! Connections that are relayed as they are, under a `network.connect` rule.
//!
//! TLS that passes through is still held to its name: the ClientHello in the clear must ask for
//! the name that the connection was made to, and must not hide another one. A connection on which
//! the client kept silent at first is held to not speaking HTTP or TLS later, where requests to
//! that host are decided one by one.

mod relay;

pub(crate) use relay::{Counts, Watched, relay};

use crate::connection::detect::{Protocol, classify};
use crate::connection::{
    Carries, Ending, Opening, Pipeline, Subject, connect_subject, connect_wish,
};
use crate::dial::{Permit, Route, dial};
use crate::problem::Refusal;
use crate::tls::hello::{self, HELLO_LIMIT, HelloError};
use exeat_policy::normal::{Host, Name};
use exeat_policy::pattern::Scheme;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

const HELLO_TIME: Duration = Duration::from_secs(10);

/// Decides, dials and relays. `silent`: the client has not spoken yet.
pub async fn serve(
    pipeline: &Arc<Pipeline>,
    mut stream: Opening,
    scheme: Scheme,
    host: Host,
    port: u16,
    silent: bool,
) {
    let subject = connect_subject(scheme, &host, port);
    let served = serve_inner(pipeline, &mut stream, scheme, &host, port, silent, &subject).await;
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
    silent: bool,
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
            let guarded = silent && requests_are_decided(pipeline, host, port);
            let readable = readable(stream, scheme, silent, guarded);
            let mut standing = allowed.standing(pipeline.policy.clone(), Carries::Opaque(readable));
            let counts = recorded.counts();
            let mut agent = Watched::new(&mut *stream, counts.clone(), guarded.then_some(opaque));
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

/// Whether TLS or HTTP to this host would have been taken apart.
fn requests_are_decided(pipeline: &Pipeline, host: &Host, port: u16) -> bool {
    pipeline.policy.load().is_none_or(|active| {
        active.policies.intercepts(Scheme::Tcp, host, port)
            || active.policies.intercepts(Scheme::Tls, host, port)
    })
}

/// The schemes under which requests may be inside: where a policy has them decided, this connection
/// would not have been relayed.
fn readable(stream: &Opening, scheme: Scheme, silent: bool, guarded: bool) -> &'static [Scheme] {
    match scheme {
        _ if guarded => &[],
        Scheme::Tls => &[Scheme::Tls],
        _ if silent => &[Scheme::Tcp, Scheme::Tls],
        _ if opaque(stream.prefix()) == Some(true) => &[],
        _ => &[Scheme::Tcp],
    }
}

/// What a client that was silent at first may say: `None` where more bytes are needed to tell.
fn opaque(first: &[u8]) -> Option<bool> {
    classify(first).ok().map(|protocol| protocol == Protocol::Opaque)
}

/// The ClientHello must name the host, in the clear.
async fn check_name(stream: &mut Opening, host: &Host) -> Result<(), Refusal> {
    let read = async {
        loop {
            match hello::parse(stream.prefix()) {
                Ok(hello) => return Ok(hello),
                Err(HelloError::Incomplete) if stream.prefix().len() < HELLO_LIMIT => {}
                Err(_) => return Err(Refusal::MalformedHead("the ClientHello cannot be read")),
            }
            match stream.fill().await {
                Ok(read) if read > 0 => {}
                _ => return Err(Refusal::MalformedHead("the ClientHello broke off")),
            }
        }
    };
    let hello = timeout(HELLO_TIME, read)
        .await
        .map_err(|_| Refusal::MalformedHead("the ClientHello did not arrive in time"))??;
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
