//! Records of what was decided and how it ended.

use super::pipeline::Pipeline;
use super::ruling::Allowed;
use crate::problem::Refusal;
use crate::spool::{AuditLog, IntentId, now};
use exeat_audit::record::{Kind, Record};
use exeat_policy::action::Action;
use exeat_policy::{Code, Verdict};
use std::net::SocketAddr;
use std::time::Instant;

/// What a record is about.
#[derive(Debug, Clone)]
pub struct Subject {
    pub action: Action,
    pub resource: String,
    pub query_digest: Option<String>,
    pub method: Option<String>,
}

/// Proof that an allowed intent was recorded; without it nothing is dialled or sent.
pub struct Recorded {
    action: Action,
    id: IntentId,
    started: Instant,
    audit: AuditLog,
}

/// How an intent ended.
#[derive(Debug, Default, Clone)]
pub struct Ending {
    pub status: Option<u16>,
    pub bytes_out: u64,
    pub bytes_in: u64,
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
        if let Err(error) = self.audit.record_intent(record).await {
            tracing::error!(%error, "Denial not recorded");
        }
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
        let started = Instant::now();
        let Ok(id) = self.audit.record_intent(record).await else {
            self.metrics.decided(subject.action, Verdict::Deny, Code::AuditUnavailable);
            return Err(Refusal::AuditFailure);
        };
        self.metrics.decided(subject.action, Verdict::Allow, allowed.decision.code);
        Ok(Recorded { id, action: subject.action, started, audit: self.audit.clone() })
    }
}

impl Subject {
    fn record(&self) -> Record {
        Record {
            action: Some(self.action.as_str().to_owned()),
            resource: Some(self.resource.clone()),
            query_digest: self.query_digest.clone(),
            method: self.method.clone(),
            ..Record::new(Kind::Intent, now())
        }
    }
}

impl Recorded {
    /// Records how it ended.
    pub(crate) fn end(self, ending: &Ending) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let record = Record {
            status: ending.status,
            bytes_out: Some(ending.bytes_out),
            bytes_in: Some(ending.bytes_in),
            address: ending.address.map(|address| address.to_string()),
            code: ending.refusal.as_ref().map(|refusal| refusal.code().as_str().to_owned()),
            reason: ending.refusal.as_ref().map(ToString::to_string),
            duration_ms: Some(elapsed),
            action: Some(self.action.as_str().to_owned()),
            ..Record::new(Kind::Outcome, now())
        };
        self.audit.record_outcome(self.id, record);
    }
}
