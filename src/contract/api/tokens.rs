//! `POST /api/v1/vault/tokens/…`

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::claims::{Scope, TokenId};
use crate::domain::grants::Permission;
use crate::domain::identity::{PodReference, Subject};
use crate::domain::names::Environment;
use crate::domain::pattern::KeyPattern;

/// Asks for an access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
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
    #[serde(
        default,
        deserialize_with = "super::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "vault", schema(value_type = Option<super::schema::number::Count>))]
    pub ttl_minutes: Option<u32>,
    /// The most answers that carry a value; as many as the grants allow when absent.
    #[serde(
        default,
        deserialize_with = "super::whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "vault", schema(value_type = Option<super::schema::number::Count>))]
    pub usage_limit: Option<u32>,
    /// What will be done; `read` when absent.
    #[serde(default = "read_only")]
    #[cfg_attr(feature = "vault", schema(min_items = 1, default = read_only))]
    pub permissions: Vec<Permission>,
}

fn read_only() -> Vec<Permission> {
    vec![Permission::Read]
}

/// An access token, with its scope as it was granted.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
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
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count, required = false))]
    pub usage_limit: Option<u32>,
    /// Which of `ttl_minutes` and `usage_limit` were asked for and made smaller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clamped: Vec<String>,
}

/// Asks for the end of tokens (RFC 7009 section 2.1), as `application/x-www-form-urlencoded`.
///
/// One of `token`, which proves itself, and, for administrators, `jti` and `subject`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// The token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What kind of token it is; there is one kind, so it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_type_hint: Option<String>,
    /// The identifier of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Whose tokens of this moment all end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// With `subject`: whether it gets no new ones either, until it is said again with `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<bool>,
}

/// Asks whether a token is good (RFC 7662 section 2.1), as `application/x-www-form-urlencoded`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct IntrospectRequest {
    /// The token itself.
    pub token: String,
    /// What kind of token it is; there is one kind, so it is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub token_type_hint: Option<String>,
}

/// Whether a token is good at this moment, and what it says (RFC 7662 section 2.2).
#[derive(Debug, Serialize, Deserialize)]
pub struct Introspection {
    /// Whether it is one of this vault's, has begun and not ended, is not revoked, and has uses
    /// left. Nothing else is told of one that is not.
    pub active: bool,
    /// What it says, where it is good.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub token: Option<IntrospectedToken>,
}

/// What a good token says.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct IntrospectedToken {
    /// The permissions, with blanks between them (RFC 6749 section 3.3).
    pub scope: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// When it ends, in epoch seconds.
    pub exp: i64,
    /// When it was issued, in epoch seconds.
    pub iat: i64,
    /// When it begins, in epoch seconds.
    pub nbf: i64,
    /// Whom it was issued to.
    pub sub: Subject,
    /// Whom it is meant for.
    pub aud: String,
    /// Who issued it.
    pub iss: String,
    /// Its identifier.
    pub jti: TokenId,
    /// What it reaches, where the grants of the moment allow it.
    pub vanta_scope: Scope,
    /// The most answers that carry a value; absent when they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count, required = false))]
    pub usage_limit: Option<u32>,
    /// How many are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count, required = false))]
    pub uses_left: Option<u32>,
    /// The pod that it was issued to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub pod: Option<PodReference>,
}
