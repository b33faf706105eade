//! What became of an environment's files, on its way to the log.
//!
//! Whoever may write a file can have it loaded and refused at every look. Invariant: what came last
//! is told at once, or a few seconds later where much was told before; what is left out is counted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::config::IDENTITY_ADVICE;
use crate::adapters::sops::{Failed, Loaded};
use crate::domain::names::Environment;
use crate::domain::ports::FileFault;

/// How many outcomes of one environment are told without a pause.
const AT_ONCE: u32 = 10;

/// How many environments a line names.
const MOST_NAMED: usize = 10;

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
#[derive(Debug, Default)]
pub(super) struct Outcomes(BTreeMap<Environment, Pace>);

#[derive(Debug)]
struct Pace {
    /// Until when all that was told is paid off, a pause for each.
    paid_off: Instant,
    held: Option<Outcome>,
    left_out: u64,
}

impl Pace {
    fn allows(&self, now: Instant) -> bool {
        self.paid_off.saturating_duration_since(now) <= PAUSE * (AT_ONCE - 1)
    }

    fn tell(&mut self, outcome: Outcome, now: Instant) -> Told {
        self.paid_off = self.paid_off.max(now) + PAUSE;
        Told { outcome, left_out: std::mem::take(&mut self.left_out) }
    }
}

impl Outcomes {
    /// Takes what became of an environment, and gives what is to be told now.
    pub(super) fn take(&mut self, outcome: Outcome, now: Instant) -> Option<Told> {
        let new = || Pace { paid_off: now, held: None, left_out: 0 };
        let pace = self.0.entry(outcome.environment().clone()).or_insert_with(new);
        if pace.held.take().is_some() {
            pace.left_out += 1;
        }
        if pace.allows(now) {
            return Some(pace.tell(outcome, now));
        }
        pace.held = Some(outcome);
        None
    }

    /// What was held back and is to be told now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Told> {
        let due = self.0.values_mut().filter(|pace| pace.allows(now));
        let due = due.filter_map(|pace| pace.held.take().map(|outcome| pace.tell(outcome, now)));
        let due = due.collect();
        self.0.retain(|_, pace| pace.held.is_some() || pace.paid_off > now);
        due
    }
}

impl Outcome {
    fn environment(&self) -> &Environment {
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

    /// The names of some, and how many more there are.
    fn names(&self) -> String {
        let all = std::iter::once(&self.first.environment).chain(&self.others);
        let some: Vec<&str> = all.take(MOST_NAMED).map(Environment::as_str).collect();
        match (self.others.len() + 1).saturating_sub(MOST_NAMED) {
            0 => some.join(", "),
            more => format!("{} and {more} more", some.join(", ")),
        }
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
    use super::*;
    use crate::adapters::sops::Alarm;

    fn failed(environment: &str, reason: u32) -> Outcome {
        Outcome::Failed(Failed {
            environment: environment.parse().unwrap(),
            fault: FileFault::Refused,
            alarm: Alarm::Refused,
            reason: reason.to_string(),
            serves_earlier: false,
        })
    }

    #[test]
    fn what_came_last_is_told_after_a_pause_with_how_many_were_not() {
        let (mut outcomes, start) = (Outcomes::default(), Instant::now());
        for at in 0..AT_ONCE {
            let told = outcomes.take(failed("dev", at), start);
            assert_eq!(told, Some(Told { outcome: failed("dev", at), left_out: 0 }));
        }
        for at in 0..4 {
            assert_eq!(outcomes.take(failed("dev", 100 + at), start), None);
        }
        assert!(outcomes.take(failed("prod", 0), start).is_some(), "each has a pace of its own");
        assert_eq!(outcomes.due(start + PAUSE.saturating_sub(Duration::from_millis(1))), []);
        let last = Told { outcome: failed("dev", 103), left_out: 3 };
        assert_eq!(outcomes.due(start + PAUSE), [last]);
        assert_eq!(outcomes.due(start + PAUSE), [], "it is told once");
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
        let (mut outcomes, start) = (Outcomes::default(), Instant::now());
        outcomes.take(failed("dev", 0), start);
        outcomes.due(start + PAUSE.saturating_sub(Duration::from_millis(1)));
        assert_eq!(outcomes.0.len(), 1);
        outcomes.due(start + PAUSE);
        assert!(outcomes.0.is_empty());
    }

    #[test]
    fn rewriting_at_each_look_is_told_once_a_pause() {
        let (mut outcomes, start) = (Outcomes::default(), Instant::now());
        let look = Duration::from_millis(200);
        let mut told = 0;
        for at in 0..1500 {
            let now = start + look * at;
            told += usize::from(outcomes.take(failed("dev", at), now).is_some());
            told += outcomes.due(now).len();
        }
        // Five minutes: what is told at once, and one each pause.
        assert_eq!(told, 10 + 59);
    }
}
