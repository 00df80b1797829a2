//! Watches of the named Secrets: one each, started and ended as policies name them.

use super::{Known, Secrets, named};
use crate::index::{Index, Key};
use exeat_api::credentials::Value;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::watcher;
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};
use zeroize::Zeroizing;

/// Before a watch that failed is tried again: at first, and at most. A Role may come at any time.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// Changes of policies that come together are looked at together.
const SETTLE: Duration = Duration::from_millis(50);
/// Secrets of the whole cluster; of those beyond it no value is known.
const WATCHES: usize = 4096;

/// Keeps what is known of every named Secret up to date, for ever.
pub async fn keep(client: Client, index: Arc<Index>, secrets: Arc<Secrets>) {
    let mut changes = index.subscribe();
    let mut tasks = JoinSet::new();
    let mut watched = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let wanted = wanted(&index);
        watched.retain(|key: &Key, task: &mut tokio::task::AbortHandle| {
            let stays = wanted.contains(key) && !task.is_finished();
            if !stays {
                task.abort();
                secrets.forget(key);
            }
            stays
        });
        for key in wanted {
            if watched.contains_key(&key) {
                continue;
            }
            let watch = follow(client.clone(), key.clone(), Arc::clone(&secrets));
            watched.insert(key, tasks.spawn(watch));
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
        sleep(SETTLE).await;
    }
}

/// The Secrets that any policy names.
fn wanted(index: &Index) -> BTreeSet<Key> {
    let policies = index.policies();
    let keys = policies.iter().flat_map(|policy| named(policy));
    let all: BTreeSet<Key> = keys.map(|key| Key::new(key.namespace, key.name)).collect();
    if all.len() > WATCHES {
        warn!(named = all.len(), most = WATCHES, "More Secrets are named than are watched");
    }
    all.into_iter().take(WATCHES).collect()
}

/// Follows one Secret until it is aborted.
async fn follow(client: Client, key: Key, secrets: Arc<Secrets>) {
    let api: Api<Secret> = Api::namespaced(client, &key.namespace);
    // With this selector a Role that names the Secret allows list and watch.
    let config = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
    let mut events = pin!(watcher(api, config));
    let (mut listed, mut pause) = (None, RETRY.0);
    loop {
        match events.try_next().await {
            Ok(Some(event)) => {
                pause = RETRY.0;
                if let Some(known) = take(event, &key, &mut listed) {
                    secrets.set(&key, known);
                }
            }
            Ok(None) => return,
            Err(error) => {
                // Nothing of the Secret is in an error; what was asked for is.
                if is_forbidden(&error) {
                    info!(namespace = %key.namespace, secret = %key.name, "Secret forbidden");
                    secrets.set(&key, Known::Forbidden);
                } else {
                    warn!(namespace = %key.namespace, secret = %key.name, "Secret not watched");
                }
                sleep(pause).await;
                pause = (pause * 2).min(RETRY.1);
            }
        }
    }
}

/// What an event says of the Secret; none where more is to come.
fn take(event: watcher::Event<Secret>, key: &Key, listed: &mut Option<Secret>) -> Option<Known> {
    match event {
        watcher::Event::Init => {
            *listed = None;
            None
        }
        watcher::Event::InitApply(secret) => {
            if is(&secret, key) {
                *listed = Some(secret);
            }
            None
        }
        watcher::Event::InitDone => Some(listed.take().map_or(Known::Missing, read)),
        watcher::Event::Apply(secret) => is(&secret, key).then(|| read(secret)),
        watcher::Event::Delete(secret) => is(&secret, key).then_some(Known::Missing),
    }
}

fn is(secret: &Secret, key: &Key) -> bool {
    secret.metadata.name.as_deref() == Some(key.name.as_str())
}

/// The values of a Secret; what was decoded is wiped.
fn read(secret: Secret) -> Known {
    let data = secret.data.unwrap_or_default().into_iter();
    let values = data.map(|(key, bytes)| {
        let bytes = Zeroizing::new(bytes.0);
        (key, Value::of(&bytes))
    });
    Known::Data(values.collect())
}

fn is_forbidden(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => match error {
            kube::Error::Api(status) => status,
            _ => return false,
        },
        watcher::Error::WatchError(status) => status,
        watcher::Error::NoResourceVersion => return false,
    };
    status.code == 403
}

#[cfg(test)]
mod tests {
    use super::*;
    use exeat_api::credentials::State;
    use exeat_policy::credential::SecretKey;
    use serde_json::json;

    fn secret(name: &str, value: &str) -> Secret {
        let object =
            json!({"metadata": {"name": name, "namespace": "agents"}, "data": {"token": value}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_secret_is_known_as_it_was_seen_last() {
        let key = Key::new("agents", "model");
        let of =
            SecretKey { namespace: "agents".into(), name: "model".into(), key: "token".into() };
        let secrets = Secrets::shared();
        let mut listed = None;
        let mut after = |event| {
            if let Some(known) = take(event, &key, &mut listed) {
                secrets.set(&key, known);
            }
            match secrets.state(&of) {
                State::Value(value) => value.expose().to_owned(),
                State::Unavailable(reason) => format!("{reason:?}"),
            }
        };
        // "first-value", "second-value", "other-value" and, of another Secret, the last.
        let [first, second] = ["Zmlyc3QtdmFsdWU=", "c2Vjb25kLXZhbHVl"];
        assert_eq!(after(watcher::Event::Init), "Unknown");
        assert_eq!(after(watcher::Event::InitDone), "NoSecret");
        assert_eq!(after(watcher::Event::Apply(secret("model", first))), "first-value");
        assert_eq!(after(watcher::Event::Apply(secret("other", second))), "first-value");
        assert_eq!(after(watcher::Event::Apply(secret("model", second))), "second-value");
        assert_eq!(after(watcher::Event::Delete(secret("model", second))), "NoSecret");
        assert_eq!(after(watcher::Event::Init), "NoSecret");
        assert_eq!(after(watcher::Event::InitApply(secret("model", first))), "NoSecret");
        assert_eq!(after(watcher::Event::InitDone), "first-value");
    }
}
