//! Who calls the control API: bearer tokens, judged by the API server.
//!
//! A proxy shows its projected service-account token: it must be for the audience `exeat.dev` and
//! bound to a pod; name and uid of the pod come from the API server's answer, never from the
//! caller. A person shows a token for `exeat.dev/audit` or for the API server itself, and must then
//! be allowed to `get auditrecords.exeat.dev`. Whatever cannot be judged is refused.

use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode, header};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Audience of the proxies' tokens.
pub const PROXY_AUDIENCE: &str = "exeat.dev";
/// Audience of tokens made to read the audit.
pub const AUDIT_AUDIENCE: &str = "exeat.dev/audit";

/// A token that was good stays good so long without asking again.
const CACHE_FOR: Duration = Duration::from_secs(60);
const CACHED_AT_MOST: usize = 10_000;
const LONGEST_TOKEN: usize = 16 * 1024;
const REVIEWS_AT_ONCE: usize = 32;
const REVIEW_TIMEOUT: Duration = Duration::from_secs(10);

/// The proxy of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodIdentity {
    pub namespace: String,
    pub service_account: String,
    pub pod_name: String,
    pub pod_uid: String,
}

/// Whom a token stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    pub username: String,
    pub uid: String,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why a caller is turned away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("a bearer token is needed")]
    Missing,
    #[error("the token is not valid here")]
    Rejected,
    #[error("the token is not bound to a pod")]
    NotAPod,
    #[error("{user} may not get auditrecords.exeat.dev {scope}")]
    Forbidden { user: String, scope: String },
    #[error("the API server could not be asked")]
    Unavailable,
}

/// Who judges tokens and permissions. The API server, but for tests.
pub trait Reviewer: Send + Sync + 'static {
    /// Whom the token stands for; none when it is not valid for any of `audiences` (empty: the API
    /// server's own).
    fn user<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<User>, IdentityError>>;

    /// Whether this user may get audit records: of one namespace, or of all.
    fn may_read_audit<'a>(
        &'a self,
        user: &'a User,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, IdentityError>>;
}

/// Judges callers, and remembers good tokens for a minute.
pub struct Identities {
    reviewer: Arc<dyn Reviewer>,
    pods: Mutex<HashMap<[u8; 32], (Instant, PodIdentity)>>,
    reviews: Semaphore,
}

impl IdentityError {
    /// How it is answered.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Rejected => StatusCode::UNAUTHORIZED,
            Self::NotAPod | Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label `reason` of `exeat_collect_rejected_total`.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Missing | Self::Rejected => "unauthenticated",
            Self::NotAPod | Self::Forbidden { .. } => "forbidden",
            Self::Unavailable => "unavailable",
        }
    }
}

impl IntoResponse for IdentityError {
    fn into_response(self) -> Response {
        let problem = serde_json::json!({
            "type": "about:blank",
            "status": self.status().as_u16(),
            "title": "The caller was turned away",
            "detail": self.to_string(),
        });
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status(), content_type, problem.to_string()).into_response()
    }
}

impl Identities {
    /// Judged by the API server behind `client`.
    pub fn new(client: kube::Client) -> Self {
        Self::judged_by(Arc::new(ApiServer(client)))
    }

    /// Judged by `reviewer`.
    pub fn judged_by(reviewer: Arc<dyn Reviewer>) -> Self {
        Self {
            reviewer,
            pods: Mutex::new(HashMap::new()),
            reviews: Semaphore::new(REVIEWS_AT_ONCE),
        }
    }

    /// The pod whose proxy calls.
    ///
    /// # Errors
    /// When there is no token, it is not valid for `exeat.dev`, or it is not bound to a pod.
    pub async fn pod(&self, headers: &HeaderMap) -> Result<PodIdentity, IdentityError> {
        let token = bearer(headers)?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        if let Some(pod) = self.cached(&digest) {
            return Ok(pod);
        }
        let user = self.user(token, &[PROXY_AUDIENCE]).await?.ok_or(IdentityError::Rejected)?;
        let pod = pod_of(&user).ok_or(IdentityError::NotAPod)?;
        self.remember(digest, &pod);
        Ok(pod)
    }

    /// The name of a person who may read the audit of `namespace` (none: of every namespace).
    ///
    /// # Errors
    /// When there is no valid token or no permission.
    pub async fn auditor(
        &self,
        headers: &HeaderMap,
        namespace: Option<&str>,
    ) -> Result<String, IdentityError> {
        let token = bearer(headers)?;
        let user = match self.user(token, &[AUDIT_AUDIENCE]).await? {
            Some(user) => user,
            None => self.user(token, &[]).await?.ok_or(IdentityError::Rejected)?,
        };
        let _permit = self.reviews.acquire().await.map_err(|_| IdentityError::Unavailable)?;
        let asked = self.reviewer.may_read_audit(&user, namespace);
        let may = tokio::time::timeout(REVIEW_TIMEOUT, asked)
            .await
            .map_err(|_| IdentityError::Unavailable)??;
        if may {
            return Ok(user.username);
        }
        let scope = namespace.map_or_else(
            || "in all namespaces (name one that you may read)".to_owned(),
            |namespace| format!("in namespace {namespace}"),
        );
        Err(IdentityError::Forbidden { user: user.username, scope })
    }

    async fn user(&self, token: &str, audiences: &[&str]) -> Result<Option<User>, IdentityError> {
        let _permit = self.reviews.acquire().await.map_err(|_| IdentityError::Unavailable)?;
        tokio::time::timeout(REVIEW_TIMEOUT, self.reviewer.user(token, audiences))
            .await
            .map_err(|_| IdentityError::Unavailable)?
    }

