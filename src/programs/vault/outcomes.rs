//! What became of an environment's files, on its way to the log.
//!
//! Whoever may write a file can have it loaded and refused at every look. Invariant: what came last
//! is told at once, or a few seconds later where much was told before; what is left out is counted.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::config::IDENTITY_ADVICE;
use crate::adapters::sops::{Failed, Loaded};
use crate::domain::names::{Environment, some_of};
use crate::domain::ports::FileFault;

/// How many outcomes of one environment are told without a pause.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(10).expect("it is some");

/// How many environments a line names.
pub(super) const MOST_NAMED: usize = 10;

/// How long it takes until one more may be.
const PAUSE: Duration = Duration::from_secs(5);

/// What became of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Another version is served.
    Loaded(Loaded),
    /// The newest version is not.
    Failed(Failed),
    /// Its file is gone.
    Removed(Environment),
}

/// One that is told, and how many before it were not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    outcome: Outcome,
    left_out: u64,
}

/// What was told of which environments of late.
pub(super) struct Outcomes<C: Clock = DefaultClock> {
    limiter: RateLimiter<
        Environment,
        HashMapStateStore<Environment>,
        C,
        NoOpMiddleware<<C as Clock>::Instant>,
    >,
    /// What came last of those of which no more is to be told yet.
    held: BTreeMap<Environment, Told>,
}

impl Default for Outcomes {
    fn default() -> Self {
        Self::new(DefaultClock::default())
    }
}

impl<C: Clock> Outcomes<C> {
    fn new(clock: C) -> Self {
        let quota = Quota::with_period(PAUSE).expect("a pause takes time").allow_burst(AT_ONCE);
        Self { limiter: RateLimiter::hashmap_with_clock(quota, clock), held: BTreeMap::new() }
    }

    /// Takes what became of an environment, and gives what is to be told now.
    pub(super) fn take(&mut self, outcome: Outcome) -> Option<Told> {
        let environment = outcome.environment().clone();
        let left_out = self.held.remove(&environment).map_or(0, |before| before.left_out + 1);
        let told = Told { outcome, left_out };
        if self.limiter.check_key(&environment).is_ok() {
            return Some(told);
        }
        self.held.insert(environment, told);
        None
    }

    /// What was held back and is to be told now.
    pub(super) fn due(&mut self) -> Vec<Told> {
        let Self { limiter, held } = self;
        let due = held.extract_if(.., |environment, _| limiter.check_key(environment).is_ok());
        let due = due.map(|(_, told)| told).collect();
        limiter.retain_recent();
        due
    }
}

impl Outcome {
    /// Of which environment it is.
    pub(super) fn environment(&self) -> &Environment {
        match self {
            Self::Loaded(Loaded { environment, .. })
            | Self::Failed(Failed { environment, .. })
            | Self::Removed(environment) => environment,
        }
    }
}

/// Writes into the log what is told at one time: what several environments fail for in common is
/// one line, such as trusted signers or an identity file that cannot be read.
pub(super) fn log(told: Vec<Told>) {
    let mut failed: Vec<Refused> = Vec::new();
    for Told { outcome, left_out } in told {
        match outcome {
            Outcome::Loaded(loaded) => log_loaded(loaded, counted(left_out)),
            Outcome::Failed(of) => Refused::add(&mut failed, of, left_out),
            Outcome::Removed(environment) => {
                let (environment, left_out) = (environment.as_str(), counted(left_out));
                tracing::warn!(
                    environment,
                    left_out,
                    "the environment's file is gone: nothing of it is served any more"
                );
            }
        }
    }
    failed.into_iter().for_each(Refused::log);
}

fn counted(left_out: u64) -> Option<u64> {
    (left_out > 0).then_some(left_out)
}

/// Environments that were not loaded for one and the same reason.
#[derive(Debug, PartialEq, Eq)]
struct Refused {
    first: Failed,
    others: Vec<Environment>,
    /// How many of them are served in an earlier version.
    served: usize,
    left_out: u64,
}

impl Refused {
    fn add(refused: &mut Vec<Self>, failed: Failed, left_out: u64) {
        let served = usize::from(failed.serves_earlier);
        let same = |of: &&mut Self| {
            of.first.reason == failed.reason
                && of.first.alarm == failed.alarm
                && of.first.fault == failed.fault
        };
        match refused.iter_mut().find(same) {
            Some(of) => {
                of.others.push(failed.environment);
                of.served += served;
                of.left_out += left_out;
            }
            None => refused.push(Self { first: failed, others: Vec::new(), served, left_out }),
        }
    }

