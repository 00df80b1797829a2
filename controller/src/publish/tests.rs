use super::*;
use crate::identity::{IdentityError, Reviewer, User};
use crate::index::{Key, NamespaceInfo, Object, PodInfo, Selection, StoredPolicy, WatchedKind};
use exeat_api::audiences;
use exeat_policy::DeniedNames;
use exeat_policy::snapshot::{Durability, OnFailure};
use exeat_policy::source::{PolicyRef, PolicySource};
use futures::future::BoxFuture;
use http::Request;
use http_body_util::BodyExt;
use std::collections::BTreeMap;
use tokio::time::timeout;
use tower::ServiceExt;

struct Fake;

impl Reviewer for Fake {
    fn user<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<User>, IdentityError>> {
        Box::pin(async move {
            let bound = |name: &str| {
                (
                    "authentication.kubernetes.io/".to_owned() + name,
                    vec![format!("{name}-of-{token}")],
                )
            };
            let user = User {
                username: "system:serviceaccount:agents:default".to_owned(),
                extra: BTreeMap::from([bound("pod-name"), bound("pod-uid")]),
                ..User::default()
            };
            Ok((audiences == [audiences::PROXY] && token != "bad").then_some(user))
        })
    }

    fn may_read_audit<'a>(
        &'a self,
        _: &'a User,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, IdentityError>> {
        Box::pin(async { Ok(false) })
    }
}

fn policy(name: &str, audit: AuditSettings, denied_names: DeniedNames) -> Object {
    Object::Policy(Box::new(StoredPolicy {
        uid: name.to_owned(),
        source: PolicySource::new(PolicyRef::namespaced("agents", name), vec![]),
        selection: Selection {
            namespace: Some("agents".into()),
            namespaces: None,
            pods: None,
            pod_selector: Default::default(),
        },
        ingress: vec![],
        audit,
        denied_names,
        conditions: vec![],
        status: serde_json::Value::Null,
    }))
}

pub(super) fn index() -> Arc<Index> {
    let index = Index::shared();
    for kind in WatchedKind::ALL {
        index.replace(kind, vec![]);
    }
    index.apply(
        WatchedKind::Namespaces,
        Key::new("", "agents"),
        Object::Namespace("agents".into(), NamespaceInfo::default()),
    );
    let pod = PodInfo {
        namespace: "agents".into(),
        name: "pod-name-of-a".into(),
        uid: "pod-uid-of-a".into(),
        is_agent: true,
        ..PodInfo::default()
    };
    index.apply(WatchedKind::Pods, Key::new("agents", "pod-name-of-a"), Object::Pod(Box::new(pod)));
    index
}

pub(super) fn state(index: &Arc<Index>) -> PublishState {
    PublishState::new(
        Arc::clone(index),
        Arc::new(Identities::judged_by(Arc::new(Fake))),
        Metrics::new().unwrap(),
        Trust::fixed("control"),
        Arc::new("roots".to_owned()),
        ["198.51.100.0/24".parse().unwrap()].into(),
        CancellationToken::new(),
    )
}

pub(super) async fn call(state: &PublishState, path: &str, token: &str) -> Response {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    router(state.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn line(body: &mut Body) -> Option<Snapshot> {
    loop {
        let frame = timeout(Duration::from_secs(5), body.frame()).await.ok()??;
        let data = frame.unwrap().into_data().unwrap();
        if !data.trim_ascii().is_empty() {
            return Some(serde_json::from_slice(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn a_proxy_gets_its_policies_and_every_change_of_them() {
    let index = index();
    let state = state(&index);
    let response = call(&state, paths::SNAPSHOTS, "a").await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let first = line(&mut body).await.unwrap();
    assert_eq!((first.pod_uid.as_str(), first.policies.len()), ("pod-uid-of-a", 0));
    assert_eq!((first.upstream_roots.as_str(), first.control_roots.as_str()), ("roots", "control"));
    let lax = AuditSettings { durability: Durability::Spooled, on_failure: OnFailure::Allow };
    index.apply(
        WatchedKind::AgentPolicies,
        Key::new("agents", "a"),
        policy("a", lax, DeniedNames::Refuse),
    );
    let second = line(&mut body).await.unwrap();
    assert_eq!((second.policies.len(), second.audit), (1, lax));
    let strict =
        AuditSettings { durability: Durability::Acknowledged, on_failure: OnFailure::Deny };
    index.apply(
        WatchedKind::AgentPolicies,
        Key::new("agents", "b"),
        policy("b", strict, DeniedNames::Explain),
    );
    let third = line(&mut body).await.unwrap();
    assert_eq!(third.audit, strict, "the stricter value wins");
    assert_eq!(third.network.denied_names, DeniedNames::Refuse, "the stricter value wins");
    assert_eq!(third.network.excluded, ["198.51.100.0/24".parse().unwrap()]);
    index.delete(WatchedKind::Pods, &Key::new("agents", "pod-name-of-a"));
    assert!(line(&mut body).await.is_none(), "the stream ends with its pod");
}

#[tokio::test]
async fn a_policy_elsewhere_sends_nothing() {
    let index = index();
    let state = state(&index);
    let mut body = call(&state, paths::SNAPSHOTS, "a").await.into_body();
    line(&mut body).await.unwrap();
    index.apply(
        WatchedKind::Namespaces,
        Key::new("", "other"),
        Object::Namespace("other".into(), NamespaceInfo::default()),
    );
    assert!(timeout(Duration::from_millis(300), body.frame()).await.is_err());
}

#[tokio::test]
async fn whoever_is_no_agent_gets_nothing() {
    let state = state(&index());
    assert_eq!(call(&state, paths::SNAPSHOTS, "bad").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(call(&state, paths::SNAPSHOTS, "unknown").await.status(), StatusCode::FORBIDDEN);
    let empty = super::tests::state(&Index::shared());
    assert_eq!(call(&empty, paths::SNAPSHOTS, "a").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_pod_holds_two_places_and_none_of_the_others() {
    let state = state(&index());
    let (one, two) =
        (call(&state, paths::SNAPSHOTS, "a").await, call(&state, paths::SNAPSHOTS, "a").await);
    assert_eq!((one.status(), two.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(call(&state, paths::SNAPSHOTS, "a").await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(state.streams.available_permits(), STREAMS - 2);
    drop(one);
    assert_eq!(call(&state, paths::SNAPSHOTS, "a").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_waits_to_be_known_holds_no_stream() {
    let state = state(&index());
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let state = state.clone();
            tokio::spawn(async move { call(&state, paths::SNAPSHOTS, "unknown").await.status() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(state.streams.available_permits(), STREAMS);
    assert_eq!(
        call(&state, paths::SNAPSHOTS, "unknown").await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}
