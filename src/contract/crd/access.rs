//! SecretAccess: this subject may use these keys of this environment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{InvalidObject, Metadata, name, oidc, positive};
use crate::domain::grants::{Access, FileForm, FileFormat, Permission};
use crate::domain::identity::Subject;
use crate::domain::names::Label;

/// The object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretAccess {
    /// Its name and namespace.
    pub metadata: Metadata,
    /// What it says.
    pub spec: SecretAccessSpec,
}

/// What a SecretAccess says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretAccessSpec {
    /// Whom it is for.
    pub subject: SubjectReference,
    /// The environment.
    pub environment: String,
    /// The keys.
    pub key_pattern: String,
    /// What is allowed; `read` and `list` when absent.
    #[serde(default = "super::read_and_list")]
    pub permissions: Vec<Permission>,
    /// The longest life of an access token, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_minutes: Option<i32>,
    /// The most uses of an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_limit: Option<i32>,
    /// How an injected pod gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSpec>,
}

/// How the values are laid down as a file, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileSpec {
    /// The path below the secrets folder.
    pub path: String,
    /// The text form.
    #[serde(default)]
    pub format: FileFormat,
    /// Other names for some keys: key to name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
}

/// Exactly one of its fields is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubjectReference {
    /// A service account of the object's own namespace.
    ServiceAccount(String),
    /// A client.
    Client(String),
    /// A subject of an OpenID Connect issuer.
    Oidc {
        /// The issuer's `https` URL.
        issuer: String,
        /// The `sub` claim.
        subject: String,
    },
}

impl SecretAccess {
    /// The object, checked.
    pub fn check(&self) -> Result<Access, InvalidObject> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or("default");
        let namespace: Label = name("metadata.namespace", namespace)?;
        let spec = &self.spec;
        if spec.permissions.is_empty() {
            return Err(InvalidObject::Field {
                field: "spec.permissions",
                reason: "name at least one of read and list, or leave it out for both",
            });
        }
        Ok(Access {
            name: name("metadata.name", &self.metadata.name)?,
            subject: spec.subject.check(&namespace)?,
            namespace,
            environment: name("spec.environment", &spec.environment)?,
            key_pattern: name("spec.keyPattern", &spec.key_pattern)?,
            permissions: spec.permissions.clone(),
            ttl_minutes: positive("spec.ttlMinutes", spec.ttl_minutes)?,
            usage_limit: positive("spec.usageLimit", spec.usage_limit)?,
            file: spec.file.as_ref().map(FileSpec::check).transpose()?,
        })
    }
}

impl FileSpec {
    fn check(&self) -> Result<FileForm, InvalidObject> {
        let renamed = self
            .rename
            .iter()
            .map(|(key, new)| Ok((name("spec.file.rename", key)?, name("spec.file.rename", new)?)));
        Ok(FileForm {
            path: name("spec.file.path", &self.path)?,
            format: self.format,
            rename: renamed.collect::<Result<_, InvalidObject>>()?,
        })
    }
}

impl SubjectReference {
    fn check(&self, namespace: &Label) -> Result<Subject, InvalidObject> {
        match self {
            Self::ServiceAccount(account) => Ok(Subject::ServiceAccount {
                namespace: namespace.clone(),
                name: name("spec.subject.serviceAccount", account)?,
            }),
            Self::Client(client) => Ok(Subject::Client(name("spec.subject.client", client)?)),
            Self::Oidc { issuer, subject } => oidc("spec.subject.oidc", issuer, subject),
        }
    }
}
