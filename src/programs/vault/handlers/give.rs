//! How values are given: in which form, for which use, and when the caller has them already.

use std::collections::BTreeMap;

use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

use crate::adapters::jwt::VerifiedToken;
use crate::contract::api::problem::ProblemKind;
use crate::contract::api::secrets::DOTENV;
use crate::domain::grants::FileFormat;
use crate::domain::names::Key;
use crate::domain::ports::UseTaken;
use crate::domain::record::Outcome;
use crate::domain::render::{RenderError, Rendered, render_as};
use crate::domain::secret::SecretValue;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::service::Service;

/// The two forms of a value or of many.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

impl Form {
    /// The form that `Accept` names first, whatever weights it gives, or `otherwise`.
    pub(super) fn wanted(headers: &HeaderMap, otherwise: Self) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|given| given.to_str().ok());
        let mut types = accepted
            .flat_map(|given| given.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let known = types.find_map(|range| match range.as_str() {
            "application/json" => Some(Self::Json),
            DOTENV => Some(Self::Text),
            _ => None,
        });
        known.unwrap_or(otherwise)
    }

    /// What the body is: a value may be any bytes.
    fn media_type(self, body: &[u8]) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text if std::str::from_utf8(body).is_ok() => "text/plain; charset=utf-8",
            Self::Text => "application/octet-stream",
            Self::Json => "application/json",
        })
    }
}

/// Answers with a body, or with 304 where the caller has this revision already. The body is made
/// before, so that a value that cannot be given in the form takes no use.
pub(super) async fn give(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    token: &VerifiedToken,
    revision: String,
    form: Form,
    body: Zeroizing<Vec<u8>>,
) -> Result<Response, ApiError> {
    let tag = HeaderValue::from_str(&format!("\"{revision}\""));
    let tag = tag.expect("quoted hexadecimal digits are a header's value");
    let has = has_already(headers, &revision);
    // Who takes any revision for its own has shown none.
    if has != Some(Has::Any) {
        attempt.record.revision = Some(revision);
    }
    if has.is_some() {
        check_uses(service, token).await?;
        attempt.record.outcome = Outcome::NotModified;
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let media_type = form.media_type(&body);
    let body = service.body(body)?;
    take_use(service, token).await?;
    Ok(([(CONTENT_TYPE, media_type), (ETAG, tag)], body).into_response())
}

/// What a caller says that it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    /// This revision.
    This,
    /// Whatever there is (`*`).
    Any,
}

/// Whether the caller has a revision (RFC 9110 section 13.1.2: the comparison is weak).
pub(super) fn has_already(headers: &HeaderMap, revision: &str) -> Option<Has> {
    let is_it =
        |tag: &str| tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) == Some(revision);
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|given| given.to_str().ok());
    let mut any = false;
    for tag in given.flat_map(|given| given.split(',')).map(str::trim) {
        if is_it(tag.strip_prefix("W/").unwrap_or(tag)) {
            return Some(Has::This);
        }
        any |= tag == "*";
    }
    any.then_some(Has::Any)
}

async fn take_use(service: &Service, token: &VerifiedToken) -> Result<(), ApiError> {
    let claims = token.claims();
    if claims.usage_limit.is_none() {
        return Ok(());
    }
    match service.tokens.take_use(&claims.jti).await.map_err(ApiError::uses)? {
        UseTaken::Taken => Ok(()),
        UseTaken::Exhausted => Err(exhausted()),
        UseTaken::Unknown => Err(unknown()),
    }
}

/// Refuses a token that has no uses left, without taking one.
pub(super) async fn check_uses(service: &Service, token: &VerifiedToken) -> Result<(), ApiError> {
    let claims = token.claims();
    if claims.usage_limit.is_none() {
        return Ok(());
    }
    match service.tokens.uses_left(&claims.jti).await.map_err(ApiError::uses)? {
        Some(0) => Err(exhausted()),
        Some(_) => Ok(()),
        None => Err(unknown()),
    }
}

fn exhausted() -> ApiError {
    ApiError::new(ProblemKind::TokenExhausted, "its usage limit is reached; ask for a new token")
}

fn unknown() -> ApiError {
    ApiError::new(
        ProblemKind::TokenUnknown,
        "the state store has no count of its uses; ask for a new token",
    )
}

pub(super) fn text(key: &Key, value: &SecretValue) -> Result<String, ApiError> {
    value.expose_str().map(str::to_owned).ok_or_else(|| {
        ApiError::new(
            ProblemKind::NotAcceptable,
            format!("the value of {key} is not text; ask for it alone, as text/plain"),
        )
    })
}

pub(super) fn json(value: &impl serde::Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).expect("an answer holds only text"))
}

pub(super) fn dotenv(values: &BTreeMap<Key, SecretValue>) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let refuse = |error: RenderError| ApiError::new(ProblemKind::NotAcceptable, error.to_string());
    match render_as(values, FileFormat::Dotenv, &BTreeMap::new()).map_err(refuse)? {
        Rendered::Text(text) => Ok(Zeroizing::new(text.expose().to_vec())),
        Rendered::Files(_) => unreachable!("dotenv is one text"),
    }
}
