//! The bodies of requests: JSON objects and forms.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::contract::api::problem::ProblemKind;
use crate::programs::vault::error::ApiError;

/// The JSON object that a body is.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, ApiError> {
    if !media_type(headers).eq_ignore_ascii_case("application/json") {
        return Err(ApiError::new(
            ProblemKind::UnsupportedMediaType,
            "send the body as `Content-Type: application/json`",
        ));
    }
    // A derived reader takes an array of the fields, too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::new(ProblemKind::InvalidRequest, "the body is one JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::new(ProblemKind::InvalidRequest, format!("the body cannot be read: {error}"))
    })
}

/// The form that a body is. What is wrong with one is not said in the words of its content, which
/// may be a token: `expected` says what it is to hold.
pub(super) fn form<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    expected: &str,
) -> Result<T, ApiError> {
    if !media_type(headers).eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(ApiError::new(
            ProblemKind::UnsupportedMediaType,
            "send the body as `Content-Type: application/x-www-form-urlencoded`",
        ));
    }
    serde_urlencoded::from_bytes(body)
        .map_err(|_| ApiError::new(ProblemKind::InvalidRequest, expected))
}

fn media_type(headers: &HeaderMap) -> &str {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim()
}
