//! How each SecretAccess stands, written into it where that is news.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Client;
use tokio::task::JoinError;
use tokio::time::sleep;

use super::service::Service;
use super::view::{View, grants_of};
use crate::adapters::kubernetes::{AccessObject, ClusterGrants, write_status};
use crate::adapters::sops::SopsStore;
use crate::contract::crd::{MAX_MESSAGE_LEN, READY, ReadyReason, SecretAccessStatus};
use crate::domain::grants::{Access, Grants, Permission};
use crate::domain::identity::Identity;
use crate::domain::policy::Denial;
use crate::domain::ports::SecretStoreError;

/// How long changes are gathered before statuses are written.
const SETTLE: Duration = Duration::from_millis(200);

/// How often all are looked at where nothing changes: a file that cannot be opened is no change.
const PERIOD: Duration = Duration::from_secs(30);

/// The pause between two writes, so that many objects do not make a burst.
const SPACING: Duration = Duration::from_millis(10);

/// The longest pause after failures in a row.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Writes how the SecretAccesses of a cluster stand.
pub(super) struct Statuses {
    pub(super) service: Arc<Service>,
    pub(super) grants: Arc<ClusterGrants>,
    pub(super) secrets: Arc<SopsStore>,
    pub(super) client: Client,
}

/// A status that an object does not have yet.
struct Due {
    namespace: String,
    name: String,
    status: SecretAccessStatus,
}

impl Statuses {
    /// Writes what is news, whenever objects or secrets change.
    pub(super) async fn run(self) -> Result<(), JoinError> {
        let statuses = Arc::new(self);
        let (mut objects, mut versions) = (statuses.grants.changes(), statuses.secrets.changes());
        let mut failures = 0;
        loop {
            objects.mark_unchanged();
            versions.mark_unchanged();
            // What is in scope is decrypted: not on a thread that serves others.
            let due = tokio::task::spawn_blocking({
                let statuses = Arc::clone(&statuses);
                move || statuses.due(Timestamp::now())
            });
            let problem = statuses.write(due.await?).await;
            failures = if problem.is_some() { failures + 1 } else { 0 };
            if let Some(problem) = problem {
                tracing::warn!(
                    problem,
                    "a SecretAccess's status is not written; it is tried again"
                );
                sleep(LONGEST_PAUSE.min(Duration::from_secs(1 << failures.min(6)))).await;
                continue;
            }
            tokio::select! {
                _ = objects.changed() => {}
                _ = versions.changed() => {}
                () = sleep(PERIOD) => {}
            }
            sleep(SETTLE).await;
        }
    }

    /// Writes what is due; gives the first problem, where there is one. What is wrong with one
    /// object holds back no other; what would be so for all ends it.
    async fn write(&self, due: Vec<Due>) -> Option<String> {
        let mut first = None;
        for Due { namespace, name, status } in due {
            if let Err(problem) = write_status(&self.client, &namespace, &name, &status).await {
                let ends = matches!(problem.code(), None | Some(401 | 403 | 429));
                first.get_or_insert_with(|| format!("{namespace}/{name}: {problem}"));
                if ends {
                    break;
                }
            }
            sleep(SPACING).await;
        }
        first
    }

    fn due(&self, now: Timestamp) -> Vec<Due> {
        let Ok(grants) = self.service.grants() else { return Vec::new() };
        let mut due = Vec::new();
        let mut of_subjects: BTreeMap<_, Vec<(AccessObject, Access)>> = BTreeMap::new();
        for object in self.grants.accesses().unwrap_or_default() {
            match object.access.clone() {
                Err(problem) => {
                    due.extend(Standing::not(ReadyReason::Invalid, problem).due(object, now));
                }
                Ok(access) => {
                    let subject = (access.subject.clone(), access.environment.clone());
                    of_subjects.entry(subject).or_default().push((object, access));
                }
            }
        }
        // One subject after the other: no object looks at those of all others.
        for ((subject, environment), objects) in of_subjects {
            let own = grants_of(&subject, &environment, &grants);
            due.extend(objects.into_iter().filter_map(|(object, access)| {
                Standing::of(&self.service, &own, &access, now).due(object, now)
            }));
        }
        due
    }
}

/// How one SecretAccess stands.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    reason: ReadyReason,
    message: String,
    keys: Option<usize>,
    revision: Option<String>,
}

