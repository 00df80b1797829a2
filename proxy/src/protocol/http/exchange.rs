//! One request, from its head to its response.

use super::content::{inspect_head, refusal_of, terms};
use super::credential::{self, Injection};
use super::echo::Unechoed;
use super::ended::Answer;
use super::expect::Leave;
use super::headers;
use super::heads::FREE;
use super::leftover::Leftover;
use super::masked::Back;
use super::outgoing::Outgoing;
use super::relayed::{Closing, Relayed};
use super::strict;
use super::target::Target;
use super::upstream::{Cleared, Sent, Way};
use super::{Inner, masked, problem, websocket};
use crate::content::{Inspected, Masking, Matched, Tally, hold};
use crate::gate::{Allowed, Ask, Carries, Ending, Noted, Recorded, Subject};
use crate::refusal::Refusal;
use crate::wire::{NoRoom, Room};
use bytes::Bytes;
use exeat_policy::Code;
use exeat_policy::action::Action;
use exeat_policy::mask::Direction;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The body of every response to the agent: a refusal, or what the server answers.
pub(super) type AgentBody = Answer<Either<Full<Bytes>, Relayed>>;

/// A refusal, and what Observe policies said of the same request.
struct Refused {
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
    let under_way = session.under_way.begin();
    let response = match exchange(&session, request).await {
        Ok(response) => response,
        Err(refusal) => problem::response(&refusal).map(Either::Left),
    };
    response.map(|body| Answer::new(body, under_way))
}

async fn exchange(
    session: &Arc<Inner>,
    mut request: Request<Incoming>,
) -> Result<Response<Either<Full<Bytes>, Relayed>>, Refusal> {
    let upgrade = request.headers().contains_key(UPGRADE);
    let upgrade = upgrade.then(|| hyper::upgrade::on(&mut request));
    let (mut parts, body) = request.into_parts();
    let (method, tally) = (parts.method.clone(), Tally::default());
    let room = session.room_for(&parts).await;
    let body = Leftover::new(body, parts.headers.contains_key(EXPECT));
    let read = room.as_ref().map_err(|NoRoom| Refusal::Overloaded);
    let (subject, decided) = match read.and_then(|_| session.read(&parts)) {
        Ok((target, ask)) => {
            let subject = session.subject_of(&parts, &target, &ask);
            (subject, session.decide(&mut parts, target, ask, body, &tally).await)
        }
        Err(refusal) => (session.subject(&parts), Err(refusal.into())),
    };
    let Decided { target, allowed, mut body, noted, credential } = match decided {
        Ok(decided) => decided,
        Err(Refused { refusal, observed }) => {
            session.http.gate.refuse(&subject, &refusal, observed.as_deref());
            return Err(refusal);
        }
    };
    let way = match session.way(&target, &allowed).await {
        Err(refusal) if !refusal.is_upstream() => {
            session.http.gate.refuse(&subject, &refusal, None);
            return Err(refusal);
        }
        way => way,
    };
    let address = way.as_ref().ok().and_then(Way::address);
    let noted = Noted { address, ..noted };
    let recorded = session.http.gate.record(&allowed, &subject, noted).await?;
    recorded.masks_into(tally.clone());
    body.belongs_to(&recorded);
    let length = announced(&parts, &body);
    // Over HTTP/2 nobody waits for an interim answer, and a body that was held was asked for here.
    let waits = parts.version == Version::HTTP_11 && parts.headers.contains_key(EXPECT);
    let leave = (waits && body.has_trailers() && !body.is_end_stream()).then(Leave::default);
    let masking = Masking::of(allowed.masks(), Direction::Response, &tally);
    if masking.is_some() {
        masked::ask(&mut parts.headers);
    }
    let head = headers::clean(parts, &target, length, body.has_trailers());
    let cleared =
        Cleared { target: &target, allowed: &allowed, recorded: &recorded, leave, credential };
    let sent = match way {
        Ok(way) => session.send(way, head, body, &cleared).await,
        // The name was allowed and led nowhere: an intent with an outcome, not a denial.
        Err(refusal) => Err(refusal),
    };
    match sent {
        Ok(sent) => {
            let asked = Asked { method, upgrade, leave: cleared.leave, masking };
            session.relay(&target, asked, sent, &allowed, recorded)
        }
        Err(refusal) => {
            let refusal = recorded.why_cut_off().cloned().unwrap_or(refusal);
            recorded.failed(refusal.clone());
            Err(refusal)
        }
    }
}

