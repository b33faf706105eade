//! Of what the vault reads: environments, grants, keys, its certificate.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::alarm_counts::AlarmCounts;
use super::registrar::Registrar;
use super::{Seconds, whole};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    source: Reload,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EnvironmentLabels {
    environment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlarmLabels {
    environment: String,
    alarm: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GrantLabels {
    kind: &'static str,
}

/// What was read again because it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Reload {
    Grants,
    Clients,
    Issuers,
    Certificate,
    Identities,
    Secrets,
    SigningKeys,
}

/// How one environment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentStanding {
    /// Its name.
    pub environment: String,
    /// How many keys are served; none where nothing is loaded.
    pub keys: Option<usize>,
    /// Whether the newest version is the one that is served.
    pub healthy: bool,
    /// Each kind of alarm, and whether it is raised now.
    pub alarms: Vec<(&'static str, bool)>,
}

/// What is counted of sources.
#[derive(Debug)]
pub struct SourceMetrics {
    reloads: Family<ReloadLabels, Counter>,
    healthy: Family<EnvironmentLabels, Gauge>,
    keys: Family<EnvironmentLabels, Gauge>,
    loaded: Family<EnvironmentLabels, Gauge>,
    alarms: Family<AlarmLabels, Gauge>,
    counts: AlarmCounts,
    listed: Gauge,
    /// The environments that have gauges, with the kinds of alarms.
    shown: Mutex<BTreeMap<String, Vec<&'static str>>>,
    grants: Family<GrantLabels, Gauge>,
    grants_age: Seconds,
    signing_keys: Gauge,
    /// Without a label; absent where there is no TLS.
    certificate_end: Family<[(&'static str, &'static str); 0], Gauge>,
}

impl Reload {
    const ALL: [Self; 7] = [
        Self::Grants,
        Self::Clients,
        Self::Issuers,
        Self::Certificate,
        Self::Identities,
        Self::Secrets,
        Self::SigningKeys,
    ];
}

impl SourceMetrics {
    pub(super) fn new(registrar: &mut Registrar) -> Self {
        let metrics = Self {
            reloads: registrar.register(
                "reloads",
                "Sources read again, by result",
                Family::default(),
            ),
            healthy: registrar.register(
                "environment_healthy",
                "1 where the newest version of an environment's file is the one that is served",
                Family::default(),
            ),
            keys: registrar.register(
                "environment_keys",
                "Keys of an environment that are served; 0 where nothing is loaded",
                Family::default(),
            ),
            loaded: registrar.register_seconds(
                "environment_loaded_timestamp",
                "When an environment was last loaded, since 1970",
                Family::default(),
            ),
            alarms: registrar.register(
                "environment_alarm",
                "1 while something is wrong with the newest version of an environment's file",
                Family::default(),
            ),
            counts: AlarmCounts::new(registrar),
            listed: registrar.register(
                "environments_listed",
                "1 where it is known which environments there are, and none is left out",
                Gauge::default(),
            ),
            shown: Mutex::default(),
            grants: registrar.register(
                "grants",
                "SecretAccess and SecretPolicy objects in force",
                Family::default(),
            ),
            grants_age: registrar.register_seconds(
                "grants_age",
                "How long ago the source of the grants was last heard of",
                Seconds::default(),
            ),
            signing_keys: registrar.register(
                "signing_keys",
                "Keys that access tokens are checked with",
                Gauge::default(),
            ),
            certificate_end: registrar.register_seconds(
                "certificate_end_timestamp",
                "When the serving certificate ends, since 1970",
                Family::default(),
            ),
        };
        // An increase is one over what was there before: a series that begins with its first
        // failure shows none, and no alert tells of it.
        for source in Reload::ALL {
            for result in ["success", "failure"] {
                drop(metrics.reloads.get_or_create(&ReloadLabels { source, result }));
            }
        }
        metrics
    }

    /// Counts that a source was read again.
    pub fn reload(&self, source: Reload, succeeded: bool) {
        let result = if succeeded { "success" } else { "failure" };
        self.reloads.get_or_create(&ReloadLabels { source, result }).inc();
    }

    /// Says when an environment was loaded, in epoch seconds.
    pub fn loaded(&self, environment: &str, at: i64) {
        let labels = EnvironmentLabels { environment: environment.to_owned() };
        self.loaded.get_or_create(&labels).set(at);
    }

    /// Counts that an alarm was raised.
    pub fn alarm(&self, environment: &str, alarm: &'static str) {
        self.counts.raised(environment, alarm);
    }

    /// Counts that versions were refused, and gone before that was an alarm.
    pub fn brief_refusal(&self, environment: &str) {
        self.counts.brief(environment);
    }

    /// Says how every environment stands; there are no others.
    pub fn environments(&self, all: impl IntoIterator<Item = EnvironmentStanding>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut there = BTreeMap::new();
        // Set first, and then removed, so that a scrape in between misses none.
        for EnvironmentStanding { environment, keys, healthy, alarms } in all {
            let kinds: Vec<&'static str> = alarms.iter().map(|(alarm, _)| *alarm).collect();
            there.insert(environment.clone(), kinds);
            for (alarm, is_raised) in alarms {
                let labels = AlarmLabels { environment: environment.clone(), alarm };
                self.alarms.get_or_create(&labels).set(i64::from(is_raised));
            }
            let labels = EnvironmentLabels { environment };
            self.healthy.get_or_create(&labels).set(i64::from(healthy));
            self.keys.get_or_create(&labels).set(whole(keys.unwrap_or_default()));
        }
        for (gone, kinds) in shown.iter().filter(|(shown, _)| !there.contains_key(*shown)) {
            let labels = EnvironmentLabels { environment: gone.clone() };
            self.healthy.remove(&labels);
            self.keys.remove(&labels);
            self.loaded.remove(&labels);
            for alarm in kinds {
                let labels = AlarmLabels { environment: gone.clone(), alarm };
                self.alarms.remove(&labels);
            }
        }
        self.counts.there_are(&there);
        *shown = there;
    }

    /// Says whether it is known which environments there are, and all of them are read.
    pub fn listed(&self, all: bool) {
        self.listed.set(i64::from(all));
    }

    /// Says how many grants are in force.
    pub fn grants(&self, accesses: usize, policies: usize) {
        for (kind, number) in [("SecretAccess", accesses), ("SecretPolicy", policies)] {
            self.grants.get_or_create(&GrantLabels { kind }).set(whole(number));
        }
    }

    /// Says how long nothing was heard of the grants' source.
    pub fn grants_age(&self, age: Duration) {
        self.grants_age.set(age.as_secs_f64());
    }

    /// Says how many keys check tokens.
    pub fn signing_keys(&self, number: usize) {
        self.signing_keys.set(whole(number));
    }

    /// Says when the serving certificate ends, in epoch seconds.
    pub fn certificate_ends(&self, at: i64) {
        self.certificate_end.get_or_create(&[]).set(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_watch_grow_is_there_before_it_grows() {
        let mut registrar = Registrar::new("vanta");
        let metrics = SourceMetrics::new(&mut registrar);
        let text = registrar.encode();
        for source in Reload::ALL {
            for result in ["success", "failure"] {
                let series =
                    format!("vanta_reloads_total{{source=\"{source:?}\",result=\"{result}\"}} 0\n");
                assert!(text.contains(&series), "{series}: {text}");
            }
        }
        let dev = |refused| EnvironmentStanding {
            environment: "dev".to_owned(),
            keys: Some(1),
            healthy: true,
            alarms: vec![("refused", refused), ("rollback", false)],
        };
        let series = |alarm: &str, count: u64| {
            format!("alarms_total{{environment=\"dev\",alarm=\"{alarm}\"}} {count}\n")
        };
        metrics.environments([dev(false)]);
        let text = registrar.encode();
        assert!(text.contains(&series("refused", 0)) && text.contains(&series("rollback", 0)));
        metrics.alarm("dev", "refused");
        metrics.environments([dev(true)]);
        let text = registrar.encode();
        assert!(text.contains(&series("refused", 1)) && text.contains(&series("rollback", 0)));
    }

    #[test]
    fn the_gauges_are_of_the_environments_that_there_are_and_never_vanish_between() {
        let mut registrar = Registrar::new("vanta");
        let metrics = SourceMetrics::new(&mut registrar);
        let standing = |environment: &str, healthy: bool| EnvironmentStanding {
            environment: environment.to_owned(),
            keys: healthy.then_some(3),
            healthy,
            alarms: vec![("refused", !healthy)],
        };
        let both = || [standing("dev", true), standing("prod", false)];
        metrics.environments(both());
        metrics.loaded("prod", 1);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (0..2000).for_each(|_| metrics.environments(both())));
            while !writer.is_finished() {
                assert!(registrar.encode().contains("healthy{environment=\"dev\"} 1"));
            }
        });
        metrics.alarm("prod", "refused");
        metrics.environments([standing("dev", false)]);
        let text = registrar.encode();
        assert!(text.contains("healthy{environment=\"dev\"} 0"), "{text}");
        let of_prod = text.lines().filter(|line| line.contains("prod"));
        assert!(of_prod.clone().all(|line| line.contains("_total{")), "{text}");
        assert_eq!(of_prod.filter(|line| line.ends_with(" 1")).count(), 1, "what is counted stays");
    }
}
