//! What one SecretAccess gives at this moment: for the subject that asks, and for its status.

use jiff::Timestamp;

use super::service::Service;
use crate::contract::api::access::Access as Shown;
use crate::domain::grants::{Access, Grants, Permission, Policy, SubjectSelector};
use crate::domain::identity::{Identity, Subject};
use crate::domain::names::{Environment, Key};
use crate::domain::policy::{Bounds, Decision, Denial, Grant, Request, Target, decide};
use crate::domain::ports::SecretStoreError;

/// One SecretAccess among the grants of one moment, as an identity has it.
pub(super) struct View<'a> {
    service: &'a Service,
    identity: &'a Identity,
    access: &'a Access,
    /// What it gives is asked of the policies with this one alone; how it is bounded, with all.
    alone: Grants,
    all: &'a Grants,
    now: Timestamp,
}

impl<'a> View<'a> {
    pub(super) fn new(
        service: &'a Service,
        identity: &'a Identity,
        access: &'a Access,
        all: &'a Grants,
        now: Timestamp,
    ) -> Self {
        let policies = all.policies.iter().filter(|policy| may_be_around(policy, access)).cloned();
        let alone = Grants { accesses: vec![access.clone()], policies: policies.collect() };
        Self { service, identity, access, alone, all, now }
    }

    /// What it allows and how that is bounded, or why it gives nothing. Decrypts nothing.
    pub(super) fn given(&self) -> Result<(Vec<Permission>, Bounds), Denial> {
        let asked = self.issue(&self.alone, &self.access.permissions);
        let given = asked.iter().filter(|(_, decision)| decision.is_ok());
        let permissions: Vec<Permission> = given.map(|(permission, _)| *permission).collect();
        let bounded = self.issue(self.all, &permissions);
        let grants = bounded.iter().filter_map(|(_, decision)| decision.as_ref().ok());
        let Some(bounds) = grants.map(Grant::bounds).reduce(Bounds::stricter) else {
            let mut denials = bounded.into_iter().chain(asked).filter_map(|(_, said)| said.err());
            return Err(denials.next().unwrap_or(Denial::NoAccess));
        };
        Ok((permissions, bounds))
    }

    /// All that it gives, or why it gives nothing.
    pub(super) fn show(&self) -> Result<Shown, Denial> {
        let (permissions, bounds) = self.given()?;
        let read = permissions.contains(&Permission::Read);
        let revision = read.then(|| self.revision(&permissions).ok()).flatten();
        Ok(Shown {
            namespace: self.access.namespace.to_string(),
            name: self.access.name.to_string(),
            environment: self.access.environment.clone(),
            key_pattern: self.access.key_pattern.clone(),
            permissions,
            ttl_minutes: bounds.ttl_minutes,
            usage_limit: bounds.usage_limit,
            file: self.access.file.clone(),
            revision,
        })
    }

    /// How many keys of the environment it opens, for this permission.
    pub(super) fn count(&self, permission: Permission) -> Result<usize, SecretStoreError> {
        let keys = self.service.secrets.keys(&self.access.environment)?.into_iter();
        let open = keys
            .filter(|key| self.decide(&self.alone, permission, Target::Key(key.clone())).is_ok());
        Ok(open.count())
    }

    /// The `ETag` that a read of all values has with a token for these permissions and for its
    /// pattern, which other grants may open too.
    pub(super) fn revision(&self, permissions: &[Permission]) -> Result<String, SecretStoreError> {
        let select = |key: &Key| {
            if !self.access.key_pattern.matches(key) {
                return None;
            }
            let decide = |permission| self.decide(self.all, permission, Target::Key(key.clone()));
            // Without `list` there is no such read, and what may be read is what counts.
            if permissions.contains(&Permission::List) {
                decide(Permission::List).ok()?;
            }
            decide(Permission::Read).ok()
        };
        let environment = &self.access.environment;
        let values = self.service.secrets.read_all(environment, &select)?;
        Ok(self.service.revisions.of(environment, &values))
    }

    /// Whether there would be a token for all that it opens, for each permission.
    fn issue(&self, grants: &Grants, permissions: &[Permission]) -> Vec<(Permission, Decision)> {
        let target = || Target::Issue(self.access.key_pattern.clone());
        let decide = |permission| self.decide(grants, permission, target());
        permissions.iter().map(|permission| (*permission, decide(*permission))).collect()
    }

    fn decide(&self, grants: &Grants, permission: Permission, target: Target) -> Decision {
        let environment = self.access.environment.clone();
        let request = Request { environment, permission, target };
        decide(grants, self.identity, &request, self.now)
    }
}

/// Whether a policy has a say about an access at all: each names environments and namespaces
/// exactly.
fn may_be_around(policy: &Policy, access: &Access) -> bool {
    let namespace = |selector: &SubjectSelector| match selector {
        SubjectSelector::AllServiceAccounts { namespace }
        | SubjectSelector::ServiceAccount { namespace, .. }
        | SubjectSelector::Client { namespace, .. }
        | SubjectSelector::Oidc { namespace, .. } => *namespace == access.namespace,
    };
    policy.environment == access.environment && policy.subjects.iter().any(namespace)
}

/// The grants that have a say about one subject in one environment.
pub(super) fn grants_of(subject: &Subject, environment: &Environment, all: &Grants) -> Grants {
    let accesses = all.accesses.iter();
    let accesses: Vec<Access> = accesses
        .filter(|access| access.subject == *subject && access.environment == *environment)
        .cloned()
        .collect();
    let around = |policy: &&Policy| accesses.iter().any(|access| may_be_around(policy, access));
    let policies = all.policies.iter().filter(around).cloned().collect();
    Grants { accesses, policies }
}
