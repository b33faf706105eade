//! `GET /api/v1/access`

use serde::{Deserialize, Serialize};

use crate::domain::grants::{FileForm, Permission};
use crate::domain::identity::Subject;
use crate::domain::names::Environment;
use crate::domain::pattern::KeyPattern;

/// What the caller may have now.
#[derive(Debug, Serialize, Deserialize)]
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
    pub ttl_minutes: u32,
    /// The most uses of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<u32>,
    /// How an injected pod gets the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileForm>,
    /// Changes when a name or value in scope does; absent without `read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// A SecretAccess that was asked for and gives nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Missing {
    /// The name that was asked for.
    pub name: String,
    /// Why it gives nothing, for the person who must mend it.
    pub reason: String,
}
