//! Revocations: which tokens end before their time, and which subjects get no new ones.

use std::collections::HashMap;

use super::claims::TokenId;
use super::identity::Subject;
use super::policy::MAX_TTL_MINUTES;

/// How far apart clocks may be, in seconds: what is kept because a token may still be shown is kept
/// for so much longer.
pub const CLOCKS_APART_SECONDS: i64 = 60;

/// How far the moment up to which a subject's tokens are revoked is ahead, in seconds: the clocks of
/// replicas may be ten apart, and each hears of revocations within two. What is issued afterwards
/// says that it is later still ([`SubjectStanding::issued_at`]), which the leeway of 30 s for the
/// clocks of callers has room for.
const SUBJECT_MARGIN_SECONDS: i64 = 12;

/// What a revocation of a token goes by.
#[derive(Debug, Clone, Copy)]
pub struct IssuedToken<'a> {
    /// The token.
    pub id: &'a TokenId,
    /// Whom it was issued to.
    pub subject: &'a Subject,
    /// When it was issued, in epoch seconds.
    pub at: i64,
}

/// How a subject stands with the vault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubjectStanding {
    /// Its tokens that were issued at this moment (epoch seconds) or before are revoked.
    pub not_before: Option<i64>,
    /// Whether it gets no tokens.
    pub blocked: bool,
}

impl SubjectStanding {
    /// What a token that is issued at `now` says of its issue, in epoch seconds: later than what
    /// is revoked, which may be of this very second, or of a clock that is ahead.
    pub fn issued_at(self, now: i64) -> i64 {
        self.not_before.map_or(now, |not_before| now.max(not_before.saturating_add(1)))
    }
}

/// One revocation. Times are whole seconds since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// Of one token.
    Token {
        /// The token.
        id: TokenId,
        /// When the token ends by itself.
        expires_at: i64,
    },
    /// Of all tokens that a subject has at one moment.
    Subject {
        /// The subject.
        subject: Subject,
        /// Tokens that were issued at this moment or before are revoked.
        not_before: i64,
        /// Whether all others are too, and no new ones are issued, until a later revocation says
        /// otherwise.
        blocked: bool,
    },
}

impl Revocation {
    /// The revocation of a token of which only the identifier is known: it ends no later than a
    /// token that is issued at this moment.
    pub fn of_unseen_token(id: TokenId, now: i64) -> Self {
        Self::Token { id, expires_at: now.saturating_add(i64::from(MAX_TTL_MINUTES) * 60) }
    }

    /// The revocation of all tokens that a subject has at `now` (epoch seconds), also of those that
    /// replicas issue which have not heard of it yet, or whose clocks are ahead.
    pub fn of_subject(subject: Subject, now: i64, blocked: bool) -> Self {
        Self::Subject { subject, not_before: now.saturating_add(SUBJECT_MARGIN_SECONDS), blocked }
    }

    /// From when on it has nothing to say any more; none while it blocks a subject.
    pub fn ends_at(&self) -> Option<i64> {
        let end = match self {
            Self::Token { expires_at, .. } => *expires_at,
            Self::Subject { blocked: true, .. } => return None,
            Self::Subject { not_before, .. } => {
                not_before.saturating_add(i64::from(MAX_TTL_MINUTES) * 60)
            }
        };
        Some(end.saturating_add(CLOCKS_APART_SECONDS))
    }
}

/// All revocations that have something to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    tokens: HashMap<TokenId, i64>,
    subjects: HashMap<Subject, (i64, bool)>,
}

impl Revocations {
    /// Adds one. Of two for a subject the later `not_before` holds, so that the order in which they
    /// are heard of is irrelevant; of two of the same moment, the one that blocks.
    pub fn add(&mut self, revocation: Revocation) {
        match revocation {
            Revocation::Token { id, expires_at } => {
                let known = self.tokens.entry(id).or_insert(expires_at);
                *known = expires_at.max(*known);
            }
            Revocation::Subject { subject, not_before, blocked } => {
                let known = self.subjects.entry(subject).or_insert((not_before, blocked));
                *known = (*known).max((not_before, blocked));
            }
        }
    }

    /// Whether a token is revoked.
    pub fn concern(&self, token: IssuedToken<'_>) -> bool {
        let of_subject = self.subjects.get(token.subject);
        self.tokens.contains_key(token.id)
            || of_subject.is_some_and(|(not_before, blocked)| *blocked || token.at <= *not_before)
    }

    /// How a subject stands.
    pub fn standing(&self, subject: &Subject) -> SubjectStanding {
        match self.subjects.get(subject) {
            Some((not_before, blocked)) => {
                SubjectStanding { not_before: Some(*not_before), blocked: *blocked }
            }
            None => SubjectStanding::default(),
        }
    }

    /// Forgets what has nothing to say at this moment.
    pub fn forget_ended(&mut self, now: i64) {
        let over = |revocation: Revocation| revocation.ends_at().is_some_and(|end| end < now);
        self.tokens.retain(|id, expires_at| {
            !over(Revocation::Token { id: id.clone(), expires_at: *expires_at })
        });
        self.subjects.retain(|subject, (not_before, blocked)| {
            let (subject, not_before, blocked) = (subject.clone(), *not_before, *blocked);
            !over(Revocation::Subject { subject, not_before, blocked })
        });
    }
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