    fn cached(&self, digest: &[u8; 32]) -> Option<PodIdentity> {
        let pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, pod) = pods.get(digest)?;
        (since.elapsed() < CACHE_FOR).then(|| pod.clone())
    }

    fn remember(&self, digest: [u8; 32], pod: &PodIdentity) {
        let mut pods = self.pods.lock().unwrap_or_else(PoisonError::into_inner);
        if pods.len() >= CACHED_AT_MOST {
            pods.retain(|_, (since, _)| since.elapsed() < CACHE_FOR);
        }
        if pods.len() < CACHED_AT_MOST {
            pods.insert(digest, (Instant::now(), pod.clone()));
        }
    }
}

struct ApiServer(kube::Client);

impl Reviewer for ApiServer {
    fn user<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Option<User>, IdentityError>> {
        Box::pin(async move {
            let audiences: Vec<String> = audiences.iter().map(|&it| it.to_owned()).collect();
            let spec = TokenReviewSpec {
                token: token.to_owned(),
                audiences: (!audiences.is_empty()).then(|| audiences.clone()),
            };
            let review = TokenReview { spec, ..TokenReview::default() };
            let answer = Api::all(self.0.clone())
                .create(&PostParams::default(), &review)
                .await
                .map_err(|error| unavailable("TokenReview", &error))?;
            let Some(status) = answer.status else { return Ok(None) };
            let granted = status.audiences.unwrap_or_default();
            // An authenticator that knows no audiences answers without any: that is not ours.
            let fits = audiences.is_empty() || audiences.iter().any(|it| granted.contains(it));
            if status.authenticated != Some(true) || !fits {
                return Ok(None);
            }
            Ok(status.user.map(|user| User {
                username: user.username.unwrap_or_default(),
                uid: user.uid.unwrap_or_default(),
                groups: user.groups.unwrap_or_default(),
                extra: user.extra.unwrap_or_default(),
            }))
        })
    }

    fn may_read_audit<'a>(
        &'a self,
        user: &'a User,
        namespace: Option<&'a str>,
    ) -> BoxFuture<'a, Result<bool, IdentityError>> {
        Box::pin(async move {
            let review = SubjectAccessReview {
                spec: SubjectAccessReviewSpec {
                    user: Some(user.username.clone()),
                    uid: Some(user.uid.clone()),
                    groups: Some(user.groups.clone()),
                    extra: Some(user.extra.clone()),
                    resource_attributes: Some(ResourceAttributes {
                        group: Some("exeat.dev".to_owned()),
                        resource: Some("auditrecords".to_owned()),
                        verb: Some("get".to_owned()),
                        namespace: namespace.map(str::to_owned),
                        ..ResourceAttributes::default()
                    }),
                    ..SubjectAccessReviewSpec::default()
                },
                ..SubjectAccessReview::default()
            };
            let answer = Api::all(self.0.clone())
                .create(&PostParams::default(), &review)
                .await
                .map_err(|error| unavailable("SubjectAccessReview", &error))?;
            Ok(answer.status.is_some_and(|status| status.allowed && status.denied != Some(true)))
        })
    }
}

fn unavailable(what: &'static str, error: &kube::Error) -> IdentityError {
    tracing::warn!(what, %error, "Review failed");
    IdentityError::Unavailable
}

fn bearer(headers: &HeaderMap) -> Result<&str, IdentityError> {
    let value = headers.get(header::AUTHORIZATION).ok_or(IdentityError::Missing)?;
    let value = value.to_str().map_err(|_| IdentityError::Rejected)?;
    let (scheme, token) = value.split_once(' ').ok_or(IdentityError::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(IdentityError::Missing);
    }
    if token.len() > LONGEST_TOKEN {
        return Err(IdentityError::Rejected);
    }
    Ok(token)
}

fn pod_of(user: &User) -> Option<PodIdentity> {
    let (namespace, service_account) =
        user.username.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    let only = |key: &str| match user.extra.get(key).map(Vec::as_slice) {
        Some([value]) if !value.is_empty() => Some(value.clone()),
        _ => None,
    };
    Some(PodIdentity {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod_name: only("authentication.kubernetes.io/pod-name")?,
        pod_uid: only("authentication.kubernetes.io/pod-uid")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows the token `proxy` for our audience, and `person` for the API server's.
    struct Fake;

    impl Reviewer for Fake {
        fn user<'a>(
            &'a self,
            token: &'a str,
            audiences: &'a [&'a str],
        ) -> BoxFuture<'a, Result<Option<User>, IdentityError>> {
            Box::pin(async move {
                let mut user = User::default();
                match (token, audiences) {
                    ("proxy" | "unbound", [PROXY_AUDIENCE]) => {
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
        let identities = Identities::judged_by(Arc::new(Fake));
        let pod = identities.pod(&headers("Bearer proxy")).await.unwrap();
        assert_eq!((&*pod.namespace, &*pod.pod_uid), ("agents", "uid-1"));
        assert_eq!(identities.pod(&headers("bearer proxy")).await.unwrap(), pod, "cached");
    }

    #[tokio::test]
    async fn everything_else_is_turned_away() {
        let identities = Identities::judged_by(Arc::new(Fake));
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
        let identities = Identities::judged_by(Arc::new(Fake));
        let headers = headers("Bearer person");
        assert_eq!(identities.auditor(&headers, Some("agents")).await, Ok("jo".to_owned()));
        let error = identities.auditor(&headers, None).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::FORBIDDEN);
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
}
