use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Knows the token `proxy` for our audience, and `person` for the API server's. It never
/// answers about tokens that begin with `slow`, and counts what it is asked.
#[derive(Default)]
struct Fake {
    asked: AtomicUsize,
}

impl Reviewer for Fake {
    fn user<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<User>, IdentityError>> {
        Box::pin(async move {
            let mut user = User::default();
            self.asked.fetch_add(1, Ordering::Relaxed);
            if token.starts_with("slow") {
                std::future::pending::<()>().await;
            }
            match (token, audiences) {
                ("proxy" | "unbound", [audiences::PROXY]) => {
                    user.username = "system:serviceaccount:agents:research".to_owned();
                    if token == "proxy" {
                        user.extra = bound();
                    }
                }
                ("person", []) => user.username = "jo".to_owned(),
                ("away", _) => return Err(IdentityError::Unavailable),
                _ => return Ok(None),
            }
            Ok(Some(user))
        })
    }

    fn may_read_audit<'a>(
        &'a self,
        _: &'a User,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, IdentityError>> {
        Box::pin(async move { Ok(namespace == Some("agents")) })
    }
}

fn bound() -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([
        ("authentication.kubernetes.io/pod-name".to_owned(), vec!["research-0".to_owned()]),
        ("authentication.kubernetes.io/pod-uid".to_owned(), vec!["uid-1".to_owned()]),
    ])
}

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, value.parse().unwrap());
    headers
}

#[tokio::test]
async fn a_pod_is_who_its_token_says() {
    let identities = Identities::judged_by(Arc::new(Fake::default()));
    let pod = identities.pod(&headers("Bearer proxy")).await.unwrap();
    assert_eq!((&*pod.namespace, &*pod.pod_uid), ("agents", "uid-1"));
    assert_eq!(identities.pod(&headers("bearer proxy")).await.unwrap(), pod, "cached");
}

#[tokio::test]
async fn everything_else_is_turned_away() {
    let identities = Identities::judged_by(Arc::new(Fake::default()));
    for (value, error) in [
        ("Bearer", IdentityError::Missing),
        ("Basic proxy", IdentityError::Missing),
        ("Bearer person", IdentityError::Rejected),
        ("Bearer unbound", IdentityError::NotAPod),
        ("Bearer away", IdentityError::Unavailable),
    ] {
        assert_eq!(identities.pod(&headers(value)).await, Err(error), "{value}");
    }
    assert_eq!(identities.pod(&HeaderMap::new()).await, Err(IdentityError::Missing));
}

#[tokio::test]
async fn people_read_where_they_may() {
    let identities = Identities::judged_by(Arc::new(Fake::default()));
    let headers = headers("Bearer person");
    assert_eq!(identities.auditor(&headers, Some("agents")).await, Ok("jo".to_owned()));
    let error = identities.auditor(&headers, None).await.unwrap_err();
    assert_eq!(error.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn bad_tokens_are_remembered_for_some_seconds() {
    let fake = Arc::new(Fake::default());
    let identities = Identities::judged_by(fake.clone());
    for _ in 0..3 {
        let pod = identities.pod(&headers("Bearer unbound")).await;
        assert_eq!(pod, Err(IdentityError::NotAPod));
        assert_eq!(identities.pod(&headers("Bearer x")).await, Err(IdentityError::Rejected));
        let auditor = identities.auditor(&headers("Bearer x"), None).await;
        assert_eq!(auditor, Err(IdentityError::Rejected));
    }
    assert_eq!(fake.asked.load(Ordering::Relaxed), 4, "once for each audience");
    // That it is no proxy's does not make it a bad token for a person.
    assert_eq!(identities.pod(&headers("Bearer person")).await, Err(IdentityError::Rejected));
    assert!(identities.auditor(&headers("Bearer person"), Some("agents")).await.is_ok());
    // A moment without an API server is not remembered.
    for asked in 7..9 {
        let away = identities.pod(&headers("Bearer away")).await;
        assert_eq!(away, Err(IdentityError::Unavailable));
        assert_eq!(fake.asked.load(Ordering::Relaxed), asked + 1);
    }
}

#[tokio::test]
async fn a_place_among_the_reviews_is_not_waited_for_without_end() {
    let identities = Arc::new(Identities::judged_by(Arc::new(Fake::default())));
    let held = identities.reviews.acquire_many(32).await.unwrap();
    let proxy = headers("Bearer proxy");
    let answer = identities.pod(&proxy);
    let answer = tokio::time::timeout(REVIEW_TIMEOUT * 5, answer).await.unwrap();
    assert_eq!(answer, Err(IdentityError::Unavailable));
    drop(held);
    let answer = identities.pod(&headers("Bearer slow")).await;
    assert_eq!(answer, Err(IdentityError::Unavailable));
}

#[test]
fn ordinary_users_are_no_pods() {
    let user = User { username: "jo".to_owned(), extra: bound(), ..User::default() };
    assert_eq!(pod_of(&user), None);
    let mut twice = bound();
    twice.values_mut().for_each(|values| values.push("other".to_owned()));
    let username = "system:serviceaccount:agents:research".to_owned();
    assert_eq!(pod_of(&User { username, extra: twice, ..User::default() }), None);
}
