//! Records of what was decided and how it ended.
//!
//! [`Recorded`] is held by everything that carries bytes of an intent: the exchange, the body that
//! goes out, the response. The outcome is written when the last of them lets go, however that
//! comes, so there is exactly one and no byte passes behind it.

use super::{Allowed, Counts, Decided, Endpoint, Gate};
use crate::content::Tally;
use crate::metrics::ProxyMetrics;
use crate::refusal::Refusal;
use crate::spool::{AuditLog, IntentId, now};
use exeat_audit::record::{Kind, RecordRef, cut};
use exeat_policy::action::Action;
use exeat_policy::pattern::Scheme;
use exeat_policy::rule::RuleRef;
use exeat_policy::{Code, Verdict};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longest text of one field of a record, in bytes. Paths are at most 8 KiB.
const TEXT: usize = 9 * 1024;
/// No method that a rule can name is longer.
pub const METHOD_LIMIT: usize = 32;

/// The chain of one agent, and the counters beside it.
#[derive(Clone)]
pub struct Journal {
    audit: AuditLog,
    metrics: Arc<ProxyMetrics>,
    /// Number of intents whose outcome is not written yet.
    open: watch::Sender<usize>,
}

/// What a record is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub action: Action,
    pub resource: String,
    /// `sha256:<hex>` of the query string of a request.
    pub query_digest: Option<String>,
    /// Method of a request, type of a DNS question.
    pub method: Option<String>,
}

/// A subject as it is written: no text is longer than a record takes.
struct Texts<'a> {
    subject: &'a Subject,
    resource: Cow<'a, str>,
    method: Option<Cow<'a, str>>,
}

/// What is known of an allowed act when its intent is written.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// Where it is going to be sent, where that is settled.
    pub address: Option<SocketAddr>,
    /// `sha256:<hex>` of the body, where it was read whole.
    pub body_digest: Option<String>,
    /// What Observe policies said, where the body told more than the decision did.
    pub observed: Option<String>,
}

/// Proof that an allowed intent was recorded; without it nothing is dialled or sent.
#[derive(Clone)]
pub struct Recorded(Arc<Open>);

/// An intent whose outcome is not written yet.
struct Open {
    action: Action,
    to: Option<Arc<Endpoint>>,
    id: IntentId,
    started: Instant,
    journal: Journal,
    counts: Counts,
    ending: OnceLock<Ending>,
    /// Why the body that went out was cut off: it tells more than what that led to.
    cut: OnceLock<Refusal>,
    /// What was masked.
    masked: OnceLock<Tally>,
}

/// How an intent ended.
#[derive(Debug, Default, Clone)]
pub struct Ending {
    pub status: Option<u16>,
    pub address: Option<SocketAddr>,
    /// Where it was cut off or failed.
    pub refusal: Option<Refusal>,
}

impl Gate {
    /// Records an allowed intent. Returns once the record is as durable as the policy asks.
    ///
    /// # Errors
    /// When it cannot be written. Nothing may leave then.
    pub async fn record(
        &self,
        allowed: &Allowed,
        subject: &Subject,
        noted: Noted,
    ) -> Result<Recorded, Refusal> {
        let (texts, time) = (subject.texts(), now());
        let observed = noted.observed.or_else(|| allowed.observed());
        let address = noted.address.map(|address| address.to_string());
        let record = RecordRef {
            effect: Some(Verdict::Allow.as_str()),
            observed: observed.as_deref(),
            rule: allowed.decision.rule.as_deref().map(RuleRef::as_str),
            code: Some(allowed.decision.code.as_str()),
            policy: Some(allowed.active.policies.digest()),
            address: address.as_deref(),
            body_digest: noted.body_digest.as_deref(),
            ..texts.record(&time)
        };
        let journal = &self.journal;
        let fail = || {
            journal.metrics.decided(subject.action, Verdict::Deny, Code::AuditUnavailable);
            Refusal::AuditFailure
        };
        let id = journal.audit.append_intent(record).map_err(|_| fail())?;
        // From here on the intent has an outcome, even if whoever waits for it is dropped.
        journal.open.send_modify(|open| *open += 1);
        let recorded = Recorded(Arc::new(Open {
            action: subject.action,
            to: allowed.ask.to().cloned(),
            id,
            started: Instant::now(),
            journal: journal.clone(),
            counts: Counts::default(),
            ending: OnceLock::new(),
            cut: OnceLock::new(),
            masked: OnceLock::new(),
        }));
        if journal.audit.durable(id).await.is_err() {
            let refusal = fail();
            recorded.failed(refusal.clone());
            return Err(refusal);
        }
        journal.metrics.decided(subject.action, Verdict::Allow, allowed.decision.code);
        Ok(recorded)
    }
}

