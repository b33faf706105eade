//! One attempt at something, from the request to its line in the audit.

use std::sync::Mutex;

use axum::response::Response;
use jiff::Timestamp;

use super::context::RequestContext;
use super::error::ApiError;
use super::service::Service;
use crate::adapters::jwt::VerifiedToken;
use crate::domain::identity::Identity;
use crate::domain::record::{Event, Outcome, Record};

/// How many failures of callers that proved nothing are recorded in one second: whoever can
/// connect can make them, and must not be able to fill the disk.
const ANONYMOUS_PER_SECOND: u32 = 10;

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
                Some(0) => {}
                Some(left_out) => {
                    let reason = self.record.reason.unwrap_or_default();
                    self.record.reason = Some(format!("{reason} ({left_out} more left out)"));
                }
            }
        }
        service.record(self.record).await?;
        result
    }
}

/// Lets so many through in one second, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    second: i64,
    admitted: u32,
    left_out: u64,
}

impl Sampler {
    /// How many were left out since the last one, or `None` where this one is left out too.
    fn admit(&self, now: Timestamp) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.second != now.as_second() {
            (window.second, window.admitted) = (now.as_second(), 0);
        }
        if window.admitted == ANONYMOUS_PER_SECOND {
            window.left_out += 1;
            return None;
        }
        window.admitted += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_failures_is_sampled_and_what_was_left_out_is_counted() {
        let sampler = Sampler::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let admitted = (0..100).filter(|_| sampler.admit(at(1)).is_some()).count();
        assert_eq!(admitted, 10);
        assert_eq!(sampler.admit(at(2)), Some(90));
        assert_eq!(sampler.admit(at(2)), Some(0));
    }
}
