//! `GET /api/v1/access`

use serde::{Deserialize, Serialize};

use crate::domain::grants::{FileForm, Permission};
use crate::domain::identity::Subject;
use crate::domain::names::Environment;
use crate::domain::pattern::KeyPattern;

/// What the caller may have now.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct AccessList {
    /// The caller.
    pub subject: Subject,
    /// Its grants, by name.
    pub access: Vec<Access>,
    /// What was asked for by name and is not there.
    pub missing: Vec<Missing>,
}

/// One SecretAccess that a SecretPolicy is around.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Access {
    /// The SecretAccess's namespace.
    pub namespace: String,
    /// The SecretAccess's name.
    pub name: String,
    /// Its environment.
    pub environment: Environment,
    /// Its keys.
    pub key_pattern: KeyPattern,
    /// What is allowed, each permission by some policy.
    pub permissions: Vec<Permission>,
    /// The longest life of a token, in minutes.
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count))]
    pub ttl_minutes: u32,
    /// The most uses of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(value_type = super::schema::number::Count, required = false))]
    pub usage_limit: Option<u32>,
    /// How an injected pod gets the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub file: Option<FileForm>,
    /// Changes when a name or value in scope does; absent without `read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub revision: Option<String>,
}

/// A SecretAccess that was asked for and gives nothing.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Missing {
    /// The name that was asked for.
    pub name: String,
    /// Why it gives nothing, for a program.
    #[serde(default)]
    #[cfg_attr(feature = "vault", schema(required = true))]
    pub kind: MissingKind,
    /// Why it gives nothing, for the person who must mend it.
    pub reason: String,
}

/// What a SecretAccess that gives nothing lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MissingKind {
    /// There is none of the name for the caller. The reason names it.
    Absent,
    /// No SecretPolicy is around it.
    NoPolicy,
    /// A SecretPolicy wants a proof that is bound to a pod.
    NotPodBound,
    /// It does not have a permission that is needed.
    LacksPermission,
    /// The proof of identity ended meanwhile.
    IdentityExpired,
    /// Something that this version has no word for.
    #[default]
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(json: &str) -> MissingKind {
        let missing: Missing = serde_json::from_str(json).unwrap();
        missing.kind
    }

    #[test]
    fn a_kind_is_a_word_and_one_of_another_version_is_taken_too() {
        let known = r#"{"name": "a", "kind": "no-policy", "reason": ""}"#;
        assert_eq!(kind(known), MissingKind::NoPolicy);
        for other in
            [r#"{"name": "a", "reason": ""}"#, r#"{"name": "a", "kind": "x", "reason": ""}"#]
        {
            assert_eq!(kind(other), MissingKind::Unknown);
        }
    }
}
