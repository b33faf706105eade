//! What one replica knows of revocations, and how long ago it last heard of those of the others.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::identity::Subject;
use crate::domain::ports::StaleRevocations;
use crate::domain::revocation::{IssuedToken, Revocation, Revocations, SubjectStanding};

/// How old the view of the revocations may be: a replica that has not heard for longer refuses.
pub const STALE_AFTER: Duration = Duration::from_secs(30);

/// The revocations that this replica has heard of.
#[derive(Debug)]
pub(super) struct View {
    known: RwLock<Revocations>,
    /// When the last question began that the database answered; none where no other replica
    /// writes, so that there is nothing to hear.
    heard: Option<RwLock<Instant>>,
}

impl View {
    /// What was read just now.
    pub(super) fn new(known: Revocations, heard: Option<Instant>) -> Self {
        Self { known: RwLock::new(known), heard: heard.map(RwLock::new) }
    }

    /// Takes what the database answered to a question that began at `asked`.
    pub(super) fn hear(&self, revocations: Vec<Revocation>, asked: Instant) {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            for revocation in revocations {
                known.add(revocation);
            }
        }
        if let Some(heard) = &self.heard {
            let mut heard = heard.write().unwrap_or_else(PoisonError::into_inner);
            *heard = asked.max(*heard);
        }
    }

    pub(super) fn add(&self, revocation: Revocation) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).add(revocation);
    }

    /// Whether a revocation takes back the block of its subject.
    pub(super) fn is_lifted_by(&self, revocation: &Revocation) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match revocation {
            Revocation::Subject { subject, blocked, .. } => {
                !blocked && known.standing(subject).blocked
            }
            Revocation::Token { .. } => false,
        }
    }

    pub(super) fn forget_ended(&self, now: i64) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).forget_ended(now);
    }

    /// How old the view is; none where it is never old.
    pub(super) fn age(&self) -> Option<Duration> {
        let heard = self.heard.as_ref()?;
        Some(heard.read().unwrap_or_else(PoisonError::into_inner).elapsed())
    }

    pub(super) fn is_revoked(&self, token: IssuedToken<'_>) -> Result<bool, StaleRevocations> {
        // What is known of is so, however old the view.
        let revoked = self.known.read().unwrap_or_else(PoisonError::into_inner).concern(token);
        if revoked { Ok(true) } else { self.check_age().map(|()| false) }
    }

    pub(super) fn standing(&self, subject: &Subject) -> Result<SubjectStanding, StaleRevocations> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).standing(subject);
        if known.blocked { Ok(known) } else { self.check_age().map(|()| known) }
    }

    /// Refuses to say anything where the view is too old.
    pub(super) fn check_age(&self) -> Result<(), StaleRevocations> {
        match self.age() {
            Some(age) if age > STALE_AFTER => Err(StaleRevocations { seconds: age.as_secs() }),
            _ => Ok(()),
        }
    }
}
