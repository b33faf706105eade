//! What an access token reaches now.

use jiff::Timestamp;

use crate::adapters::jwt::VerifiedToken;
use crate::domain::grants::{Grants, Permission};
use crate::domain::identity::Identity;
use crate::domain::names::{Environment, Key};
use crate::domain::policy::{Grant, Request, Target, decide};
use crate::programs::vault::error::ApiError;

/// A token's scope together with the grants of this moment.
pub(super) struct Scope<'a> {
    token: &'a VerifiedToken,
    identity: Identity,
    grants: &'a Grants,
    environment: &'a Environment,
    now: Timestamp,
}

impl<'a> Scope<'a> {
    pub(super) fn new(
        token: &'a VerifiedToken,
        grants: &'a Grants,
        environment: &'a Environment,
        now: Timestamp,
    ) -> Self {
        Self { token, identity: token.identity(), grants, environment, now }
    }

    /// A read needs key ∈ `key_pattern` ∧ key ∈ `granted` ∧ the grant as it is now.
    pub(super) fn key(&self, permission: Permission, key: &Key) -> Result<Grant, ApiError> {
        if !self.token.claims().scope.covers(permission, key) {
            return Err(ApiError::out_of_scope("the token's scope does not cover the key"));
        }
        self.decide(permission, Target::Key(key.clone()))
    }

    pub(super) fn names(&self, permission: Permission) -> Result<Grant, ApiError> {
        self.decide(permission, Target::Names)
    }

    fn decide(&self, permission: Permission, target: Target) -> Result<Grant, ApiError> {
        let scope = &self.token.claims().scope;
        if scope.environment != *self.environment {
            return Err(ApiError::out_of_scope("the token is for another environment"));
        }
        if !scope.permissions.contains(&permission) {
            return Err(ApiError::out_of_scope(format!(
                "the token has no {permission} permission"
            )));
        }
        let request = Request { environment: self.environment.clone(), permission, target };
        decide(self.grants, &self.identity, &request, self.now).map_err(ApiError::out_of_scope)
    }
}