/// The length to put on the wire. An empty body of a method that usually has one keeps its zero.
fn announced(parts: &Parts, body: &Outgoing<Leftover>) -> Option<u64> {
    let exact = body.size_hint().exact()?;
    (exact > 0 || parts.headers.contains_key(CONTENT_LENGTH)).then_some(exact)
}

/// A request that may go out.
struct Decided {
    target: Target,
    allowed: Allowed,
    body: Outgoing<Leftover>,
    noted: Noted,
    credential: Option<Injection>,
}

/// What of a request matters to its answer.
struct Asked {
    method: Method,
    upgrade: Option<OnUpgrade>,
    leave: Option<Leave>,
    masking: Option<Masking>,
}

impl Inner {
    /// Room for a long head, until it was answered.
    async fn room_for(&self, parts: &Parts) -> Result<Option<Room>, NoRoom> {
        let lines = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        match lines.sum::<usize>() {
            ..=FREE => Ok(None),
            length => Box::pin(self.http.memory.take(length)).await.map(Some),
        }
    }

    /// Reads the head. Refuses what cannot be decided.
    fn read(&self, parts: &Parts) -> Result<(Target, Ask), Refusal> {
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
        let target = Target::of(parts, &self.origin)?;
        let ask = self.ask(parts, &target);
        if let Some(collapsed) = target.collapsed() {
            // Where no rule allows every reading, the one that all servers read alike is asked for.
            let instead = self.ask(parts, &collapsed);
            let passes = |ask: &Ask| self.http.gate.rule(ask.clone()).at_once().is_ok();
            if !passes(&ask) && passes(&instead) {
                return Ok((collapsed, instead));
            }
        }
        Ok((target, ask))
    }

    fn ask(&self, parts: &Parts, target: &Target) -> Ask {
        Ask::Request {
            scheme: self.origin.scheme(target.websocket),
            to: self.origin.to.clone(),
            path: target.path.clone(),
            method: parts.method.as_str().to_owned(),
        }
    }

    /// Decides on the head, then on the body where a rule speaks of it.
    async fn decide(
        &self,
        parts: &mut Parts,
        mut target: Target,
        ask: Ask,
        body: Leftover,
        tally: &Tally,
    ) -> Result<Decided, Refused> {
        let gate = &self.http.gate;
        let allowed = gate
            .pass(ask)
            .await
            .map_err(|denied| Refused { refusal: denied.refusal, observed: denied.observed })?;
        let masks = allowed.masks();
        let recheck = |scanned| allowed.standing(gate, Carries::Sent(scanned, masks.to_vec()));
        let refuse = |refusal| Refused { refusal, observed: allowed.observed() };
        let masking = Masking::of(masks, Direction::Request, tally);
        if target.websocket && !masks.is_empty() {
            return Err(refuse(Refusal::Uninspectable));
        }
        let values = &self.http.credentials;
        let credential = credential::take(parts, &mut target, &allowed, values).map_err(refuse)?;
        let reads = !allowed.content().is_empty() || !allowed.placeholders().is_empty();
        if !reads && masking.is_none() {
            let body = if target.websocket {
                Outgoing::empty()
            } else {
                Outgoing::as_it_comes(body, recheck(Vec::new()))
            };
            return Ok(Decided { target, allowed, body, noted: Noted::default(), credential });
        }
        if let Err(refusal) = inspect_head(parts, &target, &allowed) {
            if !allowed.observing() {
                return Err(refuse(refusal));
            }
            let would = Some(format!("Deny {}", refusal.code()));
            let body = Outgoing::as_it_comes(body, recheck(Vec::new()));
            let noted = Noted { observed: would, ..Noted::default() };
            return Ok(Decided { target, allowed, body, noted, credential });
        }
        if target.websocket {
            let (body, noted) = (Outgoing::empty(), Noted::default());
            return Ok(Decided { target, allowed, body, noted, credential });
        }
        let inspected = Box::pin(hold(body, terms(parts, &allowed), &self.http.memory));
        let mut held: Inspected = inspected.await.map_err(refuse)?;
        let would = held.matched.take().map(|matched| {
            let code = match &matched {
                Matched::Found(found) => refusal_of(&allowed, found).code(),
                Matched::Unreadable => Code::Encoding,
            };
            format!("Deny {code}")
        });
        let noted = Noted { body_digest: held.digest.take(), observed: would, ..Noted::default() };
        if let Some(masking) = masking {
            held = masked::held(held, masking, parts, &self.http.memory).await.map_err(refuse)?;
        }
        // Where policies only observe, a match did not stop the body.
        let scanned = if allowed.observing() { &[] } else { allowed.content() };
        let body = Outgoing::inspected(held, recheck(scanned.to_vec()));
        Ok(Decided { target, allowed, body, noted, credential })
    }

