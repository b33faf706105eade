//! How often what becomes of an environment's files is told.
//!
//! Whoever may write a file can have it loaded and refused at every look. Invariant: what came last
//! is told at once, or a few seconds later where much was told before; what is left out is counted,
//! and the gravest alarm of it is told. Good news takes no alarm's turn.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};

use super::pace::{Pace, pace};
use super::telling::Told;
use crate::adapters::sops::Brief;
use crate::domain::names::Environment;

/// How many outcomes of one environment are told without a pause, of alarms and of others each.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");

/// How long it takes until one more may be.
const PAUSE_OF_OUTCOMES: Duration = Duration::from_secs(5);

/// How often an environment's brief refusals are told, all since the last time as one.
const PAUSE_OF_BRIEF: Duration = Duration::from_mins(1);

/// What was told of which environments of late.
pub(super) struct Outcomes<C: Clock = DefaultClock> {
    alarms: Pace<Environment, C>,
    others: Pace<Environment, C>,
    /// What came last of those of which no more is to be told yet.
    held: BTreeMap<Environment, Told>,
    brief: Pace<Environment, C>,
    /// What was refused for a moment and not told yet, and how often.
    held_brief: BTreeMap<Environment, (Brief, u64)>,
}

impl Default for Outcomes {
    fn default() -> Self {
        Self::new(&DefaultClock::default())
    }
}

impl<C: Clock + Clone> Outcomes<C> {
    fn new(clock: &C) -> Self {
        Self {
            alarms: pace(PAUSE_OF_OUTCOMES, AT_ONCE, clock),
            others: pace(PAUSE_OF_OUTCOMES, AT_ONCE, clock),
            held: BTreeMap::new(),
            brief: pace(PAUSE_OF_BRIEF, NonZeroU32::MIN, clock),
            held_brief: BTreeMap::new(),
        }
    }

    /// Takes what became of an environment, and gives what is to be told now.
    pub(super) fn take(&mut self, told: Told) -> Option<Told> {
        let environment = told.outcome.environment().clone();
        let told = match self.held.remove(&environment) {
            Some(before) => told.instead_of(before),
            None => told,
        };
        if may_be_told(&self.alarms, &self.others, &told) {
            return Some(told);
        }
        self.held.insert(environment, told);
        None
    }

    /// What was held back and is to be told now.
    pub(super) fn due(&mut self) -> Vec<Told> {
        let Self { alarms, others, held, .. } = self;
        let due = held.extract_if(.., |_, told| may_be_told(alarms, others, told));
        let due = due.map(|(_, told)| told).collect();
        alarms.retain_recent();
        others.retain_recent();
        due
    }

    /// Takes that versions were refused for a moment: the gravest of an environment is told, and of
    /// those that are as grave the last.
    pub(super) fn take_brief(&mut self, brief: Brief) {
        match self.held_brief.get_mut(&brief.environment) {
            None => drop(self.held_brief.insert(brief.environment.clone(), (brief, 1))),
            Some((gravest, times)) => {
                *times += 1;
                if brief.alarm >= gravest.alarm {
                    *gravest = brief;
                }
            }
        }
    }

    /// What is to be told of that now, and how often it was.
    pub(super) fn brief_due(&mut self) -> Vec<(Brief, u64)> {
        let Self { brief, held_brief, .. } = self;
        let may = |environment: &Environment| brief.check_key(environment).is_ok();
        let due = held_brief.extract_if(.., |environment, _| may(environment));
        let due = due.map(|(_, of)| of).collect();
        brief.retain_recent();
        due
    }
}

