//! What every handler works with, as one value.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::Instrument as _;
use zeroize::Zeroizing;

use super::auditing::SignedHeads;
use super::complaints::Complaints;
use super::error::ApiError;
use super::freshness::Freshness;
use super::issue_rate::IssueRate;
use super::observed::{ObservedSecrets, ObservedTokens};
use super::revision::RevisionKey;
use super::sampling::{Repeats, Sampler};
use super::waiting::Waits;
use crate::adapters::audit::AuditLog;
use crate::adapters::jwt::{CurrentRing, Validator};
use crate::adapters::serve::{Metrics, step};
use crate::adapters::sops::Versions;
use crate::adapters::state::StateStore;
use crate::contract::api::problem::ProblemKind;
use crate::domain::grants::Grants;
use crate::domain::ports::{Authenticator, SecretStore, TokenStore};
use crate::domain::record::Record;

/// How many requests are handled at once; more are refused.
pub(super) const MAX_REQUESTS: usize = 1024;

/// How many lists of what a subject may have are worked out at once; others wait.
const MAX_LISTS: usize = 4;

/// How many KiB of values may be on their way to clients at once; more are refused. A client that
/// reads slowly keeps its share until it has read all.
const MAX_ANSWERS_KIB: usize = 256 * 1024;

/// The grants of this moment; none before they were read for the first time.
pub type GrantsReceiver = watch::Receiver<Option<Arc<Grants>>>;

/// What a [`Service`] is made of.
pub struct ServiceParts {
    /// Where the secrets are.
    pub secrets: Arc<dyn SecretStore>,
    /// Who checks identities.
    pub authenticator: Arc<dyn Authenticator>,
    /// Which versions of the secrets are served.
    pub versions: watch::Receiver<Versions>,
    /// The grants.
    pub grants: GrantsReceiver,
    /// How old the grants are.
    pub freshness: Freshness,
    /// The signing keys.
    pub ring: Arc<CurrentRing>,
    /// How many tokens one identity may ask for in a minute.
    pub issues_per_minute: NonZeroU32,
    /// When the state began, in epoch seconds: older tokens are refused.
    pub state_since: i64,
    /// The audit.
    pub audit: AuditLog,
    /// Who is told of refusals.
    pub complaints: Complaints,
    /// Uses left, revocations, the audit's signed heads, and the keys that all replicas share.
    pub state: Arc<StateStore>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How many callers may wait for a change at once.
    pub most_waiting: usize,
}

/// The vault, without its listeners.
pub struct Service {
    pub(super) secrets: Arc<dyn SecretStore>,
    pub(super) tokens: Arc<dyn TokenStore>,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) ring: Arc<CurrentRing>,
    pub(super) validator: Validator,
    pub(super) revisions: RevisionKey,
    pub(super) metrics: Arc<Metrics>,
    pub(super) complaints: Complaints,
    pub(super) anonymous_failures: Sampler,
    pub(super) repeats: Repeats,
    pub(super) issue_rate: IssueRate,
    pub(super) requests: Semaphore,
    /// Places for working out what a subject may have.
    pub(super) lists: Arc<Semaphore>,
    pub(super) waits: Waits,
    answers: Arc<Semaphore>,
    grants: GrantsReceiver,
    freshness: Freshness,
    pub(super) audit: AuditLog,
    pub(super) heads: SignedHeads,
}

struct Counted {
    content: Zeroizing<Vec<u8>>,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Service {
    /// Puts the parts together.
    pub fn new(parts: ServiceParts) -> Arc<Self> {
        Arc::new(Self {
            validator: Validator::new(Arc::clone(&parts.ring), parts.state_since),
            revisions: RevisionKey::new(parts.state.revision_key()),
            secrets: Arc::new(ObservedSecrets(parts.secrets)),
            heads: SignedHeads::new(Arc::clone(&parts.state)),
            tokens: Arc::new(ObservedTokens::new(parts.state, Arc::clone(&parts.metrics))),
            authenticator: parts.authenticator,
            ring: parts.ring,
            metrics: parts.metrics,
            grants: parts.grants,
            freshness: parts.freshness,
            audit: parts.audit,
            complaints: parts.complaints,
            anonymous_failures: Sampler::default(),
            repeats: Repeats::default(),
            issue_rate: IssueRate::new(parts.issues_per_minute),
            requests: Semaphore::new(MAX_REQUESTS),
            lists: Arc::new(Semaphore::new(MAX_LISTS)),
            waits: Waits::new(parts.versions, parts.most_waiting),
            answers: Arc::new(Semaphore::new(MAX_ANSWERS_KIB)),
        })
    }

    /// The grants as they stand now: 503 before they were first read, never 403; and 503 where
    /// nothing was heard of them for long.
    pub(super) fn grants(&self) -> Result<Arc<Grants>, ApiError> {
        let grants = self.known_grants()?;
        self.freshness.to_read().map_err(ApiError::stale)?;
        Ok(grants)
    }

    /// The same to issue a token by, which has to be heard of sooner: a token lives on.
    pub(super) fn grants_to_issue(&self) -> Result<Arc<Grants>, ApiError> {
        let grants = self.known_grants()?;
        self.freshness.to_issue().map_err(ApiError::stale)?;
        Ok(grants)
    }

    fn known_grants(&self) -> Result<Arc<Grants>, ApiError> {
        self.grants.borrow().clone().ok_or_else(|| {
            ApiError::new(
                ProblemKind::GrantsNotReady,
                "the vault has not read its SecretAccesses and SecretPolicies: it has just started, or cannot read them, and then its /readyz and its log say why",
            )
        })
    }

    /// The grants, to be told when they change.
    pub(super) fn grants_receiver(&self) -> GrantsReceiver {
        self.grants.clone()
    }

    /// Answers all who wait for a change at once, and lets nobody wait any more: the vault ends.
    pub fn end_waits(&self) {
        self.waits.end();
    }

    /// A body that is zeroed when its last byte is sent, and counted until then.
    pub(super) fn body(&self, content: Zeroizing<Vec<u8>>) -> Result<Body, ApiError> {
        let share = u32::try_from(content.len() / 1024 + 1).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.answers).try_acquire_many_owned(share).map_err(|_| {
            let detail = "too many values are on their way to clients; try again in a moment";
            ApiError::new(ProblemKind::Overloaded, detail)
        })?;
        Ok(Bytes::from_owner(Counted { content, _share: share }).into())
    }

    /// The audit.
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Writes a record. Where that fails, nothing may be answered but this error.
    pub(super) async fn record(&self, record: Record) -> Result<(), ApiError> {
        self.audit.append(record).instrument(step("audit.append")).await.map_err(|error| {
            self.metrics.audit.withheld();
            ApiError::new(
                ProblemKind::AuditUnavailable,
                "the access could not be recorded, so nothing is given; try again later",
            )
            .with_cause(error)
        })
    }
}
