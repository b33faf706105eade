//! How many tokens an identity may ask for.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::error::ApiError;
use crate::contract::api::problem::ProblemKind;
use crate::domain::identity::{Identity, Subject};

/// How many identities may be known before those are forgotten that have all their places back.
const MANY: usize = 10_000;

/// Whom a rate is for. A pod has one of its own: those of one service account start together, and
/// none of them holds back the others.
type Asker = (Subject, Option<String>);

/// Counts what each identity asks for.
pub(super) struct IssueRate {
    limiter: DefaultKeyedRateLimiter<Asker>,
    clock: DefaultClock,
    per_minute: NonZeroU32,
}

impl IssueRate {
    /// So many in a minute, which may come at once.
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_minute(per_minute));
        Self { limiter, clock: DefaultClock::default(), per_minute }
    }

    /// Takes a place, or says when there is one.
    pub(super) fn take(&self, identity: &Identity) -> Result<(), ApiError> {
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        let pod = identity.pod.as_ref().map(|pod| pod.uid.clone());
        let taken = self.limiter.check_key(&(identity.subject.clone(), pod));
        taken.map_err(|not_before| self.refusal(not_before.wait_time_from(self.clock.now())))
    }

    fn refusal(&self, pause: Duration) -> ApiError {
        let detail = format!(
            "one pod or client may ask for {} tokens in a minute; use a token until it ends, and ask again when Retry-After says",
            self.per_minute
        );
        ApiError::new(ProblemKind::IssueLimited, detail).retry_after(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::PodReference;

    fn pod(uid: &str) -> Identity {
        let subject = "system:serviceaccount:shop:checkout".parse().unwrap();
        let (namespace, name) = ("shop".parse().unwrap(), "checkout-1".parse().unwrap());
        let pod = Some(PodReference { namespace, name, uid: uid.to_owned() });
        Identity { pod, ..Identity::supposed(subject) }
    }

    #[test]
    fn each_pod_has_a_rate_of_its_own_and_is_told_when_to_come_back() {
        let rate = IssueRate::new(NonZeroU32::new(2).unwrap());
        for uid in ["a", "b"] {
            assert!(rate.take(&pod(uid)).is_ok());
            assert!(rate.take(&pod(uid)).is_ok());
            assert_eq!(rate.take(&pod(uid)).unwrap_err().kind, ProblemKind::IssueLimited);
        }
    }

    #[test]
    fn who_has_all_places_back_is_forgotten_when_there_are_many() {
        let rate = IssueRate::new(NonZeroU32::new(60_000_000).unwrap());
        for number in 0..=MANY + 1 {
            assert!(rate.take(&pod(&number.to_string())).is_ok());
        }
        assert!(rate.limiter.len() < MANY, "{}", rate.limiter.len());
    }
}
