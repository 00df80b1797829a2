//! Records of what was decided and how it ended.
//!
//! [`Recorded`] is held by everything that carries bytes of an intent: the exchange, the body that
//! goes out, the response. The outcome is written when the last of them lets go, however that
//! comes, so there is exactly one and no byte passes behind it.

use super::pipeline::Pipeline;
use super::ruling::Allowed;
use crate::http::METHOD_LIMIT;
use crate::metrics::ProxyMetrics;
use crate::opaque::Counts;
use crate::problem::Refusal;
use crate::spool::{AuditError, AuditLog, IntentId, now};
use exeat_audit::record::{Kind, RecordRef, cut};
use exeat_policy::action::Action;
use exeat_policy::{Code, Verdict};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Longest text of one field of a record, in bytes. Paths are at most 8 KiB.
const TEXT: usize = 9 * 1024;

/// What a record is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub action: Action,
    pub resource: String,
    pub query_digest: Option<String>,
    pub method: Option<String>,
}

/// A subject as it is written: no text is longer than a record takes.
struct Texts<'a> {
    subject: &'a Subject,
    resource: Cow<'a, str>,
    method: Option<Cow<'a, str>>,
}

/// Proof that an allowed intent was recorded; without it nothing is dialled or sent. See the
/// module.
#[derive(Clone)]
pub struct Recorded(Arc<Open>);

/// An intent whose outcome is not written yet.
struct Open {
    action: Action,
    id: IntentId,
    started: Instant,
    audit: AuditLog,
    metrics: Arc<ProxyMetrics>,
    counts: Counts,
    ending: OnceLock<Ending>,
    /// Why the body that went out was cut off: it tells more than what that led to.
    cut: OnceLock<Refusal>,
}

/// How an intent ended.
#[derive(Debug, Default, Clone)]
pub struct Ending {
    pub status: Option<u16>,
    pub address: Option<SocketAddr>,
    /// Where it was cut off or failed.
    pub refusal: Option<Refusal>,
}

impl Pipeline {
    /// Records a refusal. A record that fails changes nothing: it is refused all the same.
    pub(crate) async fn refused(
        &self,
        subject: &Subject,
        refusal: &Refusal,
        observed: Option<String>,
    ) {
        self.metrics.decided(subject.action, Verdict::Deny, refusal.code());
        tracing::info!(
            action = %subject.action, resource = %subject.resource, code = %refusal.code(),
            rule = refusal.rule(), "Request denied"
        );
        let (texts, reason, time) = (subject.texts(), refusal.to_string(), now());
        let active = self.policy.load();
        self.audit.denied(RecordRef {
            effect: Some(Verdict::Deny.as_str()),
            observed: observed.as_deref(),
            rule: refusal.rule(),
            code: Some(refusal.code().as_str()),
            reason: Some(&reason),
            policy: active.as_ref().map(|active| active.policies.digest()),
            ..texts.record(&time)
        });
    }

    /// Records an allowed intent. `observed` replaces what the decision observed, where the body
    /// told more.
    pub(crate) async fn allowed(
        &self,
        subject: &Subject,
        allowed: &Allowed,
        address: Option<SocketAddr>,
        body_digest: Option<String>,
        observed: Option<String>,
    ) -> Result<Recorded, Refusal> {
        let (started, texts, time) = (Instant::now(), subject.texts(), now());
        let observed = observed.or_else(|| allowed.observed());
        let (rule, address) = (allowed.rule(), address.map(|address| address.to_string()));
        let record = RecordRef {
            effect: Some(Verdict::Allow.as_str()),
            observed: observed.as_deref(),
            rule: rule.as_deref(),
            code: Some(allowed.decision.code.as_str()),
            policy: Some(allowed.active.policies.digest()),
            address: address.as_deref(),
            body_digest: body_digest.as_deref(),
            ..texts.record(&time)
        };
        let (action, code) = (subject.action, allowed.decision.code);
        let unwritten = |_: AuditError| {
            self.metrics.decided(action, Verdict::Deny, Code::AuditUnavailable);
            Refusal::AuditFailure
        };
        let id = self.audit.append_intent(record).map_err(unwritten)?;
        // From here on the intent is written: dropped half-way, it ends as abandoned.
        let recorded = Recorded(Arc::new(Open {
            action,
            id,
            started,
            audit: self.audit.clone(),
            metrics: Arc::clone(&self.metrics),
            counts: Counts::default(),
            ending: OnceLock::new(),
            cut: OnceLock::new(),
        }));
        if let Err(error) = self.audit.durable(id).await {
            recorded.failed(Refusal::AuditFailure);
            return Err(unwritten(error));
        }
        self.metrics.decided(action, Verdict::Allow, code);
        Ok(recorded)
    }
}

impl Subject {
    fn texts(&self) -> Texts<'_> {
        Texts {
            subject: self,
            resource: short(&self.resource, TEXT),
            method: self.method.as_deref().map(|method| short(method, METHOD_LIMIT)),
        }
    }
}

impl Texts<'_> {
    fn record<'a>(&'a self, time: &'a str) -> RecordRef<'a> {
        RecordRef {
            action: Some(self.subject.action.as_str()),
            resource: Some(&self.resource),
            query_digest: self.subject.query_digest.as_deref(),
            method: self.method.as_deref(),
            ..RecordRef::new(Kind::Intent, time)
        }
    }
}

fn short(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() > most { cut(text, most).into() } else { text.into() }
}

impl Recorded {
    /// What was relayed so far, for whoever relays.
    pub(crate) fn counts(&self) -> Counts {
        self.0.counts.clone()
    }

    /// States how it ended. The first statement holds; the record follows once everybody has let
    /// go.
    pub(crate) fn end(&self, ending: Ending) {
        let _ = self.0.ending.set(ending);
    }

    /// It ended without an answer.
    pub(crate) fn failed(&self, refusal: Refusal) {
        self.end(Ending { refusal: Some(refusal), ..Ending::default() });
    }

    /// The body that went out was cut off.
    pub(crate) fn cut_off(&self, refusal: Refusal) {
        let _ = self.0.cut.set(refusal);
    }

    /// Why the body that went out was cut off.
    pub(crate) fn why_cut_off(&self) -> Option<&Refusal> {
        self.0.cut.get()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let ending = self
            .ending
            .take()
            .unwrap_or_else(|| Ending { refusal: Some(Refusal::Abandoned), ..Ending::default() });
        let refusal = self.cut.take().or(ending.refusal);
        let (bytes_out, bytes_in) = self.counts.totals();
        self.metrics.relayed(bytes_out, bytes_in);
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (time, reason) = (now(), refusal.as_ref().map(ToString::to_string));
        let address = ending.address.map(|address| address.to_string());
        let record = RecordRef {
            status: ending.status,
            bytes_out: Some(bytes_out),
            bytes_in: Some(bytes_in),
            address: address.as_deref(),
            code: refusal.as_ref().map(|refusal| refusal.code().as_str()),
            reason: reason.as_deref(),
            duration_ms: Some(elapsed),
            action: Some(self.action.as_str()),
            ..RecordRef::new(Kind::Outcome, &time)
        };
        self.audit.outcome(self.id, record);
    }
}
