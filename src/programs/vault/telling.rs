//! What the log says of what became of an environment's files.

use crate::adapters::sops::{Alarm, Brief, Failed, Loaded};
use crate::domain::names::{Environment, some_of};

/// How many environments a line names.
pub(super) const MOST_NAMED: usize = 10;

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

impl Outcome {
    /// Of which environment it is.
    pub(super) fn environment(&self) -> &Environment {
        match self {
            Self::Loaded(Loaded { environment, .. })
            | Self::Failed(Failed { environment, .. })
            | Self::Removed(environment) => environment,
        }
    }

    /// What is wrong, and why, where it is an alarm.
    pub(super) fn alarm(&self) -> Option<(Alarm, &str)> {
        match self {
            Self::Loaded(loaded) => {
                loaded.alarm.as_ref().map(|(alarm, reason)| (*alarm, reason.as_str()))
            }
            Self::Failed(failed) => Some((failed.alarm, &failed.reason)),
            Self::Removed(_) => None,
        }
    }
}

/// An outcome that is to be told, and what before it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) outcome: Outcome,
    /// How many outcomes were not.
    pub(super) left_out: u64,
    /// The gravest alarm among them.
    pub(super) passed: Option<(Alarm, String)>,
}

impl Told {
    /// In the place of what was not told of the same environment.
    pub(super) fn instead_of(self, before: Self) -> Self {
        let last = before.outcome.alarm().map(|(alarm, reason)| (alarm, reason.to_owned()));
        let alarms = [before.passed, last, self.passed].into_iter().flatten();
        Self {
            outcome: self.outcome,
            left_out: before.left_out + 1 + self.left_out,
            passed: alarms.max_by_key(|(alarm, _)| *alarm),
        }
    }

    /// The gravest alarm that was not told, where what is told is not as grave.
    fn graver(&self) -> Option<&(Alarm, String)> {
        let told = self.outcome.alarm().map(|(alarm, _)| alarm);
        self.passed.as_ref().filter(|(alarm, _)| Some(*alarm) > told)
    }
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, left_out: 0, passed: None }
    }
}

/// Writes into the log what is told at one time: what several environments fail for in common is
/// one line, such as trusted signers or an identity file that cannot be read.
pub(super) fn log(told: Vec<Told>) {
    let mut failed: Vec<Refused> = Vec::new();
    for told in told {
        if let Some((alarm, reason)) = told.graver() {
            let (environment, alarm) = (told.outcome.environment().as_str(), alarm.name());
            tracing::error!(
                environment,
                alarm,
                reason,
                "something was wrong with a version of the environment's file, and another has come since"
            );
        }
        let Told { outcome, left_out, .. } = told;
        match outcome {
            Outcome::Loaded(loaded) => log_loaded(&loaded, counted(left_out)),
            Outcome::Failed(of) => Refused::add(&mut failed, of, left_out),
            Outcome::Removed(environment) => {
                let (environment, lines_left_out) = (environment.as_str(), counted(left_out));
                tracing::warn!(
                    environment,
                    lines_left_out,
                    "the environment's file is gone: nothing of it is served"
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
        let Failed { environment, alarm, reason, serves_earlier, .. } = &self.first;
        let (alarm, lines_left_out) = (alarm.name(), counted(self.left_out));
        if self.others.is_empty() {
            let environment = environment.as_str();
            tracing::error!(
                environment,
                alarm,
                reason,
                serves_earlier,
                lines_left_out,
                "the environment was not loaded"
            );
        } else {
            tracing::error!(
                environments = self.names(),
                alarm,
                reason,
                not_loaded = self.others.len() + 1,
                serve_earlier = self.served,
                lines_left_out,
                "several environments were not loaded, all for the same reason"
            );
        }
    }

    fn names(&self) -> String {
        some_of(std::iter::once(&self.first.environment).chain(&self.others), MOST_NAMED)
    }
}

fn log_loaded(loaded: &Loaded, lines_left_out: Option<u64>) {
    let (environment, signer) = (loaded.environment.as_str(), loaded.signer.as_deref());
    let keys = loaded.keys;
    tracing::info!(environment, keys, signer, lines_left_out, "the environment was loaded");
    if let Some((alarm, reason)) = &loaded.alarm {
        let alarm = alarm.name();
        tracing::error!(
            environment,
            alarm,
            reason,
            "the environment was loaded, and should perhaps not have been"
        );
    }
    for warning in &loaded.warnings {
        // Its text says what it is; names of strangers in it are escaped and cut.
        tracing::warn!(environment, "the environment was loaded, and {warning}");
    }
}

/// Writes into the log what was refused for a moment, and how often.
pub(super) fn log_brief(Brief { environment, alarm, reason }: &Brief, times: u64) {
    let (environment, kind) = (environment.as_str(), alarm.name());
    tracing::warn!(
        environment,
        times,
        kind,
        reason,
        "versions of the environment's file were refused, and gone before that was an alarm"
    );
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::ports::FileFault;

    /// A version of an environment that is not served.
    pub(in super::super) fn failed(environment: &str, alarm: Alarm, reason: &str) -> Outcome {
        Outcome::Failed(Failed {
            environment: environment.parse().unwrap(),
            fault: FileFault::Refused,
            alarm,
            reason: reason.to_owned(),
            serves_earlier: false,
        })
    }

    /// A version of an environment that is served.
    pub(in super::super) fn loaded(environment: &str) -> Outcome {
        Outcome::Loaded(Loaded {
            environment: environment.parse().unwrap(),
            keys: 1,
            warnings: Vec::new(),
            alarm: None,
            signer: None,
        })
    }

    fn after(outcomes: impl IntoIterator<Item = Outcome>) -> Told {
        let told = outcomes.into_iter().map(Told::from);
        told.reduce(|before, next| next.instead_of(before)).unwrap()
    }

    #[test]
    fn what_was_left_out_is_counted_and_the_gravest_alarm_of_it_is_told_beside_what_came_last() {
        let refused = || failed("dev", Alarm::Refused, "not YAML");
        let of_other = || failed("dev", Alarm::Environment, "of prod");
        let told = after([refused(), of_other(), refused(), loaded("dev"), loaded("dev")]);
        assert_eq!((&told.outcome, told.left_out), (&loaded("dev"), 4));
        assert_eq!(told.graver(), Some(&(Alarm::Environment, "of prod".to_owned())));
        assert_eq!(
            after([loaded("dev"), refused(), loaded("dev")]).graver().unwrap().1,
            "not YAML"
        );
        assert_eq!(after([of_other(), refused()]).graver().unwrap().1, "of prod");
        assert_eq!(after([refused(), of_other()]).graver(), None, "it is told by itself");
        assert_eq!(after([refused(), refused()]).graver(), None);
        assert_eq!(after([loaded("dev"), loaded("dev")]).graver(), None);
    }

    #[test]
    fn environments_that_fail_for_one_reason_are_one_line_that_counts_them() {
        let mut refused = Vec::new();
        let reason_of = |at: usize| if at == 3 { "b" } else { "a" };
        for at in 0..500 {
            let Outcome::Failed(of) = failed(&format!("e{at}"), Alarm::Refused, reason_of(at))
            else {
                unreachable!("it is one that failed")
            };
            Refused::add(&mut refused, Failed { serves_earlier: at < 7, ..of }, 1);
        }
        assert_eq!(refused.len(), 2);
        assert_eq!((refused[0].served, refused[0].left_out), (6, 499));
        assert_eq!(refused[0].names(), "e0, e1, e2, e4, e5, e6, e7, e8, e9, e10 and 489 more");
        assert_eq!(refused[1].names(), "e3");
    }
}
