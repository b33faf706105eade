//! Service accounts prove who they are with tokens that the API server reviews.
//!
//! Invariant: a token proves something only once the API server said so in this request. No review
//! is kept, so that a token ends with its pod, its account and the API server's word.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewStatus, UserInfo};
use kube::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::ask::{ClusterError, ask};
use crate::domain::identity::{Administers, ClusterUser, Identity, Method, PodReference, Subject};
use crate::domain::names::{Label, ObjectName};
use crate::domain::pod::AUDIENCE;
use crate::domain::ports::{Answer, AuthenticationError, Authenticator, Credentials};

/// How long a review may take.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(5);

/// How many reviews are asked for at once; others wait for their turn.
const MOST_REVIEWS: usize = 64;

/// Longer tokens are refused unread.
const MAX_TOKEN_LEN: usize = 16 * 1024;

/// What is asked of the API server.
const WHAT: &str = "create tokenreviews";

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// What the API server adds to a user that is a service account.
const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// Checks tokens of service accounts by TokenReview.
pub struct ServiceAccountTokens {
    client: Client,
    reviews: Semaphore,
}

/// What a token says of itself, which nobody has vouched for.
#[derive(Deserialize)]
struct Said {
    aud: Audiences,
    exp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Said {
    fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            Audiences::One(one) => one == audience,
            Audiences::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

impl ServiceAccountTokens {
    /// Reviews of this API server.
    pub fn new(client: Client) -> Self {
        Self { client, reviews: Semaphore::new(MOST_REVIEWS) }
    }

    async fn check(&self, token: &str) -> Result<Identity, AuthenticationError> {
        let said = said(token).ok_or_else(|| refused("it is no token of a service account"))?;
        if !said.is_for(AUDIENCE) {
            return Err(refused(&format!("it is not for the audience {AUDIENCE}")));
        }
        let review = timeout(REVIEW_TIMEOUT, self.review(token)).await;
        let late = || unanswered(&ClusterError::silent_for(WHAT, REVIEW_TIMEOUT));
        let status = review.map_err(|_| late())??;
        identity(status, said.exp)
    }

    async fn review(&self, token: &str) -> Result<TokenReviewStatus, AuthenticationError> {
        let _turn = self.reviews.acquire().await.map_err(|_| unavailable("it is ending"))?;
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        });
        let request = Request::post(REVIEWS)
            .header("content-type", "application/json")
            .body(review.to_string().into_bytes())
            .map_err(|_| refused("it cannot be sent"))?;
        // As text: an answer that the library cannot read it would log, with the token in it.
        let answer = ask(WHAT, self.client.request_text(request)).await;
        let answer = Zeroizing::new(answer.map_err(|error| unanswered(&error))?);
        let review: TokenReview = serde_json::from_str(&answer)
            .map_err(|_| unanswered(&ClusterError::NotUnderstood { what: WHAT.to_owned() }))?;
        review.status.ok_or_else(|| unavailable("the API server's review has no status"))
    }
}

impl Authenticator for ServiceAccountTokens {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Answer<'a, Result<Identity, AuthenticationError>> {
        Box::pin(async move {
            let Credentials::Bearer(token) = credentials else {
                return Err(refused("a service account has no password"));
            };
            let token = token.expose_str().ok_or_else(|| refused("the token is not text"))?;
            self.check(token).await
        })
    }
}

fn refused(reason: &str) -> AuthenticationError {
    AuthenticationError::Refused(reason.to_owned())
}

fn unavailable(reason: &str) -> AuthenticationError {
    AuthenticationError::Unavailable(reason.to_owned())
}

fn unanswered(error: &ClusterError) -> AuthenticationError {
    unavailable(&error.to_string())
}

/// What the payload of a JSON Web Token says, without believing it: what is plainly no token of a
/// service account for the vault is not worth a question to the API server.
fn said(token: &str) -> Option<Said> {
    let mut parts = token.split('.').filter(|_| token.len() <= MAX_TOKEN_LEN);
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// The identity that a review vouches for. `expires` is what the token says, which the API server
/// has looked at.
fn identity(
    status: TokenReviewStatus,
    expires: Option<i64>,
) -> Result<Identity, AuthenticationError> {
    if status.authenticated != Some(true) {
        let reason = status.error.unwrap_or_else(|| "it gives no reason".to_owned());
        return Err(refused(&format!("the API server does not take the token: {reason}")));
    }
    // An authenticator that knows no audiences answers with none.
    if !status.audiences.iter().flatten().any(|audience| audience == AUDIENCE) {
        return Err(refused(&format!("the token is not for the audience {AUDIENCE}")));
    }
    let user = status.user.unwrap_or_default();
    let (namespace, name) = service_account(&user)
        .ok_or_else(|| refused("the token is not one of a service account"))?;
    let user = ClusterUser {
        name: user.username.unwrap_or_default(),
        uid: user.uid.filter(|uid| !uid.is_empty()),
        groups: user.groups.unwrap_or_default(),
        extra: user.extra.unwrap_or_default(),
    };
    let pod = pod(&namespace, &user.extra).map_err(|reason| refused(&reason))?;
    let expires_at = expires.map(Timestamp::from_second).transpose();
    Ok(Identity {
        method: Method::ServiceAccountToken,
        subject: Subject::ServiceAccount { namespace, name },
        pod,
        service_account_uid: user.uid.clone(),
        credential_id: one(&user.extra, CREDENTIAL_ID).map(str::to_owned),
        expires_at: expires_at.map_err(|_| refused("the token's end is no time"))?,
        administers: Administers::AsCluster(Box::new(user)),
    })
}

fn service_account(user: &UserInfo) -> Option<(Label, ObjectName)> {
    let account = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, name) = account.split_once(':')?;
    Some((namespace.parse().ok()?, name.parse().ok()?))
}

/// The pod that the token is bound to, which is one of the account's own namespace.
fn pod(
    namespace: &Label,
    extra: &BTreeMap<String, Vec<String>>,
) -> Result<Option<PodReference>, String> {
    let (name, uid) = match (one(extra, POD_NAME), one(extra, POD_UID)) {
        (None, None) => return Ok(None),
        (Some(name), Some(uid)) => (name, uid),
        _ => return Err("the review names half of a pod".to_owned()),
    };
    let name = name.parse().map_err(|error| format!("the pod of the review: {error}"))?;
    Ok(Some(PodReference { namespace: namespace.clone(), name, uid: uid.to_owned() }))
}

fn one<'a>(extra: &'a BTreeMap<String, Vec<String>>, key: &str) -> Option<&'a str> {
    match extra.get(key)?.as_slice() {
        [one] if !one.is_empty() => Some(one),
        _ => None,
    }
}
