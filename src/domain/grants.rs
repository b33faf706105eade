//! The objects that grants are made of, as one immutable picture of this moment.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::identity::Subject;
use super::names::{Environment, Key, Label, ObjectName};
use super::pattern::KeyPattern;
use super::relative_path::RelativePath;

/// What may be done with keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Read values.
    Read,
    /// List names.
    List,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::List => "list",
        })
    }
}

/// A SecretAccess, checked: this subject may use these keys of this environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The object's namespace.
    pub namespace: Label,
    /// The object's name.
    pub name: ObjectName,
    /// Whom it is for. A service account is always one of the object's own namespace.
    pub subject: Subject,
    /// The environment that it opens.
    pub environment: Environment,
    /// The keys that it opens.
    pub key_pattern: KeyPattern,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// The longest life of an access token, in minutes.
    pub ttl_minutes: Option<u32>,
    /// The most uses of an access token.
    pub usage_limit: Option<u32>,
    /// How an injected pod gets the values.
    pub file: Option<FileForm>,
}

/// How the values of a grant are laid down as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileForm {
    /// The path below the secrets folder.
    pub path: RelativePath,
    /// The text form.
    #[serde(default)]
    pub format: FileFormat,
    /// Other names for some keys: key to name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<Key, Key>,
}

/// The text form of a file of secrets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// `NAME='value'` lines that python-dotenv, dotenv for Node and a POSIX shell read alike.
    #[default]
    Dotenv,
    /// One JSON object.
    Json,
    /// One YAML mapping.
    Yaml,
    /// One file a key.
    Files,
}

/// A SecretPolicy, checked: the administrator's bounds that no [`Access`] can pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The object's name.
    pub name: ObjectName,
    /// Whom it bounds.
    pub subjects: Vec<SubjectSelector>,
    /// The environment that it opens.
    pub environment: Environment,
    /// The keys that it opens.
    pub key_patterns: Vec<KeyPattern>,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// The longest life of an access token, in minutes.
    pub max_ttl_minutes: Option<u32>,
    /// The most uses of an access token.
    pub max_usage_limit: Option<u32>,
    /// Whether the caller's proof must be bound to a pod.
    pub require_pod_bound_token: bool,
}

/// Which subjects a policy is about. Namespaces, clients and OIDC subjects are named exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectSelector {
    /// All service accounts of one namespace.
    AllServiceAccounts {
        /// The namespace, exactly.
        namespace: Label,
    },
    /// One service account.
    ServiceAccount {
        /// The namespace, exactly.
        namespace: Label,
        /// The name, exactly.
        name: ObjectName,
    },
    /// One client, for SecretAccesses of one namespace.
    Client {
        /// The SecretAccess's namespace, exactly.
        namespace: Label,
        /// The client's name, exactly.
        name: Label,
    },
    /// One OIDC subject, for SecretAccesses of one namespace.
    Oidc {
        /// The SecretAccess's namespace, exactly.
        namespace: Label,
        /// The issuer, exactly.
        issuer: String,
        /// The subject, exactly.
        subject: String,
    },
}

/// All SecretAccesses and SecretPolicies as they stand at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// The SecretAccesses, in no particular order.
    pub accesses: Vec<Access>,
    /// The SecretPolicies, in no particular order.
    pub policies: Vec<Policy>,
}

impl Grants {
    /// Whether these and the others decide alike whatever a subject asks for in an environment, as
    /// can be told without asking: where what could have a say is the same and in the same order.
    pub fn are_alike_for(
        &self,
        others: &Self,
        subject: &Subject,
        environment: &Environment,
    ) -> bool {
        let matters =
            |access: &&Access| access.subject == *subject && access.environment == *environment;
        let bounds = |policy: &&Policy| policy.environment == *environment;
        let accesses = (self.accesses.iter(), others.accesses.iter());
        let policies = (self.policies.iter(), others.policies.iter());
        accesses.0.filter(matters).eq(accesses.1.filter(matters))
            && policies.0.filter(bounds).eq(policies.1.filter(bounds))
    }
}
