//! Callers that wait for a change: each holds a timer and its question, and neither a place among
//! the requests nor a thread.
//!
//! Invariant: a wait is in the connection's own future, and ends with it; each look at the values
//! is a task that is seen through, checks everything anew and is recorded where it answers.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::context::see_through;
use super::error::ApiError;
use super::handlers::read_all::{Looked, ReadAll, Unchanged};
use super::prefer::Preferred;
use super::service::{GrantsReceiver, Service};
use crate::adapters::jwt::VerifiedToken;
use crate::adapters::serve::Counted;
use crate::adapters::sops::Versions;
use crate::domain::claims::TokenId;
use crate::domain::grants::Grants;
use crate::domain::identity::Subject;
use crate::domain::names::Environment;
use crate::domain::revocation::IssuedToken;

/// How many of those that a change wakes look at once. The others wait for their turn, so that
/// ordinary requests go on while thousands look.
const LOOKING: usize = 32;

/// How often is looked whether a waiting caller's token is revoked or has ended, and whether the
/// grants are fresh.
const RECHECK: Duration = Duration::from_millis(500);

/// All who wait.
pub(super) struct Waits {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    versions: watch::Receiver<Versions>,
    ended: watch::Sender<bool>,
}

impl Waits {
    /// For so many at the most; `versions` tells which environments change.
    pub(super) fn new(versions: watch::Receiver<Versions>, most: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            turns: Arc::new(Semaphore::new(LOOKING)),
            versions,
            ended: watch::Sender::new(false),
        }
    }

    /// Answers all who wait, and lets nobody wait any more.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }
}

/// A caller that may wait, from before the first look at the values.
pub(super) struct Wait {
    pub(super) preferred: Preferred,
    until: Instant,
    news: News,
    token: TokenId,
    /// When it was issued, in epoch seconds.
    issued_at: i64,
    /// When the token ends, in epoch seconds.
    ends_at: i64,
    _place: OwnedSemaphorePermit,
}

/// A wait and the question that it is to answer, on their way from the handler.
pub(super) struct Waiting {
    wait: Wait,
    question: Arc<ReadAll>,
    _counted: Counted,
}

/// What can change what a question's answer is.
#[derive(Clone)]
struct News {
    subject: Subject,
    environment: Environment,
    versions: watch::Receiver<Versions>,
    version: Option<u64>,
    grants: GrantsReceiver,
    seen: Option<Arc<Grants>>,
}

/// Why a wait is over for the moment.
enum Woken {
    /// Something may have changed.
    News,
    /// It has lasted as long as was preferred.
    Time,
    /// The vault ends.
    Shutdown,
}

impl Wait {
    /// None where nobody may wait any more, or too many do.
    pub(super) fn begin(
        service: &Service,
        token: &VerifiedToken,
        question: &ReadAll,
        preferred: Preferred,
    ) -> Option<Self> {
        let waits = &service.waits;
        if *waits.ended.borrow() {
            return None;
        }
        let place = Arc::clone(&waits.places).try_acquire_owned().ok()?;
        Some(Self {
            preferred,
            until: Instant::now() + preferred.duration(),
            news: News::from_now(service, token, question.environment()),
            token: token.claims().jti.clone(),
            issued_at: token.claims().iat,
            ends_at: token.refused_from(),
            _place: place,
        })
    }

    /// What the handler returns for it: never an answer, since it says nothing of the values.
    pub(super) fn for_answer_to(self, question: ReadAll, service: &Service) -> Response {
        let (question, counted) = (Arc::new(question), service.metrics.http.waiting());
        let waiting = Waiting { wait: self, question, _counted: counted };
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Arc::new(waiting));
        response
    }

    /// Waits for a reason to look again.
    async fn woken(&self, service: &Service, news: &mut News) -> Woken {
        let mut ended = service.waits.ended.subscribe();
        loop {
            let recheck = self.until.min(Instant::now() + RECHECK);
            tokio::select! {
                () = news.come() => return Woken::News,
                _ = ended.wait_for(|ended| *ended) => return Woken::Shutdown,
                () = sleep_until(recheck) => {
                    if recheck == self.until {
                        return Woken::Time;
                    }
                    let now = Timestamp::now().as_second();
                    let token = IssuedToken {
                        id: &self.token,
                        subject: &news.subject,
                        at: self.issued_at,
                    };
                    // Where it is not known, the question is asked again, and refused.
                    let revoked = service.tokens.is_revoked(token) != Ok(false);
                    if self.ends_at <= now || revoked || service.grants().is_err() {
                        return Woken::News;
                    }
                }
            }
        }
    }
}

impl Waiting {
    /// Waits for a change and answers with it, or says at the end that there was none.
    pub(super) async fn answer(&self, service: &Arc<Service>) -> Result<Response, ApiError> {
        let (wait, mut news) = (&self.wait, self.wait.news.clone());
        loop {
            let woken = wait.woken(service, &mut news).await;
            let unchanged = match woken {
                Woken::News => Unchanged::Waits,
                Woken::Time | Woken::Shutdown => Unchanged::Told,
            };
            let turn = Arc::clone(&service.waits.turns).acquire_owned().await;
            let (question, asked_of) = (Arc::clone(&self.question), Arc::clone(service));
            // In a box, so that whoever waits does not keep room for it.
            let looked = see_through(Box::pin(async move {
                let _turn = turn;
                question.again(&asked_of, unchanged).await
            }));
            let Looked::Answered(mut response) = looked.await? else { continue };
            // A caller that was sent away early had better pause before it asks again.
            if !matches!(woken, Woken::Shutdown) {
                wait.preferred.applied(response.headers_mut());
            }
            return Ok(response);
        }
    }
}

impl News {
    /// All that comes after this moment.
    fn from_now(service: &Service, token: &VerifiedToken, environment: &Environment) -> Self {
        let mut news = Self {
            subject: token.claims().sub.clone(),
            environment: environment.clone(),
            versions: service.waits.versions.clone(),
            version: None,
            grants: service.grants_receiver(),
            seen: None,
        };
        news.are_there();
        news
    }

    /// Comes with another version of the environment, or other grants for the subject in it.
    async fn come(&mut self) {
        loop {
            let changed = tokio::select! {
                changed = self.versions.changed() => changed,
                changed = self.grants.changed() => changed,
            };
            if changed.is_err() {
                // Nobody is left who would tell of a change.
                return pending().await;
            }
            if self.are_there() {
                return;
            }
        }
    }

    /// Whether there are some since the last time.
    fn are_there(&mut self) -> bool {
        let version = self.versions.borrow_and_update().number(&self.environment);
        let grants = self.grants.borrow_and_update().clone();
        let same_grants = match (&self.seen, &grants) {
            (Some(seen), Some(grants)) => {
                Arc::ptr_eq(seen, grants)
                    || seen.are_alike_for(grants, &self.subject, &self.environment)
            }
            _ => false,
        };
        let news = version != self.version || !same_grants;
        (self.version, self.seen) = (version, grants);
        news
    }
}
