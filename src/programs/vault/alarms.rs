//! What is wrong with SOPS files, on its way to the objects that they come from, as events of the
//! cluster.
//!
//! Invariant: nothing waits for an event, and one holds no value: a text is that of the log. What
//! waits to be told is bounded by the environments that there are, and one of them takes no other's
//! place. It does not wait among the refusals of `complaints`: of these whoever is refused can make
//! as many as there is room for, and what is too much is dropped.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};

use crate::adapters::kubernetes::{About, ConfigMaps, Notice, ObjectMark};
use crate::adapters::serve::Metrics;
use crate::adapters::sops::{
    Alarm, Failed, Loaded, SopsStore, config_map_origin, environment_of_file,
};
use crate::domain::names::Environment;

/// How many ConfigMaps are told of one environment that they all have a file of.
const MOST_TOLD: usize = 8;

/// Takes alarms; where there is no cluster to tell of them, to nowhere.
#[derive(Clone, Default)]
pub(super) struct Alarms(Option<Arc<Waiting>>);

/// Gives the alarms that were taken, the oldest first.
pub(super) struct Raises(Arc<Waiting>);

/// What waits to be told: of one kind of one environment, what came last.
#[derive(Default)]
struct Waiting {
    raised: Mutex<VecDeque<Raised>>,
    more: Notify,
}

/// What is wrong with one environment's file, and what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    environment: Environment,
    alarm: Alarm,
    note: String,
}

/// Where alarms are told.
pub(super) struct Listener {
    pub(super) alarms: Raises,
    pub(super) notices: mpsc::Sender<Notice>,
    pub(super) namespace: String,
    /// None where the SOPS files come from a folder.
    pub(super) config_maps: Option<Arc<ConfigMaps>>,
    pub(super) store: Arc<SopsStore>,
    /// This replica's name, which is that of its pod.
    pub(super) replica: String,
}

impl Alarms {
    /// Those that somebody hears.
    pub(super) fn channel() -> (Self, Raises) {
        let waiting = Arc::new(Waiting::default());
        (Self(Some(Arc::clone(&waiting))), Raises(waiting))
    }

    /// Takes one, in the place of what was said of the same before and nobody was told of.
    pub(super) fn take(&self, raised: Raised, metrics: &Metrics) {
        let Some(waiting) = &self.0 else { return };
        let mut all = waiting.lock();
        let is_same =
            |of: &&mut Raised| of.environment == raised.environment && of.alarm == raised.alarm;
        match all.iter_mut().find(is_same) {
            Some(of) => {
                *of = raised;
                metrics.event_dropped();
            }
            None => all.push_back(raised),
        }
        drop(all);
        waiting.more.notify_one();
    }