impl Standing {
    fn of(service: &Service, grants: &Grants, access: &Access, now: Timestamp) -> Self {
        let identity = Identity::supposed(access.subject.clone());
        let view = View::new(service, &identity, access, grants, now);
        Self::seen(&view, access).unwrap_or_else(|standing| standing)
    }

    fn not(reason: ReadyReason, message: String) -> Self {
        Self { reason, message, keys: None, revision: None }
    }

    fn seen(view: &View<'_>, access: &Access) -> Result<Self, Self> {
        let (permissions, _) = view.given().map_err(|denial| {
            let reason = match denial {
                Denial::NotPodBound(_) => ReadyReason::NotPodBound,
                Denial::NoPolicy(_) | Denial::NoAccess | Denial::IdentityExpired => {
                    ReadyReason::NoPolicy
                }
            };
            Self::not(reason, denial.explain(access))
        })?;
        let missing = access.permissions.iter().find(|asked| !permissions.contains(asked));
        if let Some(missing) = missing.filter(|_| access.file.is_some()) {
            let reason = Denial::NoPolicy(Vec::new()).explain(access);
            let message = format!("a file needs read and list: with {missing}, {reason}");
            return Err(Self::not(ReadyReason::NoPolicy, message));
        }
        let reads = permissions.contains(&Permission::Read);
        let permission = if reads { Permission::Read } else { Permission::List };
        let keys = view.count(permission).map_err(|error| Self::unreadable(&error))?;
        let environment = &access.environment;
        if keys == 0 {
            let message = format!("no key of {environment} that is open matches");
            return Err(Self { keys: Some(0), ..Self::not(ReadyReason::NoKeys, message) });
        }
        let revision = if reads { Some(view.revision(&permissions)) } else { None };
        let revision = revision
            .transpose()
            .map_err(|error| Self { keys: Some(keys), ..Self::unreadable(&error) })?;
        let words: Vec<String> = permissions.iter().map(ToString::to_string).collect();
        let mut message = format!("keys of {environment} that are open: {keys}, to ");
        message.push_str(&words.join(" and "));
        if let Some(missing) = missing {
            message = format!("{message}; no SecretPolicy allows {missing}");
        }
        Ok(Self { reason: ReadyReason::Granted, message, keys: Some(keys), revision })
    }

    fn unreadable(error: &SecretStoreError) -> Self {
        let reason = match error {
            SecretStoreError::NoEnvironment(_) | SecretStoreError::Gone(_) => {
                ReadyReason::EnvironmentMissing
            }
            _ => ReadyReason::EnvironmentUnreadable,
        };
        // Why a file cannot be opened is for whoever runs the vault: its log says it.
        let message = match error {
            SecretStoreError::Unreadable { environment, .. } => {
                format!("no version of environment {environment} could be loaded")
            }
            SecretStoreError::NoEnvironment(environment) => {
                format!("environment {environment} does not exist: there is no SOPS file of it")
            }
            error => error.to_string(),
        };
        Self::not(reason, message)
    }

    /// What has to be written, where the object does not say so already.
    fn due(self, object: AccessObject, now: Timestamp) -> Option<Due> {
        let status = self.status(object.generation, object.status.as_ref(), now);
        let news = object.status.as_ref() != Some(&status);
        news.then_some(Due { namespace: object.namespace, name: object.name, status })
    }

    /// The status to write. The moment of the last transition stays where there is none.
    fn status(
        self,
        generation: Option<i64>,
        before: Option<&SecretAccessStatus>,
        now: Timestamp,
    ) -> SecretAccessStatus {
        let ready = if self.reason == ReadyReason::Granted { "True" } else { "False" };
        let known = before.into_iter().flat_map(|status| &status.conditions);
        let known = known.filter(|known| known.type_ == READY && known.status == ready);
        let since = known.map(|known| known.last_transition_time.clone()).next();
        // The API server keeps whole seconds.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        SecretAccessStatus {
            observed_generation: generation,
            conditions: vec![Condition {
                type_: READY.to_owned(),
                status: ready.to_owned(),
                reason: self.reason.to_string(),
                message: self.message.chars().take(MAX_MESSAGE_LEN).collect(),
                observed_generation: generation,
                last_transition_time: since.unwrap_or(Time(now)),
            }],
            matched_keys: self.keys.map(|keys| i32::try_from(keys).unwrap_or(i32::MAX)),
            revision: self.revision,
        }
    }
}
