//! `POST /api/v1/vault/tokens/introspect` (RFC 7662): what a token is, for administrators.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

use super::body;
use crate::adapters::jwt::VerifiedToken;
use crate::contract::api::tokens::{IntrospectRequest, IntrospectedToken, Introspection};
use crate::domain::administration::Administration;
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::Introspecting;
use crate::programs::vault::service::Service;

const EXPECTED: &str = "send the token as `token=…` (RFC 7662), and your own credentials in the \
    Authorization header";

/// Takes no use. A token that is not good is `{"active": false}`, and nothing is said of why.
#[utoipa::path(
    post,
    path = "/api/v1/vault/tokens/introspect",
    operation_id = "introspectToken",
    tag = "tokens",
    summary = "What a token is (RFC 7662), for administrators",
    description = "It takes no use. Of a token that is not good nothing is said but that.",
    security(("client" = []), ("identity" = [])),
    request_body(
        content = IntrospectRequest,
        content_type = "application/x-www-form-urlencoded",
        example = json!({"token": "eyJ…"})
    ),
    responses(
        (
            status = 200,
            description = "Whether it is good, and what it says",
            body = Introspection,
            example = json!({"active": false})
        ),
        Introspecting
    )
)]
pub(in crate::programs::vault) async fn introspect(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Introspect, async |attempt| {
        introspect_token(&service, attempt, &headers, &body).await
    })
    .await
}

async fn introspect_token(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    service.administrator(headers, attempt, Administration::IntrospectTokens).await?;
    let asked: IntrospectRequest = body::form(headers, body, EXPECTED)?;
    let token = match service.verify_text(&asked.token, attempt.record.time) {
        Ok(token) => {
            attempt.record.jti = Some(token.claims().jti.clone());
            look_up(service, token).await?
        }
        Err(error) => {
            attempt.record.reason = Some(error.kind.name().to_owned());
            None
        }
    };
    Ok(Json(Introspection { active: token.is_some(), token }).into_response())
}

/// What a token says whose signature and times hold, where it is still good.
async fn look_up(
    service: &Service,
    token: VerifiedToken,
) -> Result<Option<IntrospectedToken>, ApiError> {
    let claims = token.claims();
    let revoked = service.tokens.is_revoked(claims.issued());
    if revoked.map_err(ApiError::stale_revocations)? {
        return Ok(None);
    }
    let uses_left = match claims.usage_limit {
        None => None,
        Some(_) => match service.tokens.uses_left(&claims.jti).await.map_err(ApiError::uses)? {
            None | Some(0) => return Ok(None),
            left => left,
        },
    };
    let claims = claims.clone();
    let permissions = claims.scope.permissions.iter().map(ToString::to_string);
    Ok(Some(IntrospectedToken {
        scope: permissions.collect::<Vec<_>>().join(" "),
        token_type: "Bearer".to_owned(),
        exp: claims.exp,
        iat: claims.iat,
        nbf: claims.nbf,
        sub: claims.sub,
        aud: claims.aud,
        iss: claims.iss,
        jti: claims.jti,
        vanta_scope: claims.scope,
        usage_limit: claims.usage_limit,
        uses_left,
        pod: claims.pod,
    }))
}
