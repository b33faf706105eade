//! SecretPolicy: the administrator's bounds that no SecretAccess can pass.

use serde::{Deserialize, Serialize};

use super::{InvalidObject, Metadata, name, oidc, positive};
use crate::domain::grants::{Permission, Policy, SubjectSelector};
use crate::domain::names::Label;

/// The object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretPolicy {
    /// Its name.
    pub metadata: Metadata,
    /// What it says.
    pub spec: SecretPolicySpec,
}

/// What a SecretPolicy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretPolicySpec {
    /// Whom it bounds.
    pub subjects: Vec<PolicySubjects>,
    /// The environment.
    pub environment: String,
    /// The keys.
    pub key_patterns: Vec<String>,
    /// What is allowed; `read` and `list` when absent.
    #[serde(default = "super::read_and_list")]
    pub permissions: Vec<Permission>,
    /// The longest life of an access token, in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_minutes: Option<i32>,
    /// The most uses of an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_usage_limit: Option<i32>,
    /// Whether the caller's proof must be bound to a pod.
    #[serde(default)]
    pub require_pod_bound_token: bool,
}

/// Subjects of SecretAccesses of one namespace, which is named exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySubjects {
    /// The SecretAccess's namespace, exactly.
    pub namespace: String,
    /// Its service accounts by name, or `*` for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Clients, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<String>,
    /// OIDC subjects, by issuer and subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oidc: Vec<OidcSubject>,
}

/// One OIDC subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcSubject {
    /// The issuer's `https` URL, exactly.
    pub issuer: String,
    /// The `sub` claim, exactly.
    pub subject: String,
}

impl SecretPolicy {
    /// The object, checked.
    pub fn check(&self) -> Result<Policy, InvalidObject> {
        let spec = &self.spec;
        let mut subjects = Vec::new();
        for group in &spec.subjects {
            subjects.extend(group.check()?);
        }
        let patterns = spec.key_patterns.iter();
        let empty = [
            ("spec.subjects", subjects.is_empty()),
            ("spec.keyPatterns", spec.key_patterns.is_empty()),
            ("spec.permissions", spec.permissions.is_empty()),
        ];
        if let Some((field, _)) = empty.into_iter().find(|(_, empty)| *empty) {
            let reason = "name at least one: an empty list allows nothing";
            return Err(InvalidObject::Field { field, reason });
        }
        Ok(Policy {
            name: name("metadata.name", &self.metadata.name)?,
            subjects,
            environment: name("spec.environment", &spec.environment)?,
            key_patterns: patterns
                .map(|pattern| name("spec.keyPatterns", pattern))
                .collect::<Result<_, _>>()?,
            permissions: spec.permissions.clone(),
            max_ttl_minutes: positive("spec.maxTtlMinutes", spec.max_ttl_minutes)?,
            max_usage_limit: positive("spec.maxUsageLimit", spec.max_usage_limit)?,
            require_pod_bound_token: spec.require_pod_bound_token,
        })
    }
}

impl PolicySubjects {
    fn check(&self) -> Result<Vec<SubjectSelector>, InvalidObject> {
        let namespace: Label = name("spec.subjects.namespace", &self.namespace)?;
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
        let subjects = self.oidc.iter().map(|OidcSubject { issuer, subject }| {
            // No caller's subject would ever equal one that is not well formed.
            oidc("spec.subjects.oidc", issuer, subject)?;
            Ok(SubjectSelector::Oidc {
                namespace: namespace.clone(),
                issuer: issuer.clone(),
                subject: subject.clone(),
            })
        });
        accounts.chain(clients).chain(subjects).collect()
    }
}
