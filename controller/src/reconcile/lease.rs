//! Who writes: the holder of the Lease `exeat-reconcile`.
//!
//! A holder that could not renew for [`TRUSTED`] stops believing that it leads, before anybody
//! else may take over after [`DURATION`]. Another's lease counts as expired when it was *seen*
//! unchanged for that long: clocks of other machines are not compared.

use exeat_api::objects::LEASE;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

const RENEW: Duration = Duration::from_secs(5);
/// How long a lease holds without being renewed.
pub(super) const DURATION: Duration = Duration::from_secs(15);
/// How long a holder believes in its last renewal.
pub(super) const TRUSTED: Duration = Duration::from_secs(11);

/// Whether this replica leads, for whoever asks.
#[derive(Debug, Clone, Default)]
pub struct Leadership {
    renewed: Arc<Mutex<Option<Instant>>>,
}

impl Leadership {
    /// Whether this replica may write now.
    pub fn held(&self) -> bool {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_some_and(|at| at.elapsed() < TRUSTED)
    }

    pub(super) fn set(&self, at: Option<Instant>) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

/// Campaigns for ever.
pub async fn campaign(client: Client, namespace: String, identity: String, leadership: Leadership) {
    let api: Api<Lease> = Api::namespaced(client, &namespace);
    let mut seen = Seen::default();
    loop {
        let before = leadership.held();
        let started = Instant::now();
        match tokio::time::timeout(RENEW, attempt(&api, &identity, &mut seen)).await {
            Ok(Ok(true)) => leadership.set(Some(started)),
            Ok(Ok(false)) => leadership.set(None),
            Ok(Err(error)) => warn!(%error, "Lease not renewed"),
            Err(_) => warn!("Lease not renewed in time"),
        }
        if leadership.held() != before {
            info!(leads = !before, "Leadership changed");
        }
        tokio::time::sleep(RENEW).await;
    }
}

/// Gives the Lease up, so that a successor need not wait.
pub async fn resign(client: Client, namespace: &str, identity: &str, leadership: &Leadership) {
    if !leadership.held() {
        return;
    }
    leadership.set(None);
    let api: Api<Lease> = Api::namespaced(client, namespace);
    let Ok(Some(mut lease)) = api.get_opt(LEASE).await else { return };
    let Some(spec) = lease.spec.as_mut() else { return };
    if spec.holder_identity.as_deref() == Some(identity) {
        spec.holder_identity = Some(String::new());
        if let Err(error) = api.replace(LEASE, &PostParams::default(), &lease).await {
            warn!(%error, "Lease not released");
        }
    }
}

/// The holder's record as last seen, and since when it has been like that.
#[derive(Debug, Default)]
struct Seen {
    record: Option<(Option<String>, Option<MicroTime>)>,
    since: Option<Instant>,
}

impl Seen {
    /// Whether the lease can be taken by `identity` at `now`.
    fn takeable(&mut self, spec: &LeaseSpec, identity: &str, now: Instant) -> bool {
        let record = (spec.holder_identity.clone(), spec.renew_time.clone());
        if self.record.as_ref() != Some(&record) {
            self.record = Some(record);
            self.since = Some(now);
        }
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let expired = self.since.is_some_and(|since| now.duration_since(since) >= DURATION);
        holder.is_empty() || holder == identity || expired
    }
}

async fn attempt(api: &Api<Lease>, identity: &str, seen: &mut Seen) -> Result<bool, kube::Error> {
    let written = match api.get_opt(LEASE).await? {
        None => {
            let metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(record(identity, None)) };
            api.create(&PostParams::default(), &lease).await
        }
        Some(mut lease) => {
            let spec = lease.spec.clone().unwrap_or_default();
            if !seen.takeable(&spec, identity, Instant::now()) {
                return Ok(false);
            }
            lease.spec = Some(record(identity, Some(&spec)));
            api.replace(LEASE, &PostParams::default(), &lease).await
        }
    };
    match written {
        Ok(_) => Ok(true),
        // Somebody else was faster.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn record(identity: &str, before: Option<&LeaseSpec>) -> LeaseSpec {
    let now = MicroTime(jiff_now());
    let kept = before.filter(|spec| spec.holder_identity.as_deref() == Some(identity));
    let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: kept.and_then(|spec| spec.acquire_time.clone()).or(Some(now.clone())),
        renew_time: Some(now),
        lease_transitions: Some(if kept.is_some() { transitions } else { transitions + 1 }),
        ..LeaseSpec::default()
    }
}

fn jiff_now() -> k8s_openapi::jiff::Timestamp {
    k8s_openapi::jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> LeaseSpec {
        record(holder, None)
    }

    #[test]
    fn a_lease_is_taken_when_free_ones_own_or_long_unchanged() {
        let start = Instant::now();
        let mut seen = Seen::default();
        assert!(seen.takeable(&held_by(""), "me", start));
        assert!(seen.takeable(&held_by("me"), "me", start));
        let other = held_by("other");
        assert!(!seen.takeable(&other, "me", start));
        assert!(!seen.takeable(&other, "me", start + DURATION - Duration::from_millis(1)));
        assert!(seen.takeable(&other, "me", start + DURATION));
    }

    #[test]
    fn a_renewal_by_the_holder_starts_the_wait_again() {
        let start = Instant::now();
        let mut seen = Seen::default();
        let first = held_by("other");
        assert!(!seen.takeable(&first, "me", start));
        let mut renewed = first.clone();
        renewed.renew_time = Some(MicroTime(jiff_now() + Duration::from_secs(5)));
        assert!(!seen.takeable(&renewed, "me", start + DURATION));
    }

    #[test]
    fn leadership_is_not_believed_for_ever() {
        let leadership = Leadership::default();
        assert!(!leadership.held());
        leadership.set(Some(Instant::now()));
        assert!(leadership.held());
        let Some(long_ago) = Instant::now().checked_sub(TRUSTED) else { return };
        leadership.set(Some(long_ago));
        assert!(!leadership.held());
    }
}
