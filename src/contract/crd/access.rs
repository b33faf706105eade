//! SecretAccess: this subject may use these keys of this environment.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{self, rule};
use super::status::SecretAccessStatus;
use super::{InvalidObject, at_most, distinct, name, object_name, oidc, permissions, positive};
use crate::domain::grants::{Access, FileForm, FileFormat, Permission};
use crate::domain::identity::Subject;
use crate::domain::names::{Key, Label};

/// What a SecretAccess says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "vanta.dev",
    version = "v1alpha1",
    kind = "SecretAccess",
    plural = "secretaccesses",
    shortname = "sacc",
    category = "vanta",
    namespaced,
    status = "SecretAccessStatus",
    derive = "PartialEq",
    doc = "This subject may use these keys of this environment, within the bounds of a SecretPolicy.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether it gives what it says"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why"
    ),
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Pattern", type_ = "string", json_path = ".spec.keyPattern"),
    printcolumn(name = "Subject", type_ = "string", json_path = ".spec.subject"),
    printcolumn(
        name = "Keys",
        type_ = "integer",
        json_path = ".status.matchedKeys",
        description = "How many keys it opens now"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rule(
    "!has(self.file) || ('read' in self.permissions && 'list' in self.permissions)",
    "a file needs both permissions, read and list"
).field_path(".file"))]
pub struct SecretAccessSpec {
    /// Whom it is for: exactly one of serviceAccount, client and oidc.
    pub subject: SubjectReference,
    /// The environment: the name of one SOPS file without its endings.
    #[schemars(with = "schema::EnvironmentText")]
    pub environment: String,
    /// The keys: a glob with * (which crosses dots), ?, [a-z] and {A,B}.
    #[schemars(with = "schema::KeyPatternText")]
    pub key_pattern: String,
    /// What is allowed: read (values), list (names); both when absent.
    #[serde(default = "super::read_and_list")]
    #[schemars(with = "Vec<super::PermissionText>")]
    #[schemars(length(min = 1, max = schema::MAX_PERMISSIONS))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub permissions: Vec<Permission>,
    /// The longest life of an access token, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    pub ttl_minutes: Option<i32>,
    /// The most uses of an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    pub usage_limit: Option<i32>,
    /// How an injected pod gets the values; it needs both permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FileSpec")]
    pub file: Option<FileSpec>,
}

/// How the values are laid down as a file, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileSpec {
    /// The path below the secrets folder.
    #[schemars(with = "schema::PathText")]
    pub path: String,
    /// The text form: dotenv, json, yaml, or files for one file a key.
    #[serde(default)]
    #[schemars(with = "super::FormatText")]
    pub format: FileFormat,
    /// Other names for some keys: key to name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, schema::KeyText>")]
    #[schemars(extend("maxProperties" = schema::MAX_RENAMED))]
    #[x_kube(validation = rule(
        "self.all(key, key.size() <= 253 && key.matches('^[A-Za-z0-9_-][A-Za-z0-9_.-]*$'))",
        "a key holds only A-Z, a-z, 0-9, '_', '.' and '-', and does not begin with a dot"
    ))]
    #[x_kube(validation = rule(
        "self.all(key, self.exists_one(other, self[other] == self[key]))",
        "two keys have the same new name"
    ))]
    pub rename: BTreeMap<String, String>,
}

/// Exactly one of its fields is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rule(
    "[has(self.serviceAccount), has(self.client), has(self.oidc)].filter(given, given).size() == 1",
    super::ONE_SUBJECT
))]
pub struct SubjectReference {
    /// A service account of the object's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::ObjectNameText")]
    pub service_account: Option<String>,
    /// A client, which has credentials of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "schema::LabelText")]
    pub client: Option<String>,
    /// A subject of an OpenID Connect issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OidcSubject")]
    pub oidc: Option<OidcSubject>,
}

/// One OIDC subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcSubject {
    /// The issuer's https URL, exactly.
    #[schemars(with = "schema::IssuerText")]
    pub issuer: String,
    /// The sub claim, exactly.
    #[schemars(with = "schema::OidcSubjectText")]
    pub subject: String,
}

impl SecretAccess {
    /// The object, checked.
    pub fn check(&self) -> Result<Access, InvalidObject> {
        let namespace = self.metadata.namespace.as_deref().unwrap_or("default");
        let namespace: Label = name("metadata.namespace", namespace)?;
        let spec = &self.spec;
        let permissions = permissions(&spec.permissions)?;
        let both = [Permission::Read, Permission::List];
        if spec.file.is_some() && both.iter().any(|one| !permissions.contains(one)) {
            let reason = "a file needs both permissions, read and list";
            return Err(InvalidObject::Field { field: "spec.file", reason });
        }
        Ok(Access {
            name: object_name(&self.metadata)?,
            subject: spec.subject.check(&namespace)?,
            namespace,
            environment: name("spec.environment", &spec.environment)?,
            key_pattern: name("spec.keyPattern", &spec.key_pattern)?,
            permissions,
            ttl_minutes: positive("spec.ttlMinutes", spec.ttl_minutes)?,
            usage_limit: positive("spec.usageLimit", spec.usage_limit)?,
            file: spec.file.as_ref().map(FileSpec::check).transpose()?,
        })
    }
}

impl FileSpec {
    fn check(&self) -> Result<FileForm, InvalidObject> {
        at_most("spec.file.rename", self.rename.len(), schema::MAX_RENAMED)?;
        let renamed = self
            .rename
            .iter()
            .map(|(key, new)| Ok((name("spec.file.rename", key)?, name("spec.file.rename", new)?)));
        let rename: BTreeMap<Key, Key> = renamed.collect::<Result<_, InvalidObject>>()?;
        distinct("spec.file.rename", &rename.values().collect::<Vec<_>>())?;
        Ok(FileForm { path: name("spec.file.path", &self.path)?, format: self.format, rename })
    }
}

impl SubjectReference {
    fn check(&self, namespace: &Label) -> Result<Subject, InvalidObject> {
        match (&self.service_account, &self.client, &self.oidc) {
            (Some(account), None, None) => Ok(Subject::ServiceAccount {
                namespace: namespace.clone(),
                name: name("spec.subject.serviceAccount", account)?,
            }),
            (None, Some(client), None) => Ok(Subject::Client(name("spec.subject.client", client)?)),
            (None, None, Some(subject)) => oidc("spec.subject.oidc", subject),
            _ => Err(InvalidObject::Field { field: "spec.subject", reason: super::ONE_SUBJECT }),
        }
    }
}