impl Gate {
    /// Records an act that ends with its answer, as a DNS question does: it has no outcome, and
    /// nothing waits for the disk.
    ///
    /// # Errors
    /// When an allowed act cannot be recorded. It must be refused then.
    pub fn answered(
        &self,
        subject: &Subject,
        (verdict, code): (Verdict, Code),
        decided: Option<&Decided>,
    ) -> Result<(), Refusal> {
        let decision = decided.map(|decided| &decided.decision);
        let active = decided.map(|decided| decided.active.clone()).or_else(|| self.policy.load());
        let (texts, time) = (subject.texts(), now());
        let observed = decision.and_then(|decision| decision.observed.as_ref());
        let rule = decision.and_then(|decision| decision.rule.as_deref()).map(RuleRef::as_str);
        let reason = decision.map(|decision| &*decision.reason);
        let record = RecordRef {
            effect: Some(verdict.as_str()),
            observed: observed.map(|observed| observed.verdict.as_str()),
            rule,
            code: Some(code.as_str()),
            reason,
            policy: active.as_ref().map(|active| active.policies.digest()),
            ..texts.record(&time)
        };
        let journal = &self.journal;
        journal.metrics.decided(subject.action, verdict, code);
        if verdict == Verdict::Allow {
            return journal.audit.append_answer(record).map_err(|_| Refusal::AuditFailure);
        }
        journal.audit.denied(record);
        Ok(())
    }
}

impl Journal {
    pub fn new(audit: AuditLog, metrics: Arc<ProxyMetrics>) -> Self {
        Self { audit, metrics, open: watch::Sender::new(0) }
    }

    /// Waits until every intent has its outcome. False: some have none after `patience`.
    pub async fn settled(&self, patience: Duration) -> bool {
        let mut open = self.open.subscribe();
        timeout(patience, open.wait_for(|open| *open == 0)).await.is_ok()
    }

    pub fn metrics(&self) -> &Arc<ProxyMetrics> {
        &self.metrics
    }

    /// Records a refusal under the policy with this digest. Waits for nothing.
    pub(super) fn refused(
        &self,
        subject: &Subject,
        refusal: &Refusal,
        observed: Option<&str>,
        policy: Option<&str>,
    ) {
        self.metrics.decided(subject.action, Verdict::Deny, refusal.code());
        tracing::info!(
            action = %subject.action, resource = %subject.resource, code = %refusal.code(),
            rule = refusal.rule(), "Request denied"
        );
        let (texts, reason, time) = (subject.texts(), refusal.to_string(), now());
        self.audit.denied(RecordRef {
            effect: Some(Verdict::Deny.as_str()),
            observed,
            rule: refusal.rule(),
            code: Some(refusal.code().as_str()),
            reason: Some(&reason),
            policy,
            ..texts.record(&time)
        });
    }
}

impl Subject {
    /// A connection as its record states it.
    pub fn connection(scheme: Scheme, to: &Endpoint) -> Self {
        Self {
            action: Action::NetworkConnect,
            resource: format!("{}://{to}", scheme.as_str()),
            query_digest: None,
            method: None,
        }
    }

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
    /// Whether this is the record of an act on this endpoint.
    pub(super) fn is_for(&self, to: &Arc<Endpoint>) -> bool {
        self.0.to.as_ref().is_some_and(|recorded| Arc::ptr_eq(recorded, to) || recorded == to)
    }

    /// What was relayed so far, for whoever relays.
    pub fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// States how it ended. The first statement holds; the record follows once everybody has let
    /// go.
    pub fn end(&self, ending: Ending) {
        let _ = self.0.ending.set(ending);
    }

    /// It ended without an answer.
    pub fn failed(&self, refusal: Refusal) {
        self.end(Ending { refusal: Some(refusal), ..Ending::default() });
    }

    /// What is masked of it is counted here.
    pub fn masks_into(&self, tally: Tally) {
        let _ = self.0.masked.set(tally);
    }

    /// The body that went out was cut off.
    pub fn cut_off(&self, refusal: Refusal) {
        let _ = self.0.cut.set(refusal);
    }

    /// Why the body that went out was cut off.
    pub fn why_cut_off(&self) -> Option<&Refusal> {
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
        self.journal.metrics.relayed(bytes_out, bytes_in);
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (time, reason) = (now(), refusal.as_ref().map(ToString::to_string));
        let address = ending.address.map(|address| address.to_string());
        let totals = self.masked.get().map(Tally::totals).unwrap_or_default();
        let mut masked = BTreeMap::new();
        for ((direction, detector), count) in totals {
            self.journal.metrics.masked(&detector, direction, count);
            masked.insert(format!("{direction}/{detector}"), count);
        }
        let record = RecordRef {
            masked: Some(&masked).filter(|masked| !masked.is_empty()),
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
        self.journal.audit.outcome(self.id, record);
        self.journal.open.send_modify(|open| *open -= 1);
    }
}
