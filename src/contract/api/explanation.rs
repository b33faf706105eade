//! `POST /api/v1/access/explain`

use serde::{Deserialize, Serialize};

use crate::domain::grants::Permission;
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::{GrantedPattern, KeyPattern};

/// Asks what the grants say of something that a subject might do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// Of whom; the caller when absent. Of others, administrators may ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// In which environment.
    pub environment: Environment,
    /// What would be done; `read` when absent.
    #[serde(default = "read")]
    pub permission: Permission,
    /// The one key that it would be done with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The keys that a token would be asked for, in place of `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_pattern: Option<KeyPattern>,
}

fn read() -> Permission {
    Permission::Read
}

/// The decision at this moment, and each object that had a say in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// Of whom. A service account is taken to show a proof that is bound to a pod, unless it is
    /// the caller, whose own proof counts.
    pub subject: Subject,
    /// Whether it would be allowed.
    pub allowed: bool,
    /// Why, in words.
    pub reason: String,
    /// Whether an administrator has blocked the subject, so that it gets no tokens.
    pub blocked: bool,
    /// How a token would be bounded, where it is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub bounds: Option<ExplainedBounds>,
    /// The keys that would be open, where it is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<GrantedPattern>,
    /// The subject's SecretAccesses, in order.
    pub accesses: Vec<ExplainedAccess>,
}

/// The strictest of all bounds that match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct ExplainedBounds {
    /// The longest life of a token, in minutes.
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count))]
    pub ttl_minutes: u32,
    /// The most uses of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count, required = false))]
    pub usage_limit: Option<u32>,
}

/// One SecretAccess of the subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct ExplainedAccess {
    /// `NAMESPACE/NAME`.
    pub name: String,
    /// Why it has no part in it; absent where it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub obstacle: Option<String>,
    /// The SecretPolicies of the environment, in order; none where the access has no part in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<ExplainedPolicy>,
}

/// One SecretPolicy of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct ExplainedPolicy {
    /// Its name.
    pub name: String,
    /// Why it leaves nothing open; absent where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub obstacle: Option<String>,
    /// Whether it wants a proof that is bound to a pod.
    pub requires_pod: bool,
}
