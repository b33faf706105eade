//! `POST /api/v1/vault/tokens/generate`: access tokens are issued.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;

use super::body;
use crate::adapters::jwt::{AUDIENCE, ISSUER, sign};
use crate::adapters::serve::step;
use crate::contract::api::problem::ProblemKind;
use crate::contract::api::tokens::{GenerateRequest, GenerateResponse};
use crate::domain::claims::{Claims, Granted, Scope, TokenId};
use crate::domain::grants::Grants;
use crate::domain::identity::{Identity, is_client_secret};
use crate::domain::policy::{Bounds, Request, Target, decide};
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::Issuing;
use crate::programs::vault::service::Service;

/// The most patterns in a token's `granted`, so that it stays small enough for a header.
const MAX_GRANTED: usize = 64;

/// `POST …/generate`
#[utoipa::path(
    post,
    path = "/api/v1/vault/tokens/generate",
    operation_id = "generateToken",
    tag = "tokens",
    summary = "Issue an access token",
    description = "Needs an identity. What was asked for is made smaller where the grants bound it.",
    security(("client" = []), ("identity" = [])),
    request_body(
        content = GenerateRequest,
        example = json!({
            "environment": "dev",
            "key_pattern": "APP_*",
            "permissions": ["read", "list"],
            "ttl_minutes": 90
        })
    ),
    responses(
        (
            status = 200,
            description = "The token, with its scope as it was granted",
            body = GenerateResponse,
            example = json!({
                "token": "eyJ…",
                "token_type": "Bearer",
                "jti": "4f0e7a3c9b1d4c5e8f6a7b8c9d0e1f2a",
                "subject": "client:dev",
                "expires_at": "2026-01-05T10:30:00Z",
                "expires_in": 1800,
                "scope": {
                    "environment": "dev",
                    "key_pattern": "APP_*",
                    "permissions": ["read", "list"],
                    "granted": {"read": ["APP_*"], "list": ["APP_*"]}
                },
                "usage_limit": 1000,
                "clamped": ["ttl_minutes"]
            })
        ),
        Issuing
    )
)]
pub(in crate::programs::vault) async fn generate(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Issue, async |attempt| {
        issue(&service, attempt, &headers, &body).await
    })
    .await
}

async fn issue(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    let identity = service.identify(headers).await?;
    attempt.by(&identity);
    service.issue_rate.take(&identity)?;
    let standing = service.tokens.standing(&identity.subject);
    let standing = standing.map_err(ApiError::stale_revocations)?;
    if standing.blocked {
        return Err(ApiError::new(
            ProblemKind::SubjectBlocked,
            "an administrator has blocked the subject: it gets no tokens until that is taken back",
        ));
    }
    let asked = parse_request(headers, body)?;
    attempt.record.environment = Some(asked.environment.clone());
    attempt.record.key_pattern = Some(asked.key_pattern.clone());
    if asked.subject.as_ref().is_some_and(|subject| *subject != identity.subject) {
        return Err(ApiError::new(
            ProblemKind::SubjectMismatch,
            format!("the credentials are those of {}; leave `subject` out", identity.subject),
        ));
    }
    let now = attempt.record.time;
    let grants = service.grants_to_issue()?;
    let decided = step("decide").in_scope(|| granted(&grants, &identity, &asked, now));
    let (bounds, granted) = decided?;
    // A token for an environment that does not exist is of no use to whoever is granted it.
    service.secrets.keys(&asked.environment).map_err(ApiError::secret)?;
    let issued_at = standing.issued_at(now.as_second());
    let (claims, clamped) = claims(&identity, asked, bounds, granted, (now, issued_at))?;
    attempt.record.jti = Some(claims.jti.clone());
    service.tokens.issue(&claims).await.map_err(ApiError::uses)?;
    let token = sign(&service.ring.load(), &claims).map_err(|error| internal(&error))?;
    Ok(Json(response(token, claims, clamped, now)?).into_response())
}

