//! SecretPolicy: the administrator's bounds that no SecretAccess can pass.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::access::OidcSubject;
use super::schema::{self, rule};
use super::{InvalidObject, at_most, distinct, name, object_name, oidc, permissions, positive};
use crate::domain::grants::{Permission, Policy, SubjectSelector};
use crate::domain::names::Label;

/// What a SecretPolicy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "vanta.dev",
    version = "v1alpha1",
    kind = "SecretPolicy",
    plural = "secretpolicies",
    shortname = "spol",
    category = "vanta",
    derive = "PartialEq",
    doc = "The administrator's bounds: what SecretAccesses of the named namespaces and subjects may give, and no more.",
    printcolumn(name = "Environment", type_ = "string", json_path = ".spec.environment"),
    printcolumn(name = "Patterns", type_ = "string", json_path = ".spec.keyPatterns"),
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.subjects[*].namespace"),
    printcolumn(
        name = "Pod-bound",
        type_ = "boolean",
        json_path = ".spec.requirePodBoundToken",
        description = "Whether the caller's proof must be bound to a pod"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretPolicySpec {
    /// Whom it bounds: subjects of SecretAccesses, by the SecretAccesses' namespaces.
    #[schemars(length(min = 1, max = schema::MAX_GROUPS))]
    pub subjects: Vec<PolicySubjects>,
    /// The environment: the name of one SOPS file without its endings.
    #[schemars(with = "schema::EnvironmentText")]
    pub environment: String,
    /// The keys: globs with * (which crosses dots), ?, [a-z] and {A,B}.
    #[schemars(with = "Vec<schema::KeyPatternText>")]
    #[schemars(length(min = 1, max = schema::MAX_PATTERNS))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub key_patterns: Vec<String>,
    /// What is allowed: read (values), list (names); both when absent.
    #[serde(default = "super::read_and_list")]
    #[schemars(with = "Vec<super::PermissionText>")]
    #[schemars(length(min = 1, max = schema::MAX_PERMISSIONS))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub permissions: Vec<Permission>,
    /// The longest life of an access token, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    pub max_ttl_minutes: Option<i32>,
    /// The most uses of an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    pub max_usage_limit: Option<i32>,
    /// Whether the caller's proof must be bound to a pod.
    #[serde(default)]
    pub require_pod_bound_token: bool,
}

/// Subjects of SecretAccesses of one namespace, which is named exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rule(
    "(has(self.serviceAccounts) && self.serviceAccounts.size() > 0) || (has(self.clients) && self.clients.size() > 0) || (has(self.oidc) && self.oidc.size() > 0)",
    super::SOME_SUBJECT
))]
pub struct PolicySubjects {
    /// The SecretAccess's namespace, exactly.
    #[schemars(with = "schema::LabelText")]
    pub namespace: String,
    /// Its service accounts by name, or * alone for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::AccountText>", length(max = schema::MAX_NAMES))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub service_accounts: Vec<String>,
    /// Clients, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<schema::LabelText>", length(max = schema::MAX_NAMES))]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub clients: Vec<String>,
    /// OIDC subjects, by issuer and subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_NAMES))]
    pub oidc: Vec<OidcSubject>,
}

impl SecretPolicy {
    /// The object, checked.
    pub fn check(&self) -> Result<Policy, InvalidObject> {
        let spec = &self.spec;
        let empty = [
            ("spec.subjects", spec.subjects.is_empty()),
            ("spec.keyPatterns", spec.key_patterns.is_empty()),
        ];
        if let Some((field, _)) = empty.into_iter().find(|(_, empty)| *empty) {
            let reason = "name at least one: an empty list allows nothing";
            return Err(InvalidObject::Field { field, reason });
        }
        at_most("spec.subjects", spec.subjects.len(), schema::MAX_GROUPS)?;
        at_most("spec.keyPatterns", spec.key_patterns.len(), schema::MAX_PATTERNS)?;
        distinct("spec.keyPatterns", &spec.key_patterns)?;
        let mut subjects = Vec::new();
        for group in &spec.subjects {
            subjects.extend(group.check()?);
        }
        let patterns = spec.key_patterns.iter();
        Ok(Policy {
            name: object_name(&self.metadata)?,
            subjects,
            environment: name("spec.environment", &spec.environment)?,
            key_patterns: patterns
                .map(|pattern| name("spec.keyPatterns", pattern))
                .collect::<Result<_, _>>()?,
            permissions: permissions(&spec.permissions)?,
            max_ttl_minutes: positive("spec.maxTtlMinutes", spec.max_ttl_minutes)?,
            max_usage_limit: positive("spec.maxUsageLimit", spec.max_usage_limit)?,
            require_pod_bound_token: spec.require_pod_bound_token,
        })
    }
}

impl PolicySubjects {
    fn check(&self) -> Result<Vec<SubjectSelector>, InvalidObject> {
        let namespace: Label = name("spec.subjects.namespace", &self.namespace)?;
        let lists = [
            ("spec.subjects.serviceAccounts", self.service_accounts.len()),
            ("spec.subjects.clients", self.clients.len()),
            ("spec.subjects.oidc", self.oidc.len()),
        ];
        for (field, count) in lists {
            at_most(field, count, schema::MAX_NAMES)?;
        }
        if lists.iter().all(|(_, count)| *count == 0) {
            let reason = super::SOME_SUBJECT;
            return Err(InvalidObject::Field { field: "spec.subjects", reason });
        }
        distinct("spec.subjects.serviceAccounts", &self.service_accounts)?;
        distinct("spec.subjects.clients", &self.clients)?;
        let accounts = self.service_accounts.iter().map(|account| {
            Ok(if account == "*" {
                SubjectSelector::AllServiceAccounts { namespace: namespace.clone() }
            } else {
                SubjectSelector::ServiceAccount {
                    namespace: namespace.clone(),
                    name: name("spec.subjects.serviceAccounts", account)?,
                }
            })
        });
        let clients = self.clients.iter().map(|client| {
            Ok(SubjectSelector::Client {
                namespace: namespace.clone(),
                name: name("spec.subjects.clients", client)?,
            })
        });
        let subjects = self.oidc.iter().map(|one| {
            // No caller's subject would ever equal one that is not well formed.
            oidc("spec.subjects.oidc", one)?;
            Ok(SubjectSelector::Oidc {
                namespace: namespace.clone(),
                issuer: one.issuer.clone(),
                subject: one.subject.clone(),
            })
        });
        accounts.chain(clients).chain(subjects).collect()
    }
}
