//! How long what is known of the grants may be without news of its source.
//!
//! Invariant: a grant that was deleted while nobody could tell of it opens nothing for longer than
//! these limits say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long tokens are issued without news: a healthy source is heard at least each minute.
pub(super) const ISSUE_LIMIT: Duration = Duration::from_secs(90);

/// How long reads are answered without news, where nothing else is configured.
pub(super) const READ_LIMIT: Duration = Duration::from_mins(5);

/// Since when nothing was heard of a source.
pub type Silence = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How old the grants are, and how old they may be.
#[derive(Clone)]
pub struct Freshness {
    /// For how long nothing was heard of where the grants come from.
    pub silence: Silence,
    /// After how much of it no token is issued.
    pub issue_limit: Duration,
    /// After how much of it nothing is read.
    pub read_limit: Duration,
}

/// The grants are too old to be acted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing was heard for {} s of where the SecretAccesses and SecretPolicies come from, and the \
     limit is {} s",
    silence.as_secs(),
    limit.as_secs()
)]
pub(super) struct Stale {
    silence: Duration,
    limit: Duration,
}

impl Freshness {
    /// Whether a token may be issued.
    pub(super) fn to_issue(&self) -> Result<(), Stale> {
        within((self.silence)(), self.issue_limit.min(self.read_limit))
    }

    /// What is not done any more, and why; none where all is.
    pub(super) fn problem(&self) -> Option<String> {
        match (self.to_issue(), self.to_read()) {
            (_, Err(stale)) => Some(format!("nothing is read or issued: {stale}")),
            (Err(stale), Ok(())) => Some(format!("no token is issued: {stale}")),
            (Ok(()), Ok(())) => None,
        }
    }

    /// Whether something may be read.
    pub(super) fn to_read(&self) -> Result<(), Stale> {
        within((self.silence)(), self.read_limit)
    }
}

fn within(silence: Duration, limit: Duration) -> Result<(), Stale> {
    if silence > limit { Err(Stale { silence, limit }) } else { Ok(()) }
}

/// When a folder was last seen whole.
#[derive(Debug)]
pub(super) struct LastSeen(Mutex<Instant>);

impl Default for LastSeen {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl LastSeen {
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Since when it was not.
    pub(super) fn silent(self: &Arc<Self>) -> Silence {
        let seen = Arc::clone(self);
        Arc::new(move || seen.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent_for(seconds: u64) -> Freshness {
        Freshness {
            silence: Arc::new(move || Duration::from_secs(seconds)),
            issue_limit: ISSUE_LIMIT,
            read_limit: READ_LIMIT,
        }
    }

    fn after(seconds: u64) -> (bool, bool) {
        let freshness = silent_for(seconds);
        (freshness.to_issue().is_ok(), freshness.to_read().is_ok())
    }

    #[test]
    fn what_is_not_done_any_more_is_said() {
        assert_eq!(silent_for(90).problem(), None);
        insta::assert_snapshot!(
            silent_for(91).problem().unwrap(),
            @"no token is issued: nothing was heard for 91 s of where the SecretAccesses and SecretPolicies come from, and the limit is 90 s"
        );
        insta::assert_snapshot!(
            silent_for(301).problem().unwrap(),
            @"nothing is read or issued: nothing was heard for 301 s of where the SecretAccesses and SecretPolicies come from, and the limit is 300 s"
        );
    }

    #[test]
    fn tokens_are_issued_for_ninety_seconds_and_read_with_for_five_minutes() {
        assert_eq!(after(0), (true, true));
        assert_eq!(after(90), (true, true));
        assert_eq!(after(91), (false, true));
        assert_eq!(after(300), (false, true));
        assert_eq!(after(301), (false, false));
    }
}
