//! `POST /api/v1/vault/tokens/…`

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::claims::{Scope, TokenId};
use crate::domain::grants::Permission;
use crate::domain::identity::Subject;
use crate::domain::names::Environment;
use crate::domain::pattern::KeyPattern;

/// Asks for an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateRequest {
    /// Must be the caller's own subject when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The one environment.
    pub environment: Environment,
    /// The keys.
    pub key_pattern: KeyPattern,
    /// The life, in minutes; the longest that the grants allow when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<u32>,
    /// The most answers that carry a value; as many as the grants allow when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<u32>,
    /// What will be done; `read` when absent.
    #[serde(default = "read_only")]
    pub permissions: Vec<Permission>,
}

fn read_only() -> Vec<Permission> {
    vec![Permission::Read]
}

/// An access token, with its scope as it was granted.
#[derive(Serialize, Deserialize)]
pub struct GenerateResponse {
    /// The token itself.
    pub token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// The token's identifier, which may be logged.
    pub jti: TokenId,
    /// Whom it was issued to.
    pub subject: Subject,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its life, in whole seconds (RFC 6749 section 5.1).
    pub expires_in: i64,
    /// What it reaches.
    pub scope: Scope,
    /// The most answers that carry a value; absent when they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<u32>,
    /// Which of `ttl_minutes` and `usage_limit` were asked for and made smaller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clamped: Vec<String>,
}

/// Asks for the end of a token (RFC 7009 section 2.1), as `application/x-www-form-urlencoded`.
#[derive(Serialize, Deserialize)]
pub struct RevokeRequest {
    /// The token itself.
    pub token: String,
}
