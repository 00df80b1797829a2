//! Who calls the control API: bearer tokens, judged by the API server.
//!
//! A proxy shows its projected service-account token: it must be for the audience `exeat.dev` and
//! bound to a pod; name and uid of the pod come from the API server's answer, never from the
//! caller. A person shows a token for `exeat.dev/audit` or for the API server itself, and must then
//! be allowed to `get auditrecords.exeat.dev`. Whatever cannot be judged is refused.

use crate::problem;
use axum::response::{IntoResponse, Response};
use exeat_api::audiences;
use exeat_crds::GROUP;
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

/// A token that was good stays good so long without asking again.
const CACHE_FOR: Duration = Duration::from_secs(60);
const CACHED_AT_MOST: usize = 10_000;
/// A token that was bad stays bad so long without asking again.
const REJECTED_FOR: Duration = Duration::from_secs(5);
const LONGEST_TOKEN: usize = 16 * 1024;
const REVIEWS_AT_ONCE: usize = 32;
/// For a place among the reviews and the answer together.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

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
    #[error("{user} may not get {}.{GROUP} {scope}", audiences::AUDIT_RECORDS)]
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

/// Of a token, and of what it was shown for.
type TokenDigest = [u8; 32];

/// Judges callers, and remembers good tokens of pods for a minute, and bad ones for some seconds.
pub struct Identities {
    reviewer: Arc<dyn Reviewer>,
    pods: Mutex<HashMap<TokenDigest, (Instant, PodIdentity)>>,
    rejected: Mutex<HashMap<TokenDigest, (Instant, IdentityError)>>,
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
        problem::answer(self.status(), "The caller was turned away", self.to_string())
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
            pods: Mutex::default(),
            rejected: Mutex::default(),
            reviews: Semaphore::new(REVIEWS_AT_ONCE),
        }
    }

    /// The pod whose proxy calls.
    ///
    /// # Errors
    /// When there is no token, it is not valid for `exeat.dev`, or it is not bound to a pod.
    pub async fn pod(&self, headers: &HeaderMap) -> Result<PodIdentity, IdentityError> {
        let token = bearer(headers)?;
        let digest = digest(audiences::PROXY, token);
        if let Some(pod) = recall(&self.pods, &digest, CACHE_FOR) {
            return Ok(pod);
        }
        if let Some(error) = recall(&self.rejected, &digest, REJECTED_FOR) {
            return Err(error);
        }
        let user = self.user(token, &[audiences::PROXY]).await?;
        let pod = user
            .ok_or(IdentityError::Rejected)
            .and_then(|user| pod_of(&user).ok_or(IdentityError::NotAPod));
        match &pod {
            Ok(pod) => remember(&self.pods, digest, pod.clone(), CACHE_FOR),
            Err(error) => remember(&self.rejected, digest, error.clone(), REJECTED_FOR),
        }
        pod
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
        let digest = digest(audiences::AUDIT, token);
        if let Some(error) = recall(&self.rejected, &digest, REJECTED_FOR) {
            return Err(error);
        }
        let user = match self.user(token, &[audiences::AUDIT]).await? {
            Some(user) => Some(user),
            None => self.user(token, &[]).await?,
        };
        let Some(user) = user else {
            remember(&self.rejected, digest, IdentityError::Rejected, REJECTED_FOR);
            return Err(IdentityError::Rejected);
        };
        let may = self.reviewed(self.reviewer.may_read_audit(&user, namespace)).await?;
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
        self.reviewed(self.reviewer.user(token, audiences)).await
    }

    /// Asks, a few at a time; neither a place nor the answer is waited for without end.
    async fn reviewed<T>(
        &self,
        asked: impl Future<Output = Result<T, IdentityError>>,
    ) -> Result<T, IdentityError> {
        let review = async {
            let _permit = self.reviews.acquire().await.map_err(|_| IdentityError::Unavailable)?;
            asked.await
        };
        tokio::time::timeout(REVIEW_TIMEOUT, review)
            .await
            .map_err(|_| IdentityError::Unavailable)?
    }
}

fn digest(audience: &str, token: &str) -> TokenDigest {
    Sha256::new().chain_update(audience).chain_update([0]).chain_update(token).finalize().into()
}

/// What is remembered of a token, and not older than `age`.
fn recall<T: Clone>(
    known: &Mutex<HashMap<TokenDigest, (Instant, T)>>,
    digest: &TokenDigest,
    age: Duration,
) -> Option<T> {
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let (since, value) = known.get(digest)?;
    (since.elapsed() < age).then(|| value.clone())
}

/// Remembers, unless there is too much that is not older than `age`.
fn remember<T>(
    known: &Mutex<HashMap<TokenDigest, (Instant, T)>>,
    digest: TokenDigest,
    value: T,
    age: Duration,
) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= CACHED_AT_MOST {
        known.retain(|_, (since, _)| since.elapsed() < age);
    }
    if known.len() < CACHED_AT_MOST {
        known.insert(digest, (Instant::now(), value));
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
                        group: Some(GROUP.to_owned()),
                        resource: Some(audiences::AUDIT_RECORDS.to_owned()),
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
mod tests;
