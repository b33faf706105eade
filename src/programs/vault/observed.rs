//! The stores as they are seen from outside: each call is a span of its request, and what the state
//! takes is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tracing::Instrument as _;

use crate::adapters::serve::{Metrics, step};
use crate::domain::claims::{Claims, TokenId};
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key};
use crate::domain::policy::Grant;
use crate::domain::ports::{
    Answer, SecretStore, SecretStoreError, StaleRevocations, TokenStore, TokenStoreError, UseTaken,
};
use crate::domain::revocation::{IssuedToken, Revocation, SubjectStanding};
use crate::domain::secret::SecretValue;

/// Secrets whose reading is a span.
pub(super) struct ObservedSecrets(pub(super) Arc<dyn SecretStore>);

/// A state whose answers are spans, and counted.
pub(super) struct ObservedTokens {
    tokens: Arc<dyn TokenStore>,
    metrics: Arc<Metrics>,
}

impl ObservedTokens {
    pub(super) fn new(tokens: Arc<dyn TokenStore>, metrics: Arc<Metrics>) -> Self {
        Self { tokens, metrics }
    }

    /// `name` is that of the span: the operation, after `state.`.
    fn observed<'a, T: Send + 'a>(
        &'a self,
        name: &'static str,
        answer: Answer<'a, Result<T, TokenStoreError>>,
    ) -> Answer<'a, Result<T, TokenStoreError>> {
        Box::pin(async move {
            let began = Instant::now();
            let answer = answer.instrument(step(name)).await;
            let operation = name.trim_start_matches("state.");
            self.metrics.state.asked(operation, began.elapsed(), answer.is_ok());
            answer
        })
    }
}

impl TokenStore for ObservedTokens {
    fn issue<'a>(&'a self, claims: &'a Claims) -> Answer<'a, Result<(), TokenStoreError>> {
        let answer = self.tokens.issue(claims);
        // A token that is not counted never touches the state.
        if claims.usage_limit.is_none() { answer } else { self.observed("state.issue", answer) }
    }

    fn take_use<'a>(&'a self, id: &'a TokenId) -> Answer<'a, Result<UseTaken, TokenStoreError>> {
        self.observed("state.take_use", self.tokens.take_use(id))
    }

    fn uses_left<'a>(
        &'a self,
        id: &'a TokenId,
    ) -> Answer<'a, Result<Option<u32>, TokenStoreError>> {
        self.observed("state.uses_left", self.tokens.uses_left(id))
    }

    fn revoke(&self, revocation: Revocation) -> Answer<'_, Result<(), TokenStoreError>> {
        self.observed("state.revoke", self.tokens.revoke(revocation))
    }

    fn is_revoked(&self, token: IssuedToken<'_>) -> Result<bool, StaleRevocations> {
        self.tokens.is_revoked(token)
    }

    fn standing(&self, subject: &Subject) -> Result<SubjectStanding, StaleRevocations> {
        self.tokens.standing(subject)
    }
}

impl SecretStore for ObservedSecrets {
    fn read(&self, grant: &Grant) -> Result<SecretValue, SecretStoreError> {
        step("secrets.read").in_scope(|| self.0.read(grant))
    }

    fn keys(&self, environment: &Environment) -> Result<Vec<Key>, SecretStoreError> {
        self.0.keys(environment)
    }

    fn read_all(
        &self,
        environment: &Environment,
        select: &dyn Fn(&Key) -> Option<Grant>,
    ) -> Result<BTreeMap<Key, SecretValue>, SecretStoreError> {
        step("secrets.read_all").in_scope(|| self.0.read_all(environment, select))
    }
}
