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
use exeat_audit::record::{Kind, Record, cut};
use exeat_policy::action::Action;
use exeat_policy::{Code, Verdict};
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
        let record = Record {
            effect: Some(Verdict::Deny.as_str().to_owned()),
            observed,
            rule: refusal.rule().map(str::to_owned),
            code: Some(refusal.code().as_str().to_owned()),
            reason: Some(refusal.to_string()),
            policy: self.policy.load().map(|active| active.policies.digest().to_owned()),
            ..subject.record()
        };
        let audit = self.audit.clone();
        let written = self.audit.track(async move {
            if let Err(error) = audit.record_intent(record).await {
                tracing::error!(%error, "Denial not recorded");
            }
        });
        written.await.ok();
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
        let record = Record {
            effect: Some(Verdict::Allow.as_str().to_owned()),
            observed: observed.or_else(|| allowed.observed()),
            rule: allowed.rule(),
            code: Some(allowed.decision.code.as_str().to_owned()),
            policy: Some(allowed.active.policies.digest().to_owned()),
            address: address.map(|address| address.to_string()),
            body_digest,
            ..subject.record()
        };
        let (action, code) = (subject.action, allowed.decision.code);
        let (audit, metrics) = (self.audit.clone(), self.metrics.clone());
        // Not dropped half-way with an exchange whose agent left: an intent that is written must
        // meet somebody who writes its outcome.
        let written = self.audit.track(async move {
            let started = Instant::now();
            let written = audit.record_intent(record).await;
            let open = |id| {
                let (ending, cut) = (OnceLock::new(), OnceLock::new());
                let (metrics, counts) = (metrics.clone(), Counts::default());
                Recorded(Arc::new(Open {
                    action,
                    id,
                    started,
                    audit,
                    metrics,
                    counts,
                    ending,
                    cut,
                }))
            };
            match written {
                Ok(id) => {
                    metrics.decided(action, Verdict::Allow, code);
                    Ok(open(id))
                }
                Err(error) => {
                    metrics.decided(action, Verdict::Deny, Code::AuditUnavailable);
                    if let AuditError::Unacknowledged(id) = error {
                        open(id).failed(Refusal::AuditFailure);
                    }
                    Err(Refusal::AuditFailure)
                }
            }
        });
        written.await.unwrap_or(Err(Refusal::AuditFailure))
    }
}

impl Subject {
    fn record(&self) -> Record {
        Record {
            action: Some(self.action.as_str().to_owned()),
            resource: Some(cut(&self.resource, TEXT)),
            query_digest: self.query_digest.clone(),
            method: self.method.as_deref().map(|method| cut(method, METHOD_LIMIT)),
            ..Record::new(Kind::Intent, now())
        }
    }
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
        let record = Record {
            status: ending.status,
            bytes_out: Some(bytes_out),
            bytes_in: Some(bytes_in),
            address: ending.address.map(|address| address.to_string()),
            code: refusal.as_ref().map(|refusal| refusal.code().as_str().to_owned()),
            reason: refusal.as_ref().map(ToString::to_string),
            duration_ms: Some(elapsed),
            action: Some(self.action.as_str().to_owned()),
            ..Record::new(Kind::Outcome, now())
        };
        self.audit.record_outcome(self.id, record);
    }
}
