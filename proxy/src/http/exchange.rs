//! One request, from its head to its response.

use super::headers;
use super::leftover::Leftover;
use super::relayed::{Closing, Relayed};
use super::strict;
use super::target::Target;
use super::upstream::{Sent, Step, Way};
use super::{Inner, websocket};
use crate::connection::{Allowed, Carries, Ending, Subject, Wish};
use crate::dial::Route;
use crate::inspect::{Inspected, Outgoing, hold};
use crate::problem::{Refusal, brief};
use bytes::Bytes;
use exeat_policy::action::Action;
use exeat_policy::pattern::Scheme;
use http::header::{CONTENT_ENCODING, EXPECT};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The body of every response to the agent.
pub(super) type AgentBody = Either<Full<Bytes>, Relayed>;

/// A refusal, and what Observe policies said of the same request.
pub(super) struct Refused {
    refusal: Refusal,
    observed: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, observed: None }
    }
}

/// Answers one request. Never fails: a refusal is an answer.
pub(super) async fn answer(session: Arc<Inner>, request: Request<Incoming>) -> Response<AgentBody> {
    match exchange(&session, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.response().map(Either::Left),
    }
}

async fn exchange(
    session: &Arc<Inner>,
    mut request: Request<Incoming>,
) -> Result<Response<AgentBody>, Refusal> {
    let upgrade = request
        .headers()
        .contains_key(http::header::UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let body = Leftover::new(body, parts.headers.contains_key(http::header::EXPECT));
    let mut subject = session.subject(&parts);

    let wish = match session.wish(&parts) {
        Ok((target, wish)) => {
            subject = session.subject_of(&parts, &target, &wish);
            Ok((target, wish))
        }
        Err(refusal) => Err(Refused::from(refusal)),
    };
    let decided = match wish {
        Ok((target, wish)) => session.decide(&parts, target, wish, body).await,
        Err(refused) => Err(refused),
    };
    let Decided { target, allowed, mut body, digest, observed } = match decided {
        Ok(decided) => decided,
        Err(Refused { refusal, observed }) => {
            session.pipeline.refused(&subject, &refusal, observed).await;
            return Err(refusal);
        }
    };

    // From here on the request passes unless the world is in the way.
    let key = session.key(&allowed);
    let way = match session.pooled(&key, &target, &allowed).await {
        Some(upstream) => Ok(Way::Pooled(upstream)),
        None => Route::find(&session.pipeline, &allowed).await.map(Way::Route),
    };
    if let Err(refusal) = &way
        && !refusal.is_upstream()
    {
        session.pipeline.refused(&subject, refusal, None).await;
        return Err(refusal.clone());
    }
    let address = match &way {
        Ok(Way::Pooled(upstream)) => Some(upstream.address),
        Ok(Way::Route(route)) => route.first(),
        Err(_) => None,
    };
    let recorded = session.pipeline.allowed(&subject, &allowed, address, digest, observed).await?;
    body.belongs_to(&recorded);
    let length = announced(&parts, &body);
    let head = headers::clean(parts, &target, length);
    let step = Step { target: &target, allowed: &allowed, recorded: &recorded };
    let sent = match way {
        Ok(way) => session.send(&key, way, head, body, &step).await,
        // The name was allowed and led nowhere: an intent with an outcome, not a denial.
        Err(refusal) => Err(refusal),
    };
    let Sent { response, upstream } = match sent {
        Ok(sent) => sent,
        Err(refusal) => {
            let refusal = recorded.why_cut_off().cloned().unwrap_or(refusal);
            recorded.failed(refusal.clone());
            return Err(refusal);
        }
    };
    let ending = Ending {
        status: Some(response.status().as_u16()),
        address: Some(upstream.address),
        ..Ending::default()
    };
    let policy = session.pipeline.policy.clone();
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // Nothing of what follows is read.
        let standing = allowed.standing(policy, Carries::Sent(Vec::new()));
        return websocket::switch(session, &target, upgrade, response, standing, recorded, ending)
            .map(|response| response.map(|()| Either::Left(Full::default())));
    }
    let standing = allowed.standing(policy, Carries::Answer);
    let (mut parts, incoming) = response.into_parts();
    headers::incoming(&mut parts.headers);
    let closing = Closing {
        pipeline: session.pipeline.clone(),
        recorded,
        ending,
        upstream: Some((key, upstream)),
    };
    let mut response = Response::new(Either::Right(Relayed::new(incoming, standing, closing)));
    *response.status_mut() = parts.status;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// The length to put on the wire. An empty body of a method that usually has one keeps its zero.
fn announced(parts: &Parts, body: &Outgoing<Leftover>) -> Option<u64> {
    use http_body::Body as _;
    let exact = body.size_hint().exact()?;
    (exact > 0 || parts.headers.contains_key(http::header::CONTENT_LENGTH)).then_some(exact)
}

/// A request that may go out.
struct Decided {
    target: Target,
    allowed: Allowed,
    body: Outgoing<Leftover>,
    digest: Option<String>,
    /// What the body added to what Observe policies said.
    observed: Option<String>,
}

impl Inner {
    /// Reads the head. Refuses what cannot be decided.
    fn wish(&self, parts: &Parts) -> Result<(Target, Wish), Refusal> {
        if let Some(violation) = strict::refused(&parts.method, parts.uri.path()) {
            return Err(violation.into());
        }
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let expects = parts.headers.get_all(EXPECT).iter();
        if expects.into_iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        {
            return Err(Refusal::Expectation);
        }
        headers::unambiguous(&parts.headers)?;
        let target = Target::of(parts, &self.place)?;
        let wish = Wish {
            scheme: match (self.place.tls, target.websocket) {
                (true, false) => Scheme::Https,
                (false, false) => Scheme::Http,
                (true, true) => Scheme::Wss,
                (false, true) => Scheme::Ws,
            },
            host: self.place.host.clone(),
            port: self.place.port,
            request: Some((target.path.clone(), parts.method.as_str().to_owned())),
        };
        Ok((target, wish))
    }

    /// Decides on the head, then on the body where a rule speaks of it.
    async fn decide(
        &self,
        parts: &Parts,
        target: Target,
        wish: Wish,
        body: Leftover,
    ) -> Result<Decided, Refused> {
        let pipeline = &self.pipeline;
        let allowed = wish
            .rule(&pipeline.policy)
            .map_err(|denied| Refused { refusal: denied.refusal, observed: denied.observed })?;
        let recheck = |scanned| {
            let mut standing = allowed.standing(pipeline.policy.clone(), Carries::Sent(scanned));
            Box::new(move || standing.check())
        };
        let observed = allowed.observed();
        let whole = |body, digest, observed| Decided {
            target: target.clone(),
            allowed: allowed.clone(),
            body,
            digest,
            observed,
        };
        if allowed.body_patterns().is_empty() {
            let body = if target.websocket {
                Outgoing::empty()
            } else {
                Outgoing::as_it_comes(body, recheck(Vec::new()))
            };
            return Ok(whole(body, None, None));
        }
        let refuse = |refusal| Refused { refusal, observed: observed.clone() };
        if let Err(refusal) = inspectable(parts, &target) {
            if !allowed.observing() {
                return Err(refuse(refusal));
            }
            let would = Some(format!("Deny {}", refusal.code()));
            return Ok(whole(Outgoing::as_it_comes(body, recheck(Vec::new())), None, would));
        }
        let patterns = allowed.body_patterns().to_vec();
        let refusal = (!allowed.observing()).then(|| allowed.body_refusal());
        let held: Inspected =
            hold(body, patterns, &pipeline.budget, refusal).await.map_err(refuse)?;
        let digest = held.digest().map(str::to_owned);
        // Where policies only observe, a match did not stop the body.
        let scanned = if allowed.observing() { &[] } else { allowed.body_patterns() };
        let would = held.matched().then(|| format!("Deny {}", allowed.body_refusal().code()));
        Ok(whole(Outgoing::inspected(held, recheck(scanned.to_vec())), digest, would))
    }

    /// The subject of a request that could not be read.
    fn subject(&self, parts: &Parts) -> Subject {
        let place = &self.place;
        Subject {
            action: Action::NetworkRequest,
            resource: format!("{}://{}/", place.scheme(false), place.authority()),
            query_digest: None,
            method: Some(parts.method.to_string())
                .filter(|method| method != super::framing::STAND_IN_METHOD),
        }
    }

    fn subject_of(&self, parts: &Parts, target: &Target, wish: &Wish) -> Subject {
        let digest =
            |query: &String| format!("sha256:{}", hex::encode(Sha256::digest(query.as_bytes())));
        let (scheme, authority) = (wish.scheme.as_str(), self.place.authority());
        Subject {
            action: wish.action(),
            resource: format!("{scheme}://{authority}{}", target.path),
            query_digest: target.query.as_ref().map(digest),
            method: Some(parts.method.as_str().to_ascii_uppercase()),
        }
    }
}

/// Whether what the request carries can be read at all.
fn inspectable(parts: &Parts, target: &Target) -> Result<(), Refusal> {
    if target.websocket {
        return Err(Refusal::Uninspectable);
    }
    for coding in parts.headers.get_all(CONTENT_ENCODING) {
        if !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity") {
            return Err(Refusal::Encoding(brief(coding.as_bytes())));
        }
    }
    Ok(())
}