/// Whether there is room for it: alarms and others have a pace each, and an alarm that was left out
/// goes with whichever is first.
fn may_be_told<C: Clock>(
    alarms: &Pace<Environment, C>,
    others: &Pace<Environment, C>,
    told: &Told,
) -> bool {
    let may = |pace: &Pace<Environment, C>| pace.check_key(told.outcome.environment()).is_ok();
    match (told.outcome.alarm(), &told.passed) {
        (Some(_), _) => may(alarms),
        (None, Some(_)) => may(others) || may(alarms),
        (None, None) => may(others),
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::super::telling::Outcome;
    use super::super::telling::tests::{failed as failed_for, loaded};
    use super::*;
    use crate::adapters::sops::Alarm;

    const MOMENT: Duration = Duration::from_millis(1);

    fn failed(environment: &str, reason: u32) -> Outcome {
        failed_for(environment, Alarm::Refused, &reason.to_string())
    }

    impl<C: Clock + Clone> Outcomes<C> {
        fn take_one(&mut self, outcome: Outcome) -> Option<Told> {
            self.take(outcome.into())
        }
    }

    /// With a clock that goes on when it is told to.
    fn outcomes() -> (Outcomes<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Outcomes::new(&clock), clock)
    }

    #[test]
    fn what_came_last_is_told_after_a_pause_with_how_many_were_not() {
        let (mut outcomes, clock) = outcomes();
        for at in 0..AT_ONCE.get() {
            let told = outcomes.take_one(failed("dev", at));
            assert_eq!(told, Some(failed("dev", at).into()));
        }
        for at in 0..4 {
            assert_eq!(outcomes.take_one(failed("dev", 100 + at)), None);
        }
        assert!(outcomes.take_one(failed("prod", 0)).is_some(), "each has a pace of its own");
        clock.advance(PAUSE_OF_OUTCOMES.saturating_sub(MOMENT));
        assert_eq!(outcomes.due(), []);
        clock.advance(MOMENT);
        let [Told { outcome, left_out, .. }] = &outcomes.due()[..] else { panic!("one is due") };
        assert_eq!((outcome, *left_out), (&failed("dev", 103), 3));
        assert_eq!(outcomes.due(), [], "it is told once");
    }

    #[test]
    fn an_environment_of_which_nothing_was_told_for_long_is_forgotten() {
        let (mut outcomes, clock) = outcomes();
        outcomes.take_one(failed("dev", 0));
        // The limiter keeps one for a pause beyond that in which it is of use.
        clock.advance((2 * PAUSE_OF_OUTCOMES).saturating_sub(MOMENT));
        outcomes.due();
        assert_eq!(outcomes.alarms.len(), 1);
        clock.advance(MOMENT);
        outcomes.due();
        assert!(outcomes.alarms.is_empty() && outcomes.held.is_empty());
    }

    #[test]
    fn rewriting_at_each_look_is_told_once_a_pause() {
        let (mut outcomes, clock) = outcomes();
        let look = Duration::from_millis(200);
        let mut told = 0;
        for at in 0..1500 {
            told += usize::from(outcomes.take_one(failed("dev", at)).is_some());
            told += outcomes.due().len();
            clock.advance(look);
        }
        // Five minutes: what is told at once, and one each pause.
        assert_eq!(told, 10 + 59);
    }

    #[test]
    fn good_news_takes_no_alarms_turn() {
        let (mut outcomes, _clock) = outcomes();
        for _ in 0..100 {
            outcomes.take_one(loaded("dev"));
        }
        let told = outcomes.take_one(failed("dev", 0)).expect("it is told at once");
        assert_eq!((&told.outcome, told.left_out), (&failed("dev", 0), 90));
    }

    #[test]
    fn an_alarm_that_was_held_back_is_told_with_the_good_news_that_came_after_it() {
        let (mut outcomes, clock) = outcomes();
        for at in 0..AT_ONCE.get() {
            assert!(outcomes.take_one(failed("dev", at)).is_some());
        }
        let of_other = || failed_for("dev", Alarm::Environment, "of prod");
        assert_eq!(outcomes.take_one(of_other()), None);
        let told = outcomes.take_one(loaded("dev")).expect("good news has its own pace");
        assert_eq!(told.passed, Some((Alarm::Environment, "of prod".to_owned())));
        // Where neither has a turn left, both wait for the first.
        for _ in 0..AT_ONCE.get() {
            outcomes.take_one(loaded("dev"));
        }
        outcomes.take_one(of_other());
        assert_eq!(outcomes.take_one(loaded("dev")), None);
        clock.advance(PAUSE_OF_OUTCOMES);
        let due = outcomes.due();
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].outcome, loaded("dev"));
        assert_eq!(due[0].passed, Some((Alarm::Environment, "of prod".to_owned())));
    }

    #[test]
    fn what_is_refused_for_a_moment_again_and_again_is_told_once_a_minute_with_how_often() {
        let (mut outcomes, clock) = outcomes();
        let brief = |environment: &str| Brief {
            environment: environment.parse().unwrap(),
            alarm: Alarm::Refused,
            reason: "x".to_owned(),
        };
        let mut times = Vec::new();
        for _ in 0..120 {
            outcomes.take_brief(brief("dev"));
            times.extend(outcomes.brief_due().into_iter().map(|(_, times)| times));
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(times, [1, 60]);
        outcomes.take_brief(brief("prod"));
        let due: Vec<Brief> = outcomes.brief_due().into_iter().map(|(brief, _)| brief).collect();
        assert_eq!(due, [brief("dev"), brief("prod")], "each has a pace of its own");
        assert_eq!(outcomes.brief_due(), []);
    }
}
