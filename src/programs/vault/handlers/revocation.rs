//! `POST /api/v1/vault/tokens/revoke` (RFC 7009): tokens end before their time.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::body;
use crate::contract::api::problem::ProblemKind;
use crate::contract::api::tokens::RevokeRequest;
use crate::domain::administration::Administration;
use crate::domain::claims::{Claims, TokenId};
use crate::domain::identity::Subject;
use crate::domain::record::Event;
use crate::domain::revocation::Revocation;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::Revoking;
use crate::programs::vault::service::Service;

const EXPECTED: &str = "send one of `token=…`, which needs no other credentials, and, as an \
    administrator, `jti=…` or `subject=…`; with `subject`, `block=true` refuses it new tokens and \
    `block=false` takes that back";

const NOT_STORED: &str = "the revocation holds on this vault until it ends, and is not stored: send \
    it again until it is, so that it holds on others and after a restart";

/// 200 once it is stored, whether or not the token was known.
///
/// A token proves itself; one that is not the vault's, or has ended, needs no revocation. All else
/// is for administrators.
#[utoipa::path(
    post,
    path = "/api/v1/vault/tokens/revoke",
    operation_id = "revokeTokens",
    tag = "tokens",
    summary = "End tokens before their time (RFC 7009)",
    description = "A token proves itself; its identifier and a subject are for administrators.",
    security((), ("client" = []), ("identity" = [])),
    request_body(
        content = RevokeRequest,
        content_type = "application/x-www-form-urlencoded",
        example = json!({"token": "eyJ…"})
    ),
    responses(
        (status = 200, description = "It is stored, whether or not the token was known"),
        Revoking
    )
)]
pub(in crate::programs::vault) async fn revoke(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Revoke, async |attempt| {
        revoke_asked(&service, attempt, &headers, &body).await
    })
    .await
}

/// What is to end.
enum Asked {
    Token(String),
    TokenOf(TokenId),
    AllOf { subject: Subject, blocked: bool },
}

async fn revoke_asked(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    // Not the moment at which it was asked: who may ask for it takes time to find out.
    let now = || Timestamp::now().as_second();
    let revocation = match parse(headers, body)? {
        Asked::Token(token) => match service.verify_text(&token, attempt.record.time) {
            Err(error) => {
                attempt.record.reason = Some(error.kind.name().to_owned());
                return Ok(StatusCode::OK.into_response());
            }
            Ok(verified) => {
                attempt.with(&verified);
                let Claims { jti, exp, .. } = verified.claims();
                Revocation::Token { id: jti.clone(), expires_at: *exp }
            }
        },
        Asked::TokenOf(id) => {
            service.administrator(headers, attempt, Administration::RevokeTokens).await?;
            attempt.record.jti = Some(id.clone());
            Revocation::of_unseen_token(id, now())
        }
        Asked::AllOf { subject, blocked } => {
            service.administrator(headers, attempt, Administration::RevokeTokens).await?;
            let blocks = if blocked { "gets no new ones" } else { "may get new ones" };
            attempt.record.reason = Some(format!("all tokens of {subject}, which {blocks}"));
            Revocation::of_subject(subject, now(), blocked)
        }
    };
    let stored = service.tokens.revoke(revocation).await;
    stored.map_err(|error| ApiError::state(error, NOT_STORED))?;
    Ok(StatusCode::OK.into_response())
}

fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Asked, ApiError> {
    let refuse = || ApiError::new(ProblemKind::InvalidRequest, EXPECTED);
    let form: RevokeRequest = body::form(headers, body, EXPECTED)?;
    match (form.token, form.jti, form.subject, form.block) {
        (Some(token), None, None, None) => Ok(Asked::Token(token)),
        (None, Some(id), None, None) => Ok(Asked::TokenOf(ApiError::parse_name(&id)?)),
        (None, None, Some(subject), block) => {
            let subject = ApiError::parse_name(&subject)?;
            Ok(Asked::AllOf { subject, blocked: block.unwrap_or(false) })
        }
        _ => Err(refuse()),
    }
}
