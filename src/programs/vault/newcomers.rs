//! How much of the log is for environments that nobody has heard of yet.
//!
//! Whoever may write one ConfigMap can give it other names again and again, each of which comes and
//! goes. Invariant: an environment that the log was told of is told of at its own pace, whatever
//! others do; of new ones, as many are told of as there may be at once, and then one a second. What
//! is left out is counted.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::telling::{Outcome, Told};
use crate::adapters::sops::MAX_ENVIRONMENTS;
use crate::domain::names::Environment;

/// How many new environments are told of at once: all of a vault that starts.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(1000).expect("it is not zero");
const _: () = assert!(AT_ONCE.get() as usize == MAX_ENVIRONMENTS);

/// How many stay known whose files are gone, those that are there included.
const MOST_KNOWN: usize = 2 * MAX_ENVIRONMENTS;

type Limiter<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The environments that the log was told of, and those that wait for it.
pub(super) struct Newcomers<C: Clock = DefaultClock> {
    known: BTreeSet<Environment>,
    /// With what became of each last, the one that came first at the front.
    waiting: VecDeque<Told>,
    limiter: Limiter<C>,
    left_out: u64,
}

impl Default for Newcomers {
    fn default() -> Self {
        Self::new(DefaultClock::default())
    }
}

impl<C: Clock> Newcomers<C> {
    fn new(clock: C) -> Self {
        let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(AT_ONCE);
        let limiter = RateLimiter::direct_with_clock(quota, clock);
        Self { known: BTreeSet::new(), waiting: VecDeque::new(), limiter, left_out: 0 }
    }

    /// Whether the log was told of it; where not, that there was more to tell is counted.
    pub(super) fn admits_brief(&mut self, environment: &Environment) -> bool {
        let knows = self.known.contains(environment);
        self.left_out += u64::from(!knows);
        knows
    }

    /// Gives back what became of an environment, where the log may be told.
    pub(super) fn take(&mut self, outcome: Outcome) -> Option<Told> {
        let is_removed = matches!(outcome, Outcome::Removed(_));
        let environment = outcome.environment();
        if self.known.contains(environment) {
            // One whose file is away for a moment is no newcomer when it is back.
            if is_removed && self.known.len() > MOST_KNOWN {
                self.known.remove(environment);
            }
            return Some(outcome.into());
        }
        let is_same = |waiting: &Told| waiting.outcome.environment() == environment;
        match self.waiting.iter().position(is_same) {
            // Nobody has heard of it, and nobody has to hear that it is gone.
            Some(at) if is_removed => {
                let before = self.waiting.remove(at).map_or(0, |before| before.left_out);
                self.left_out += before + 2;
                None
            }
            Some(at) => {
                let told = Told::from(outcome);
                self.waiting[at] = told.instead_of(self.waiting[at].clone());
                None
            }
            None if is_removed => {
                self.left_out += 1;
                None
            }
            None if self.waiting.is_empty() && self.limiter.check().is_ok() => {
                Some(self.admit(outcome.into()))
            }
            None => {
                self.waiting.push_back(outcome.into());
                None
            }
        }
    }

    /// What the log may be told now of those that waited.
    pub(super) fn due(&mut self) -> Vec<Told> {
        let mut due = Vec::new();
        while !self.waiting.is_empty() && self.limiter.check().is_ok() {
            due.extend(self.waiting.pop_front().map(|told| self.admit(told)));
        }
        if !due.is_empty() && self.left_out > 0 {
            let lines_left_out = std::mem::take(&mut self.left_out);
            tracing::warn!(
                lines_left_out,
                "environments come and go so fast that not all is told of them"
            );
        }
        due
    }

    fn admit(&mut self, told: Told) -> Told {
        self.known.insert(told.outcome.environment().clone());
        told
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use governor::clock::FakeRelativeClock;

    use super::super::telling::tests::{failed as failed_for, loaded};
    use super::*;
    use crate::adapters::sops::Alarm;

    fn failed(environment: &str) -> Outcome {
        failed_for(environment, Alarm::Refused, "x")
    }

    fn removed(environment: &str) -> Outcome {
        Outcome::Removed(environment.parse().unwrap())
    }

    #[test]
    fn names_that_come_and_go_are_few_lines_and_leave_others_theirs() {
        let clock = FakeRelativeClock::default();
        let mut newcomers = Newcomers::new(clock.clone());
        assert!(newcomers.take(failed("prod")).is_some());
        let mut told = 0;
        for round in 0..1000 {
            let names: Vec<String> = (0..100).map(|at| format!("e{round}-{at}")).collect();
            for name in &names {
                told += usize::from(newcomers.take(failed(name)).is_some());
            }
            told += newcomers.due().len();
            assert!(newcomers.take(failed("prod")).is_some(), "one that is known is told of");
            for name in &names {
                told += usize::from(newcomers.take(removed(name)).is_some());
            }
            assert!(newcomers.waiting.is_empty(), "what is gone waits no more");
            clock.advance(Duration::from_millis(100));
        }
        // That they came and that they went, and of them one each second.
        assert!(told <= 2 * (MAX_ENVIRONMENTS + 100), "{told} lines");
        assert!(newcomers.known.len() <= MOST_KNOWN + 1);
        assert!(newcomers.take(removed("prod")).is_some());
        let news = (0..2).filter(|at| newcomers.take(failed(&format!("new{at}"))).is_some());
        assert!(news.count() < 2, "all that may be told was");
        assert!(newcomers.take(failed("prod")).is_some(), "it was away for a moment");
    }

    #[test]
    fn an_environment_that_stays_is_told_of_in_its_turn() {
        let clock = FakeRelativeClock::default();
        let mut newcomers = Newcomers::new(clock.clone());
        for at in 0..MAX_ENVIRONMENTS {
            assert!(newcomers.take(failed(&format!("e{at}"))).is_some(), "all at a start");
        }
        assert_eq!(newcomers.take(failed("late")), None);
        assert_eq!(newcomers.take(failed("later")), None);
        assert_eq!(newcomers.due(), []);
        clock.advance(Duration::from_secs(1));
        assert_eq!(newcomers.due(), [failed("late").into()]);
        clock.advance(Duration::from_secs(1));
        assert_eq!(newcomers.due(), [failed("later").into()]);
    }

    #[test]
    fn the_alarm_of_one_that_waits_is_told_though_good_news_came_after_it() {
        let clock = FakeRelativeClock::default();
        let mut newcomers = Newcomers::new(clock.clone());
        for at in 0..MAX_ENVIRONMENTS {
            newcomers.take(failed(&format!("e{at}")));
        }
        assert_eq!(newcomers.take(failed("late")), None);
        assert_eq!(newcomers.take(loaded("late")), None);
        clock.advance(Duration::from_secs(1));
        let [told] = &newcomers.due()[..] else { panic!("one is due") };
        assert_eq!((&told.outcome, told.left_out), (&loaded("late"), 1));
        assert_eq!(told.passed, Some((Alarm::Refused, "x".to_owned())));
    }
}
