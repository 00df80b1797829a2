use super::super::tests::{call, index, state};
use super::*;
use crate::credentials::{Known, Secrets};
use crate::index::{Index, Key, Object, PodInfo, WatchedKind};
use exeat_api::credentials::{Reason, State as Of, Value};
use exeat_api::paths;
use http_body_util::BodyExt;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// A policy whose one rule adds a credential.
fn policy(index: &Index, name: &str, mode: &str, secret: &str) {
    let object = json!({"metadata": {"namespace": "agents", "name": name, "uid": name},
        "spec": {"podSelector": {}, "mode": mode, "rules": [{"name": "r", "effect": "Allow",
            "action": "network.request", "resource": "https://api.example.com/**",
            "credential": {"header": "Authorization", "template": "Bearer {value}",
                "secretRef": {"name": secret, "key": "token"}}}]}});
    let stored =
        crate::watch::policy(WatchedKind::AgentPolicies, &serde_json::from_value(object).unwrap());
    assert!(stored.source.invalid.is_none(), "{:?}", stored.source.invalid);
    let key = Key::new("agents", name);
    index.apply(WatchedKind::AgentPolicies, key, Object::Policy(Box::new(stored)));
}

fn injected(index: &Index) {
    let pod = PodInfo {
        namespace: "agents".into(),
        name: "pod-name-of-a".into(),
        uid: "pod-uid-of-a".into(),
        is_agent: true,
        injected: true,
        ..PodInfo::default()
    };
    index.apply(WatchedKind::Pods, Key::new("agents", "pod-name-of-a"), Object::Pod(Box::new(pod)));
}

fn data(value: &str) -> Known {
    Known::Data(BTreeMap::from([("token".to_owned(), Value::of(value.as_bytes()))]))
}

/// The state of the one credential of the next line.
async fn next(body: &mut Body) -> Option<String> {
    loop {
        let frame = timeout(Duration::from_secs(2), body.frame()).await.ok()??;
        let data = frame.unwrap().into_data().unwrap();
        if data.trim_ascii().is_empty() {
            continue;
        }
        let set: Set = serde_json::from_slice(&data).unwrap();
        assert_eq!(set.pod_uid, "pod-uid-of-a");
        return Some(match set.credentials.as_slice() {
            [] => "nothing".to_owned(),
            [one] => match &one.state {
                Of::Value(value) => value.expose().to_owned(),
                Of::Unavailable(reason) => format!("{reason:?}"),
            },
            more => format!("{} of them", more.len()),
        });
    }
}

#[tokio::test]
async fn a_proxy_gets_the_values_that_its_policies_name_and_every_change() {
    let (index, secrets, key) = (index(), Secrets::shared(), Key::new("agents", "model"));
    injected(&index);
    let state = state(&index).with_secrets(Arc::clone(&secrets));
    let response = call(&state, paths::CREDENTIALS, "a").await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await.unwrap(), "nothing");
    secrets.set(&Key::new("agents", "unnamed"), data("of-no-policy"));
    policy(&index, "observes", "Observe", "unnamed");
    policy(&index, "p", "Enforce", "model");
    assert_eq!(next(&mut body).await.unwrap(), format!("{:?}", Reason::Unknown));
    secrets.set(&key, Known::Forbidden);
    assert_eq!(next(&mut body).await.unwrap(), format!("{:?}", Reason::Forbidden));
    for value in ["first-value", "second-value"] {
        secrets.set(&key, data(value));
        assert_eq!(next(&mut body).await.unwrap(), value);
    }
    secrets.set(&key, Known::Missing);
    assert_eq!(next(&mut body).await.unwrap(), format!("{:?}", Reason::NoSecret));
    index.delete(WatchedKind::Pods, &Key::new("agents", "pod-name-of-a"));
    assert_eq!(next(&mut body).await, None, "the stream ends with its pod");
}

/// In a pod that admission did not make, the token could be the agent's own.
#[tokio::test]
async fn only_a_pod_that_admission_made_gets_values() {
    let index = index();
    let state = state(&index);
    policy(&index, "p", "Enforce", "model");
    for token in ["a", "unknown"] {
        let response = call(&state, paths::CREDENTIALS, token).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(call(&state, paths::SNAPSHOTS, "a").await.status(), StatusCode::OK);
    let response = call(&state, paths::CREDENTIALS, "bad").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_snapshot_holds_no_value() {
    let (index, secrets) = (index(), Secrets::shared());
    injected(&index);
    policy(&index, "p", "Enforce", "model");
    secrets.set(&Key::new("agents", "model"), data("a-secret-value"));
    let state = state(&index).with_secrets(secrets);
    let mut body = call(&state, paths::SNAPSHOTS, "a").await.into_body();
    let line = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let line = String::from_utf8(line.to_vec()).unwrap();
    assert!(line.contains("\"secretRef\"") && !line.contains("a-secret"), "{line}");
}
