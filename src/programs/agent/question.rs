//! When the vault is asked what is granted: each minute while all is well, sooner while it is not.

use std::time::{Duration, Instant};

use super::pace::{Backoff, jittered};

/// A withdrawn grant is heard of at once, since its watch ends; this is for new ones.
const WHILE_WELL: Duration = Duration::from_mins(1);
/// It is asked no more often than this, whatever happens.
const BETWEEN: Duration = Duration::from_secs(1);

/// The one question, which is asked again and again.
pub(super) struct Question {
    is_open: bool,
    /// Its answer will not do: it was asked too soon.
    is_hurried: bool,
    asked_at: Option<Instant>,
    next_at: Instant,
    backoff: Backoff,
}

impl Question {
    /// To be asked now.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            is_open: false,
            is_hurried: false,
            asked_at: None,
            next_at: now,
            backoff: Backoff::default(),
        }
    }

    /// Whether it is to be asked now; its answer is awaited then.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = !self.is_open && self.next_at <= now;
        if due {
            self.is_open = true;
            self.asked_at = Some(now);
        }
        due
    }

    /// There is an answer, or there will be none.
    pub(super) fn answered(&mut self, now: Instant, is_well: bool) {
        self.is_open = false;
        let wait = if is_well {
            self.backoff.reset();
            jittered(WHILE_WELL, 0.2)
        } else {
            self.backoff.after_failure()
        };
        self.next_at = now + wait;
        if std::mem::take(&mut self.is_hurried) {
            self.hurry(now);
        }
    }

    /// It is to be asked as soon as may be.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.is_hurried = self.is_open;
        let soonest = self.asked_at.map_or(now, |asked| asked + BETWEEN);
        self.next_at = self.next_at.min(soonest.max(now));
    }

    /// When it is to be asked next, unless its answer is awaited.
    pub(super) fn next_at(&self) -> Option<Instant> {
        (!self.is_open).then_some(self.next_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_each_minute_while_all_is_well_and_within_ten_seconds_while_it_is_not() {
        let now = Instant::now();
        let mut question = Question::new(now);
        assert!(question.is_due(now) && !question.is_due(now), "one question at a time");
        question.answered(now, true);
        let wait = question.next_at().unwrap() - now;
        assert!(Duration::from_secs(48) <= wait && wait <= WHILE_WELL, "{wait:?}");
        for _ in 0..20 {
            question.answered(now, false);
            assert!(question.next_at().unwrap() <= now + Duration::from_secs(10));
        }
    }

    #[test]
    fn haste_is_bounded_by_a_second_between_two_questions() {
        let now = Instant::now();
        let mut question = Question::new(now);
        assert!(question.is_due(now));
        question.answered(now, true);
        question.hurry(now);
        assert_eq!(question.next_at(), Some(now + BETWEEN));
        assert!(question.is_due(now + BETWEEN));
        question.hurry(now + BETWEEN);
        question.answered(now + BETWEEN, true);
        assert_eq!(question.next_at(), Some(now + BETWEEN * 2), "haste outlasts an open question");
    }
}