fn parse_request(headers: &HeaderMap, body: &[u8]) -> Result<GenerateRequest, ApiError> {
    let refuse = |detail| Err(ApiError::new(ProblemKind::InvalidRequest, detail));
    let mut asked: GenerateRequest = body::json(headers, body)?;
    asked.permissions.sort_unstable();
    asked.permissions.dedup();
    if is_client_secret(asked.key_pattern.as_str().as_bytes()) {
        return refuse("`key_pattern` is a client's secret: change that secret now");
    }
    if asked.permissions.is_empty() {
        return refuse("name at least one of read and list in `permissions`, or leave it out");
    }
    if asked.ttl_minutes == Some(0) {
        return refuse("`ttl_minutes` is at least 1; leave it out for as long as the grants allow");
    }
    if asked.usage_limit == Some(0) {
        return refuse("`usage_limit` is at least 1; leave it out for as many as the grants allow");
    }
    Ok(asked)
}

/// The strictest bounds, and the patterns that the grants open, of the permissions asked for.
fn granted(
    grants: &Grants,
    identity: &Identity,
    asked: &GenerateRequest,
    now: Timestamp,
) -> Result<(Bounds, Granted), ApiError> {
    let mut bounds: Option<Bounds> = None;
    let mut granted = Granted::default();
    for permission in &asked.permissions {
        let request = Request {
            environment: asked.environment.clone(),
            permission: *permission,
            target: Target::Issue(asked.key_pattern.clone()),
        };
        let grant = decide(grants, identity, &request, now)
            .map_err(|denial| ApiError::not_granted(&denial).with_cause(&denial))?;
        bounds = Some(bounds.map_or(grant.bounds(), |so_far| so_far.stricter(grant.bounds())));
        *granted.of_mut(*permission) = grant.granted().to_vec();
    }
    let patterns = granted.read.len() + granted.list.len();
    if patterns > MAX_GRANTED {
        return Err(ApiError::new(
            ProblemKind::InvalidRequest,
            format!(
                "{patterns} patterns are granted, and a token holds {MAX_GRANTED}: ask for a key by its name, or join some SecretAccesses into one"
            ),
        ));
    }
    let bounds = bounds.expect("at least one permission is asked for: parse_request sees to it");
    Ok((bounds, granted))
}

fn claims(
    identity: &Identity,
    asked: GenerateRequest,
    bounds: Bounds,
    granted: Granted,
    (now, issued_at): (Timestamp, i64),
) -> Result<(Claims, Vec<String>), ApiError> {
    let mut clamped = Vec::new();
    let ttl = asked.ttl_minutes.unwrap_or(bounds.ttl_minutes).min(bounds.ttl_minutes);
    let now = now.as_second();
    let mut exp = now + i64::from(ttl) * 60;
    if let Some(end) = identity.expires_at {
        exp = exp.min(end.as_second());
    }
    if asked.ttl_minutes.is_some_and(|asked| now + i64::from(asked) * 60 > exp) {
        clamped.push("ttl_minutes".to_owned());
    }
    let usage_limit = match (asked.usage_limit, bounds.usage_limit) {
        (Some(asked), Some(bound)) => Some(asked.min(bound)),
        (asked, bound) => asked.or(bound),
    };
    if asked.usage_limit.is_some() && usage_limit != asked.usage_limit {
        clamped.push("usage_limit".to_owned());
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| internal(&error))?;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: identity.subject.clone(),
        exp,
        nbf: issued_at,
        iat: issued_at,
        jti: TokenId::from_random(id),
        scope: Scope {
            environment: asked.environment,
            key_pattern: asked.key_pattern,
            permissions: asked.permissions,
            granted,
        },
        usage_limit,
        pod: identity.pod.clone(),
        service_account_uid: identity.service_account_uid.clone(),
    };
    Ok((claims, clamped))
}

fn response(
    token: String,
    claims: Claims,
    clamped: Vec<String>,
    now: Timestamp,
) -> Result<GenerateResponse, ApiError> {
    Ok(GenerateResponse {
        token,
        token_type: "Bearer".to_owned(),
        jti: claims.jti,
        subject: claims.sub,
        expires_at: Timestamp::from_second(claims.exp).map_err(|error| internal(&error))?,
        expires_in: claims.exp - now.as_second(),
        scope: claims.scope,
        usage_limit: claims.usage_limit,
        clamped,
    })
}

fn internal(error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(ProblemKind::Internal, "the token could not be made; the vault's log says more")
        .with_cause(error)
}
