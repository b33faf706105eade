//! What every handler works with, as one value.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::attempt::Sampler;
use super::error::ApiError;
use super::revision::RevisionKey;
use crate::adapters::audit::AuditLog;
use crate::adapters::jwt::{KeyRing, Validator};
use crate::adapters::serve::Metrics;
use crate::contract::api::problem::ProblemKind;
use crate::domain::grants::Grants;
use crate::domain::ports::{Authenticator, SecretStore, TokenStore};
use crate::domain::record::Record;

/// How many requests are handled at once; more are refused, so that memory has a bound.
pub(super) const MAX_REQUESTS: usize = 1024;

/// The grants of this moment; none before they were read for the first time.
pub type GrantsReceiver = watch::Receiver<Option<Arc<Grants>>>;

/// What a [`Service`] is made of.
pub struct ServiceParts {
    /// Where the secrets are.
    pub secrets: Arc<dyn SecretStore>,
    /// Uses left and revocations.
    pub tokens: Arc<dyn TokenStore>,
    /// Who checks identities.
    pub authenticator: Arc<dyn Authenticator>,
    /// The grants.
    pub grants: GrantsReceiver,
    /// The signing keys.
    pub ring: Arc<KeyRing>,
    /// When the state began, in epoch seconds: older tokens are refused.
    pub state_since: i64,
    /// The key of the HMAC that makes revisions.
    pub revision_key: [u8; 32],
    /// The audit.
    pub audit: AuditLog,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The vault, without its listeners.
pub struct Service {
    pub(super) secrets: Arc<dyn SecretStore>,
    pub(super) tokens: Arc<dyn TokenStore>,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) ring: Arc<KeyRing>,
    pub(super) validator: Validator,
    pub(super) revisions: RevisionKey,
    pub(super) metrics: Arc<Metrics>,
    pub(super) anonymous_failures: Sampler,
    pub(super) requests: Semaphore,
    grants: GrantsReceiver,
    audit: AuditLog,
}

impl Service {
    /// Puts the parts together.
    pub fn new(parts: ServiceParts) -> Arc<Self> {
        Arc::new(Self {
            validator: Validator::new(Arc::clone(&parts.ring), parts.state_since),
            revisions: RevisionKey::new(parts.revision_key),
            secrets: parts.secrets,
            tokens: parts.tokens,
            authenticator: parts.authenticator,
            ring: parts.ring,
            metrics: parts.metrics,
            grants: parts.grants,
            audit: parts.audit,
            anonymous_failures: Sampler::default(),
            requests: Semaphore::new(MAX_REQUESTS),
        })
    }

    /// The grants as they stand now: 503 before they were first read, never 403.
    pub(super) fn grants(&self) -> Result<Arc<Grants>, ApiError> {
        self.grants.borrow().clone().ok_or_else(|| {
            ApiError::new(
                ProblemKind::GrantsNotReady,
                "the vault has not read its SecretAccesses and SecretPolicies yet; try again in a moment",
            )
        })
    }

    /// Writes a record. Where that fails, nothing may be answered but this error.
    pub(super) async fn record(&self, record: Record) -> Result<(), ApiError> {
        self.audit.append(record).await.map_err(|error| {
            self.metrics.audit_failure();
            ApiError::new(
                ProblemKind::AuditUnavailable,
                "the access could not be recorded, so nothing is given; try again later",
            )
            .with_cause(error)
        })
    }

    /// The moment that a request is decided at.
    #[expect(clippy::unused_self, reason = "one place to give the service another clock")]
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