    /// The response on its way to the agent.
    fn relay(
        self: &Arc<Self>,
        target: &Target,
        asked: Asked,
        sent: Sent,
        allowed: &Allowed,
        recorded: Recorded,
    ) -> Result<Response<Either<Full<Bytes>, Relayed>>, Refusal> {
        let Asked { method, upgrade, leave, masking } = asked;
        let Sent { response, upstream, key, secret } = sent;
        let ending = Ending {
            status: Some(response.status().as_u16()),
            address: Some(upstream.address),
            ..Ending::default()
        };
        let gate = &self.http.gate;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // Nothing of what follows is read.
            let standing = allowed.standing(gate, Carries::Sent(Vec::new(), Vec::new()));
            return websocket::switch(self, target, upgrade, response, standing, recorded, ending)
                .map(|response| response.map(|()| Either::Left(Full::default())));
        }
        let standing = allowed.standing(gate, Carries::Answer(allowed.masks().to_vec()));
        let (mut parts, incoming) = response.into_parts();
        headers::incoming(&mut parts.headers);
        let incoming = Unechoed::new(incoming, secret);
        let back = match masking {
            None => Back::AsItComes(incoming),
            Some(masking) => {
                let answer =
                    masked::answer(&mut parts, &method, incoming, masking, &self.http.memory);
                answer.inspect_err(|refusal| {
                    recorded.end(Ending { refusal: Some(refusal.clone()), ..ending.clone() });
                })?
            }
        };
        if leave.as_ref().is_some_and(|leave| !leave.is_given()) {
            // The body is not asked for, so that nothing can follow it. A client that is not told
            // writes its next request to a connection that is about to be closed.
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let upstream = Some((key, upstream));
        let closing = Closing { session: self.clone(), recorded, ending, upstream, leave };
        let mut response = Response::new(Either::Right(Relayed::new(back, standing, closing)));
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response)
    }

    /// The subject of a request that could not be read.
    fn subject(&self, parts: &Parts) -> Subject {
        let scheme = self.origin.scheme(false).as_str();
        Subject {
            action: Action::NetworkRequest,
            resource: format!("{scheme}://{}/", self.origin.authority_text()),
            query_digest: None,
            method: Some(parts.method.to_string())
                .filter(|method| method != super::framing::STAND_IN_METHOD),
        }
    }

    fn subject_of(&self, parts: &Parts, target: &Target, ask: &Ask) -> Subject {
        let digest =
            |query: &String| format!("sha256:{}", hex::encode(Sha256::digest(query.as_bytes())));
        let scheme = self.origin.scheme(target.websocket).as_str();
        let authority = self.origin.authority_text();
        let path = match target.path.first() {
            // The server as a whole has no path.
            "*" => "",
            path => path,
        };
        Subject {
            action: ask.action(),
            resource: [scheme, "://", authority, path].concat(),
            query_digest: target.query.as_ref().map(digest),
            method: Some(parts.method.to_string()),
        }
    }
}