    fn log(self) {
        let Failed { environment, fault, alarm, reason, serves_earlier } = &self.first;
        let (alarm, left_out) = (alarm.name(), counted(self.left_out));
        let advice = (*fault == FileFault::NoIdentity).then_some(IDENTITY_ADVICE);
        if self.others.is_empty() {
            let environment = environment.as_str();
            tracing::error!(
                environment,
                alarm,
                reason,
                serves_earlier,
                advice,
                left_out,
                "the environment was not loaded"
            );
        } else {
            tracing::error!(
                environments = self.names(),
                alarm,
                reason,
                not_loaded = self.others.len() + 1,
                serve_earlier = self.served,
                advice,
                left_out,
                "several environments were not loaded, all for the same reason"
            );
        }
    }

    fn names(&self) -> String {
        some_of(std::iter::once(&self.first.environment).chain(&self.others), MOST_NAMED)
    }
}

fn log_loaded(loaded: Loaded, left_out: Option<u64>) {
    let (environment, signer) = (loaded.environment.as_str(), loaded.signer.as_deref());
    let keys = loaded.keys;
    tracing::info!(environment, keys, signer, left_out, "the environment was loaded");
    if let Some((alarm, reason)) = &loaded.alarm {
        let alarm = alarm.name();
        tracing::error!(
            environment,
            alarm,
            reason,
            "the environment was loaded, and should perhaps not have been"
        );
    }
    for warning in loaded.warnings {
        // Its text says what it is; names of strangers in it are escaped and cut.
        tracing::warn!(environment, "the environment was loaded, and {warning}");
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;
    use crate::adapters::sops::Alarm;

    const MOMENT: Duration = Duration::from_millis(1);

    fn failed(environment: &str, reason: u32) -> Outcome {
        Outcome::Failed(Failed {
            environment: environment.parse().unwrap(),
            fault: FileFault::Refused,
            alarm: Alarm::Refused,
            reason: reason.to_string(),
            serves_earlier: false,
        })
    }

    /// With a clock that goes on when it is told to.
    fn outcomes() -> (Outcomes<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Outcomes::new(clock.clone()), clock)
    }

    #[test]
    fn what_came_last_is_told_after_a_pause_with_how_many_were_not() {
        let (mut outcomes, clock) = outcomes();
        for at in 0..AT_ONCE.get() {
            let told = outcomes.take(failed("dev", at));
            assert_eq!(told, Some(Told { outcome: failed("dev", at), left_out: 0 }));
        }
        for at in 0..4 {
            assert_eq!(outcomes.take(failed("dev", 100 + at)), None);
        }
        assert!(outcomes.take(failed("prod", 0)).is_some(), "each has a pace of its own");
        clock.advance(PAUSE.saturating_sub(MOMENT));
        assert_eq!(outcomes.due(), []);
        clock.advance(MOMENT);
        let last = Told { outcome: failed("dev", 103), left_out: 3 };
        assert_eq!(outcomes.due(), [last]);
        assert_eq!(outcomes.due(), [], "it is told once");
    }

    #[test]
    fn environments_that_fail_for_one_reason_are_one_line_that_counts_them() {
        let mut refused = Vec::new();
        let reason_of = |at: usize| u32::from(at == 3);
        for at in 0..500 {
            let Outcome::Failed(of) = failed(&format!("e{at}"), reason_of(at)) else {
                unreachable!("it is one that failed")
            };
            Refused::add(&mut refused, Failed { serves_earlier: at < 7, ..of }, 1);
        }
        assert_eq!(refused.len(), 2);
        assert_eq!((refused[0].served, refused[0].left_out), (6, 499));
        assert_eq!(refused[0].names(), "e0, e1, e2, e4, e5, e6, e7, e8, e9, e10 and 489 more");
        assert_eq!(refused[1].names(), "e3");
    }

    #[test]
    fn an_environment_of_which_nothing_was_told_for_long_is_forgotten() {
        let (mut outcomes, clock) = outcomes();
        outcomes.take(failed("dev", 0));
        // The limiter keeps one for a pause beyond that in which it is of use.
        clock.advance((2 * PAUSE).saturating_sub(MOMENT));
        outcomes.due();
        assert_eq!(outcomes.limiter.len(), 1);
        clock.advance(MOMENT);
        outcomes.due();
        assert!(outcomes.limiter.is_empty() && outcomes.held.is_empty());
    }

    #[test]
    fn rewriting_at_each_look_is_told_once_a_pause() {
        let (mut outcomes, clock) = outcomes();
        let look = Duration::from_millis(200);
        let mut told = 0;
        for at in 0..1500 {
            told += usize::from(outcomes.take(failed("dev", at)).is_some());
            told += outcomes.due().len();
            clock.advance(look);
        }
        // Five minutes: what is told at once, and one each pause.
        assert_eq!(told, 10 + 59);
    }
}
