//! What one SecretAccess gives at this moment: for the subject that asks, and for its status.

use jiff::Timestamp;

use super::service::Service;
use crate::contract::api::access::Access as Shown;
use crate::domain::grants::{Access, Grants, Permission};
use crate::domain::identity::{Identity, Subject};
use crate::domain::names::Key;
use crate::domain::policy::{Bounds, Decision, Denial, Grant, Request, Target, decide};
use crate::domain::ports::SecretStoreError;

/// The grants of one moment, as one identity has them.
pub(super) struct View<'a> {
    pub(super) service: &'a Service,
    pub(super) identity: &'a Identity,
    pub(super) grants: &'a Grants,
    pub(super) now: Timestamp,
}

impl View<'_> {
    /// What one SecretAccess gives, or why it gives nothing.
    pub(super) fn show(&self, access: &Access) -> Result<Shown, Denial> {
        // What it gives is asked of the policy with this one alone; how it is bounded, with all.
        let asked = self.issue(&self.alone(access), access, &access.permissions);
        let given = asked.iter().filter(|(_, decision)| decision.is_ok());
        let permissions: Vec<Permission> = given.map(|(permission, _)| *permission).collect();
        let bounded = self.issue(self.grants, access, &permissions);
        let grants = bounded.iter().filter_map(|(_, decision)| decision.as_ref().ok());
        let Some(bounds) = grants.map(Grant::bounds).reduce(Bounds::stricter) else {
            let mut denials = bounded.into_iter().chain(asked).filter_map(|(_, said)| said.err());
            return Err(denials.next().unwrap_or(Denial::NoAccess));
        };
        let read = permissions.contains(&Permission::Read);
        let revision = read.then(|| self.revision(access, &permissions).ok()).flatten();
        Ok(Shown {
            namespace: access.namespace.to_string(),
            name: access.name.to_string(),
            environment: access.environment.clone(),
            key_pattern: access.key_pattern.clone(),
            permissions,
            ttl_minutes: bounds.ttl_minutes,
            usage_limit: bounds.usage_limit,
            file: access.file.clone(),
            revision,
        })
    }

    /// How many keys of the environment it opens, for this permission.
    pub(super) fn count(
        &self,
        access: &Access,
        permission: Permission,
    ) -> Result<usize, SecretStoreError> {
        let alone = self.alone(access);
        let keys = self.service.secrets.keys(&access.environment)?.into_iter();
        let open = |key| self.decide(&alone, access, permission, Target::Key(key)).is_ok();
        Ok(keys.filter(|key| open(key.clone())).count())
    }

    /// The `ETag` that a read of all values has with a token for these permissions and for its
    /// pattern, which other grants may open too.
    pub(super) fn revision(
        &self,
        access: &Access,
        permissions: &[Permission],
    ) -> Result<String, SecretStoreError> {
        let select = |key: &Key| {
            if !access.key_pattern.matches(key) {
                return None;
            }
            let decide =
                |permission| self.decide(self.grants, access, permission, Target::Key(key.clone()));
            // Without `list` there is no such read, and what may be read is what counts.
            if permissions.contains(&Permission::List) {
                decide(Permission::List).ok()?;
            }
            decide(Permission::Read).ok()
        };
        let values = self.service.secrets.read_all(&access.environment, &select)?;
        Ok(self.service.revisions.of(&access.environment, &values))
    }

    /// The grants without any other SecretAccess.
    fn alone(&self, access: &Access) -> Grants {
        Grants { accesses: vec![access.clone()], policies: self.grants.policies.clone() }
    }

    /// Whether there would be a token for all that it opens, for each permission.
    fn issue(
        &self,
        grants: &Grants,
        access: &Access,
        permissions: &[Permission],
    ) -> Vec<(Permission, Decision)> {
        let target = || Target::Issue(access.key_pattern.clone());
        let decide = |permission| self.decide(grants, access, permission, target());
        permissions.iter().map(|permission| (*permission, decide(*permission))).collect()
    }

    fn decide(
        &self,
        grants: &Grants,
        access: &Access,
        permission: Permission,
        target: Target,
    ) -> Decision {
        let request = Request { environment: access.environment.clone(), permission, target };
        decide(grants, self.identity, &request, self.now)
    }
}

/// Why a SecretAccess gives nothing, for the person who mends it: which policy is missing, say.
pub(super) fn explain(denial: &Denial, access: &Access) -> String {
    let Denial::NoPolicy(_) = denial else { return denial.to_string() };
    let Access { subject, environment, key_pattern, namespace, .. } = access;
    let of = match subject {
        Subject::ServiceAccount { .. } => String::new(),
        Subject::Client(_) | Subject::Oidc { .. } => format!(" in namespace {namespace}"),
    };
    format!(
        "no SecretPolicy covers environment {environment}, keys {key_pattern} for {subject}{of}"
    )
}
