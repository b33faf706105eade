//! One attempt at something, from the request to its line in the audit.

use std::time::Instant;

use axum::response::Response;
use jiff::Timestamp;

use super::context::RequestContext;
use super::error::ApiError;
use super::service::Service;
use crate::adapters::jwt::VerifiedToken;
use crate::domain::identity::Identity;
use crate::domain::record::{Event, Outcome, Record};

/// Collects what becomes known of an attempt while it is handled.
pub(super) struct Attempt {
    pub(super) record: Record,
}

impl Attempt {
    /// An attempt that is decided as of this moment.
    pub(super) fn new(context: &RequestContext, event: Event) -> Self {
        let mut record = Record::new(Timestamp::now(), event, Outcome::Granted);
        record.client_address = context.client_address;
        record.request_id = Some(context.id.clone());
        Self { record }
    }

    /// Does what is attempted, and records what came of it before the answer goes.
    pub(super) async fn recorded(
        service: &Service,
        context: &RequestContext,
        event: Event,
        work: impl AsyncFnOnce(&mut Self) -> Result<Response, ApiError>,
    ) -> Result<Response, ApiError> {
        let mut attempt = Self::new(context, event);
        let result = work(&mut attempt).await;
        attempt.finish(service, result).await
    }

    pub(super) fn by(&mut self, identity: &Identity) {
        self.record.subject = Some(identity.subject.clone());
        self.record.pod.clone_from(&identity.pod);
        self.record.credential_id.clone_from(&identity.credential_id);
    }

    pub(super) fn with(&mut self, token: &VerifiedToken) {
        self.by(&token.identity());
        self.record.jti = Some(token.claims().jti.clone());
    }

    /// Records the attempt, and only then lets its answer go.
    pub(super) async fn finish(
        mut self,
        service: &Service,
        result: Result<Response, ApiError>,
    ) -> Result<Response, ApiError> {
        let event = self.record.event.to_string();
        if let Err(error) = &result {
            service.complaints.take(&self.record, error, &service.metrics);
            let failed = error.kind.status() >= 500;
            self.record.outcome = if failed { Outcome::Failed } else { Outcome::Refused };
            self.record.reason = Some(match &error.cause {
                Some(cause) => format!("{}: {cause}", error.kind.name()),
                None => error.kind.name().to_owned(),
            });
            if self.record.subject.is_none() && self.record.event != Event::Revoke {
                self.record.event = Event::Authenticate;
            }
        }
        let problem = result.as_ref().err().map(|error| error.kind.name());
        let outcome = self.record.outcome.to_string();
        service.metrics.decisions.attempted(event, outcome, problem);
        if self.record.subject.is_none() {
            match service.anonymous_failures.admit(self.record.time) {
                None => return result,
                Some(left_out) => self.record.left_out = (left_out > 0).then_some(left_out),
            }
        } else if result.is_err() {
            let Some(record) = service.repeats.admit(self.record, Instant::now()) else {
                return result;
            };
            let recorded = service.record(record.clone()).await;
            return match recorded {
                Ok(()) => result,
                Err(error) => {
                    service.repeats.forget(&record);
                    Err(error)
                }
            };
        }
        service.record(self.record).await?;
        result
    }
}