    /// Forgets what is not told yet of environments whose files are gone: no object is there to be
    /// told of it.
    pub(super) fn forget(&self, gone: &[Environment], metrics: &Metrics) {
        let Some(waiting) = self.0.as_ref().filter(|_| !gone.is_empty()) else { return };
        waiting.lock().retain(|raised| {
            let stays = !gone.contains(&raised.environment);
            if !stays {
                metrics.event_dropped();
            }
            stays
        });
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Raised>> {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Raises {
    /// The next, once there is one.
    async fn next(&self) -> Raised {
        loop {
            let next = self.0.lock().pop_front();
            match next {
                Some(raised) => return raised,
                None => self.0.more.notified().await,
            }
        }
    }
}

impl Raised {
    /// That of a version that is not served.
    pub(super) fn of_failed(failed: &Failed) -> Self {
        let served = if failed.serves_earlier {
            "an earlier version is served"
        } else {
            "nothing of it is served"
        };
        let Failed { environment, alarm, reason, .. } = failed;
        let note = format!("environment {environment}, {served}: {reason}");
        Self { environment: environment.clone(), alarm: *alarm, note }
    }

    /// That of a version that is served all the same, where there is one.
    pub(super) fn of_loaded(loaded: &Loaded) -> Option<Self> {
        let (alarm, reason) = loaded.alarm.as_ref()?;
        let environment = loaded.environment.clone();
        let note = format!("environment {environment}, it is served: {reason}");
        Some(Self { environment, alarm: *alarm, note })
    }

    /// What is wrong, in one word.
    fn reason(&self) -> &'static str {
        match self.alarm {
            Alarm::Refused => "NotLoaded",
            Alarm::Rollback => "RolledBack",
            Alarm::Signature => "NotSigned",
            Alarm::Environment => "OtherEnvironment",
        }
    }

    /// What an object is told of it.
    fn notice(&self, about: About) -> Notice {
        Notice {
            about,
            reason: self.reason(),
            action: "Load",
            of: self.environment.to_string(),
            note: self.note.clone(),
        }
    }
}

impl Listener {
    /// Tells the objects of each alarm, until it is dropped.
    pub(super) async fn tell(self) -> Infallible {
        loop {
            let raised = self.alarms.next().await;
            for about in self.about(&raised.environment) {
                let notice = raised.notice(about);
                if self.notices.send(notice).await.is_err() {
                    // Nobody writes any more, as the vault is ending.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// The ConfigMaps with an environment's file, the one first whose version is served, and the
    /// others by their age: whoever makes more of them drives out none that was there. Where the
    /// files come from a folder, the vault's pod.
    fn about(&self, environment: &Environment) -> Vec<About> {
        let namespace = || self.namespace.clone();
        let Some(config_maps) = &self.config_maps else {
            let name = self.replica.clone();
            return vec![About {
                api_version: "v1",
                kind: "Pod",
                namespace: namespace(),
                name,
                uid: None,
            }];
        };
        let files = config_maps.files();
        let files = files.borrow();
        // Not by how it begins: what is no file of an environment must take no other's place.
        let is_its = |key: &str| environment_of_file(key).as_ref() == Some(environment);
        let keys = files.iter().flat_map(|files| files.keys());
        let mut names: Vec<String> =
            keys.filter(|(_, key)| is_its(key)).map(|(name, _)| name.clone()).collect();
        names.dedup();
        let served = self.store.served_from(environment);
        let marked = names.into_iter().map(|name| (config_maps.mark(&name), name));
        let about = |(mark, name): (Option<ObjectMark>, String)| About {
            api_version: "v1",
            kind: "ConfigMap",
            namespace: namespace(),
            uid: mark.map(|mark| mark.uid),
            name,
        };
        first_told(marked.collect(), served.as_deref()).into_iter().map(about).collect()
    }
}

/// Those of some ConfigMaps that are told of an environment that they all have a file of.
fn first_told(
    mut all: Vec<(Option<ObjectMark>, String)>,
    served: Option<&str>,
) -> Vec<(Option<ObjectMark>, String)> {
    all.sort_by_key(|(mark, name)| {
        let is_served = served == Some(config_map_origin(name).as_str());
        let created = mark.as_ref().and_then(|mark| mark.created);
        // One of which it is not known when it was made is no older one.
        (!is_served, created.is_none(), created)
    });
    all.truncate(MOST_TOLD);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(environment: &str, alarm: Alarm, note: &str) -> Raised {
        Raised { environment: environment.parse().unwrap(), alarm, note: note.to_owned() }
    }

    /// How many events were not told.
    fn dropped(metrics: &Metrics) -> usize {
        let text = metrics.encode();
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix("vanta_events_dropped_total "));
        line.unwrap().parse().unwrap()
    }

    #[tokio::test]
    async fn a_flood_of_one_environments_alarms_leaves_the_rollback_of_another_its_place() {
        let ((alarms, raises), metrics) = (Alarms::channel(), Metrics::default());
        for line in 0..10_000 {
            let note = format!("line {line} is not valid YAML");
            alarms.take(raised("dev", Alarm::Refused, &note), &metrics);
        }
        let rolled_back = raised("prod", Alarm::Rollback, "it is older");
        alarms.take(rolled_back.clone(), &metrics);
        assert_eq!(raises.next().await.note, "line 9999 is not valid YAML");
        assert_eq!(raises.next().await, rolled_back);
        assert_eq!(dropped(&metrics), 9_999, "what was replaced is counted");
    }

    #[test]
    fn the_config_map_that_is_served_is_told_first_and_then_those_that_were_there_first() {
        let made = |second: i64, name: &str| {
            let created = jiff::Timestamp::from_second(second).ok();
            (Some(ObjectMark { uid: String::new(), created }), name.to_owned())
        };
        let mut all: Vec<_> = (0..9).map(|at| made(200 + at, &format!("a{at}"))).collect();
        all.extend([made(100, "old"), made(300, "prod"), (None, "b".to_owned())]);
        let names = |served| -> Vec<String> {
            first_told(all.clone(), served).into_iter().map(|(_, name)| name).collect()
        };
        let told = names(Some("ConfigMap prod"));
        assert_eq!(told, ["prod", "old", "a0", "a1", "a2", "a3", "a4", "a5"]);
        assert_eq!(names(None), ["old", "a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
    }

    #[tokio::test]
    async fn names_that_come_and_go_do_not_pile_up_where_nobody_is_told() {
        let ((alarms, raises), metrics) = (Alarms::channel(), Metrics::default());
        let rolled_back = raised("prod", Alarm::Rollback, "it is older");
        alarms.take(rolled_back.clone(), &metrics);
        for round in 0..100 {
            let names: Vec<Environment> =
                (0..100).map(|at| format!("e{round}-{at}").parse().unwrap()).collect();
            for name in &names {
                alarms.take(raised(name.as_str(), Alarm::Refused, "x"), &metrics);
            }
            alarms.forget(&names, &metrics);
        }
        assert_eq!(raises.next().await, rolled_back);
        assert!(raises.0.lock().is_empty());
        assert_eq!(dropped(&metrics), 10_000);
    }
}
