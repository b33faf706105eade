//! What was counted of alarms about environments' files, those included whose files are gone.
//!
//! Whoever may write a file can take it away again before anybody has looked. Invariant: what was
//! counted stays, and is of one environment or of all others together; made-up names that come and
//! go are no more series than there is room for, and take no older one's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registrar::Registrar;

/// How many environments whose files are gone have counts of their own.
const MOST_GONE: usize = 100;

/// Stands for all environments that have no counts of their own; none is named so.
const OTHERS: &str = "_others";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlarmLabels {
    environment: String,
    alarm: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EnvironmentLabels {
    environment: String,
}

/// How often there were alarms, and what was none since it passed at once.
#[derive(Debug)]
pub(super) struct AlarmCounts {
    raised: Family<AlarmLabels, Counter>,
    brief: Family<EnvironmentLabels, Counter>,
    places: Mutex<Places>,
}

/// The environments that have counts of their own.
#[derive(Debug, Default)]
struct Places {
    of: BTreeMap<String, Place>,
    taken: u64,
}

#[derive(Debug)]
struct Place {
    /// Of those that came later it is greater.
    since: u64,
    kinds: Vec<&'static str>,
}

impl AlarmCounts {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        Self {
            raised: registrar.register(
                "environment_alarms",
                "Alarms that were raised about an environment's file",
                Family::default(),
            ),
            brief: registrar.register(
                "environment_brief_refusals",
                "Times that versions of an environment's file were refused, and gone before that was an alarm",
                Family::default(),
            ),
            places: Mutex::default(),
        }
    }

    /// Counts that an alarm was raised.
    pub(super) fn raised(&self, environment: &str, alarm: &'static str) {
        // Held until it is counted, so that its series is not taken away before.
        let places = self.lock();
        let environment = places.name(environment);
        self.raised.get_or_create(&AlarmLabels { environment, alarm }).inc();
    }

    /// Counts that versions were refused, and gone before that was an alarm.
    pub(super) fn brief(&self, environment: &str) {
        let places = self.lock();
        let environment = places.name(environment);
        self.brief.get_or_create(&EnvironmentLabels { environment }).inc();
    }

    /// Takes in which environments there are, each with the kinds of alarms.
    pub(super) fn there_are(&self, there: &BTreeMap<String, Vec<&'static str>>) {
        let mut places = self.lock();
        for (environment, kinds) in there {
            if places.of.contains_key(environment) {
                continue;
            }
            for name in [environment, OTHERS] {
                self.begin(name, kinds);
            }
            places.taken += 1;
            let place = Place { since: places.taken, kinds: kinds.clone() };
            places.of.insert(environment.clone(), place);
        }
        let mut gone = Vec::new();
        for (environment, place) in &places.of {
            if !there.contains_key(environment) {
                gone.push((self.counted(environment, place), place.since, environment.clone()));
            }
        }
        // Of those that have counts, the ones that were there first stay.
        gone.sort_by_key(|(counted, since, _)| (*counted == 0, *since));
        for (at, (counted, _, environment)) in gone.into_iter().enumerate() {
            if (at >= MOST_GONE || counted == 0)
                && let Some(place) = places.of.remove(&environment)
            {
                self.add_to_others(environment, &place);
            }
        }
    }

    /// From nought, for whoever asks for the increase of it.
    fn begin(&self, environment: &str, kinds: &[&'static str]) {
        for alarm in kinds.iter().copied() {
            let labels = AlarmLabels { environment: environment.to_owned(), alarm };
            drop(self.raised.get_or_create(&labels));
        }
        let labels = EnvironmentLabels { environment: environment.to_owned() };
        drop(self.brief.get_or_create(&labels));
    }

    fn counted(&self, environment: &str, place: &Place) -> u64 {
        let raised = |alarm: &&'static str| {
            let labels = AlarmLabels { environment: environment.to_owned(), alarm };
            self.raised.get(&labels).map_or(0, |count| count.get())
        };
        let labels = EnvironmentLabels { environment: environment.to_owned() };
        let brief = self.brief.get(&labels).map_or(0, |count| count.get());
        place.kinds.iter().map(raised).sum::<u64>() + brief
    }

    /// Gives its counts to all others, and takes its series away.
    fn add_to_others(&self, environment: String, place: &Place) {
        for alarm in place.kinds.iter().copied() {
            let own = AlarmLabels { environment: environment.clone(), alarm };
            let others = AlarmLabels { environment: OTHERS.to_owned(), alarm };
            let count = self.raised.get(&own).map_or(0, |count| count.get());
            self.raised.get_or_create(&others).inc_by(count);
            self.raised.remove(&own);
        }
        let own = EnvironmentLabels { environment };
        let others = EnvironmentLabels { environment: OTHERS.to_owned() };
        let count = self.brief.get(&own).map_or(0, |count| count.get());
        self.brief.get_or_create(&others).inc_by(count);
        self.brief.remove(&own);
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Under which name an environment is counted.
    fn name(&self, environment: &str) -> String {
        if self.of.contains_key(environment) { environment } else { OTHERS }.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counted {
        counts: AlarmCounts,
        registrar: Registrar,
    }

    impl Counted {
        fn new() -> Self {
            let mut registrar = Registrar::new("vanta");
            Self { counts: AlarmCounts::new(&mut registrar), registrar }
        }

        fn there_are(&self, names: impl IntoIterator<Item = impl Into<String>>) {
            let names = names.into_iter();
            let there = names.map(|name| (name.into(), vec!["refused", "rollback"])).collect();
            self.counts.there_are(&there);
        }

        fn count(&self, series: &str) -> Option<u64> {
            let text = self.registrar.encode();
            let start = format!("vanta_environment_{series}");
            let line = text.lines().find(|line| line.starts_with(&start))?;
            line.rsplit(' ').next()?.parse().ok()
        }

        fn refused(&self, environment: &str) -> Option<u64> {
            self.count(&format!("alarms_total{{environment=\"{environment}\",alarm=\"refused\"}}"))
        }

        fn brief(&self, environment: &str) -> Option<u64> {
            self.count(&format!("brief_refusals_total{{environment=\"{environment}\"}}"))
        }
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn what_was_counted_outlives_the_file_and_goes_on_when_it_is_back() {
        let counted = Counted::new();
        counted.there_are(["dev", "prod"]);
        assert_eq!((counted.refused("dev"), counted.brief("dev")), (Some(0), Some(0)));
        counted.counts.raised("prod", "refused");
        counted.counts.brief("prod");
        counted.there_are(NONE);
        assert_eq!((counted.refused("prod"), counted.brief("prod")), (Some(1), Some(1)));
        assert_eq!(counted.refused("dev"), None, "of it there is nothing to keep");
        counted.there_are(["prod"]);
        counted.counts.raised("prod", "refused");
        assert_eq!(counted.refused("prod"), Some(2));
    }

    #[test]
    fn names_that_come_and_go_are_counted_together_and_take_no_older_ones_place() {
        let counted = Counted::new();
        counted.there_are(["prod"]);
        counted.counts.raised("prod", "refused");
        counted.there_are(NONE);
        let (rounds, names) = (20, 50);
        for round in 0..rounds {
            let names: Vec<String> = (0..names).map(|at| format!("e{round}-{at}")).collect();
            counted.there_are(&names);
            for name in &names {
                counted.counts.raised(name, "refused");
                counted.counts.brief(name);
            }
            counted.there_are(NONE);
        }
        assert_eq!(counted.refused("prod"), Some(1));
        let places = counted.counts.lock().of.len();
        assert_eq!(places, MOST_GONE);
        let others = Some(rounds * names + 1 - u64::try_from(MOST_GONE).unwrap());
        assert_eq!((counted.refused("_others"), counted.brief("_others")), (others, others));
        let text = counted.registrar.encode();
        let series = text.lines().filter(|line| line.starts_with("vanta_environment_")).count();
        assert_eq!(series, 3 * (MOST_GONE + 1));
    }

    #[test]
    fn an_environment_that_was_gone_before_it_was_seen_is_counted_with_the_others() {
        let counted = Counted::new();
        counted.counts.raised("dev", "refused");
        counted.counts.brief("dev");
        assert_eq!((counted.refused("dev"), counted.refused("_others")), (None, Some(1)));
        assert_eq!(counted.brief("_others"), Some(1));
    }
}
