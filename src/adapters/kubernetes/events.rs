//! Events of the cluster (events.k8s.io/v1): what goes wrong with an object, told where whoever
//! looks at the object sees it.
//!
//! Invariant: few are written, however much goes wrong. Of one kind for one object there is one
//! event, whose count goes up at most every [`PAUSE`]; of all together there is one in [`SPACING`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::ask::{ClusterError, ask};
use crate::domain::system::VAULT;

/// How often the event of one kind for one object is written at most.
const PAUSE: Duration = Duration::from_secs(10);

/// The time between two that are written, of whatever kind.
const SPACING: Duration = Duration::from_millis(200);

/// How long a kind may rest before its next is an event of its own.
const REST: Duration = Duration::from_mins(6);

/// How many are kept in mind at once; more are left out.
const MOST_KEPT: usize = 1024;

/// How many of them are of one namespace, which so leaves room for what others are told.
const MOST_OF_NAMESPACE: usize = MOST_KEPT / 4;

/// The longest note that the API server takes, in bytes.
const MAX_NOTE_LEN: usize = 1024;

/// What went wrong, and with what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notice {
    /// The object that it is about.
    pub about: About,
    /// The kind in one word, such as `Refused`.
    pub reason: &'static str,
    /// What was to be done, in one word, such as `Read`.
    pub action: &'static str,
    /// What went wrong, for people. It holds no value, no key and no token.
    pub note: String,
}

/// An object that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct About {
    /// The version of its API, such as `v1`.
    pub api_version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace, which the event is in too.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, by which it is found again.
    pub uid: Option<String>,
}

/// Writes events.
pub struct EventWriter {
    client: Client,
    /// Who writes them: this replica.
    instance: String,
    notices: mpsc::Receiver<Notice>,
    kept: Kept,
    /// Whether the last one could not be written.
    failing: bool,
}

/// What was noticed, and what of it is written.
#[derive(Default)]
struct Kept(BTreeMap<Notice, Series>);

/// One kind for one object.
struct Series {
    /// The name of the event that is there.
    event: Option<String>,
    seen: i32,
    written: i32,
    first_seen: Instant,
    last_seen: Instant,
    last_written: Option<Instant>,
}

impl EventWriter {
    /// Writes what it is told of.
    pub fn new(client: Client, instance: String, notices: mpsc::Receiver<Notice>) -> Self {
        Self { client, instance, notices, kept: Kept::default(), failing: false }
    }

    /// Writes until it is dropped.
    pub async fn run(mut self) -> Infallible {
        let mut ticks = interval(SPACING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            tokio::select! {
                notice = self.notices.recv(), if open => match notice {
                    Some(notice) => self.kept.see(notice, Instant::now()),
                    None => open = false,
                },
                _ = ticks.tick() => {
                    if let Some(notice) = self.kept.due(Instant::now()) {
                        self.write(notice).await;
                    }
                }
            }
        }
    }

    async fn write(&mut self, notice: Notice) {
        let Some(series) = self.kept.0.get(&notice) else { return };
        let (count, known) = (series.seen, series.event.clone());
        let written = match known {
            None => self.create(&notice, count).await.map(Some),
            Some(event) => match self.count(&notice, &event, count).await {
                // It was there for its time, and is gone.
                Err(error) if error.code() == Some(404) => Ok(None),
                counted => counted.map(|()| Some(event)),
            },
        };
        let now = Instant::now();
        match written {
            Ok(event) => {
                self.failing = false;
                self.kept.written(&notice, event, count, now);
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "an event is not written");
                }
                self.failing = true;
                self.kept.failed(&notice, now);
            }
        }
    }

    async fn create(&self, notice: &Notice, count: i32) -> Result<String, ClusterError> {
        let About { api_version, kind, namespace, name, uid } = &notice.about;
        let now = Timestamp::now();
        // Unlike that of any other event, of another replica too.
        let distinct = RandomState::new().hash_one((notice, now));
        let event_name = format!("{name}.{distinct:016x}");
        let note: String = notice.note.chars().take(MAX_NOTE_LEN / 4).collect();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(event_name.clone()),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some("Warning".to_owned()),
            reason: Some(notice.reason.to_owned()),
            action: Some(notice.action.to_owned()),
            note: Some(note),
            event_time: Some(MicroTime(now)),
            reporting_controller: Some(format!("vanta.dev/{VAULT}")),
            reporting_instance: Some(self.instance.clone()),
            regarding: Some(ObjectReference {
                api_version: Some((*api_version).to_owned()),
                kind: Some((*kind).to_owned()),
                namespace: Some(namespace.clone()),
                name: Some(name.clone()),
                uid: uid.clone(),
                ..ObjectReference::default()
            }),
            ..Event::default()
        };
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        ask("create events.events.k8s.io", api.create(&PostParams::default(), &event)).await?;
        if count > 1 {
            self.count(notice, &event_name, count).await?;
        }
        Ok(event_name)
    }

    async fn count(&self, notice: &Notice, event: &str, count: i32) -> Result<(), ClusterError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &notice.about.namespace);
        let series =
            json!({"series": {"count": count, "lastObservedTime": MicroTime(Timestamp::now())}});
        let patch = Patch::Merge(&series);
        let what = "patch events.events.k8s.io";
        ask(what, api.patch(event, &PatchParams::default(), &patch)).await.map(drop)
    }
}

impl Kept {
    fn see(&mut self, notice: Notice, now: Instant) {
        self.0.retain(|_, series| now.duration_since(series.last_seen) < REST);
        if !self.0.contains_key(&notice) && !self.has_room(&notice.about.namespace) {
            return;
        }
        let series = self.0.entry(notice).or_insert(Series {
            event: None,
            seen: 0,
            written: 0,
            first_seen: now,
            last_seen: now,
            last_written: None,
        });
        series.seen = series.seen.saturating_add(1);
        series.last_seen = now;
    }

    fn has_room(&self, namespace: &str) -> bool {
        let of_namespace = self.0.keys().filter(|kept| kept.about.namespace == namespace);
        self.0.len() < MOST_KEPT && of_namespace.count() < MOST_OF_NAMESPACE
    }

    /// The one that waits longest to be written, where one may be: of those that never were, the
    /// one that was seen first.
    fn due(&self, now: Instant) -> Option<Notice> {
        let may = |series: &Series| {
            let rested = |last: Instant| now.duration_since(last) >= PAUSE;
            series.seen > series.written && series.last_written.is_none_or(rested)
        };
        let due = self.0.iter().filter(|(_, series)| may(series));
        due.min_by_key(|(_, series)| (series.last_written, series.first_seen))
            .map(|(notice, _)| notice.clone())
    }

    fn written(&mut self, notice: &Notice, event: Option<String>, count: i32, now: Instant) {
        if let Some(series) = self.0.get_mut(notice) {
            // One that is gone is made anew, with the next.
            series.written = if event.is_some() { count } else { series.written };
            series.last_written = Some(now);
            series.event = event;
        }
    }

    fn failed(&mut self, notice: &Notice, now: Instant) {
        if let Some(series) = self.0.get_mut(notice) {
            series.last_written = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(name: &str) -> Notice {
        Notice {
            about: About {
                api_version: "v1",
                kind: "Pod",
                namespace: "shop".to_owned(),
                name: name.to_owned(),
                uid: None,
            },
            reason: "Refused",
            action: "Read",
            note: "x".to_owned(),
        }
    }

    #[test]
    fn one_kind_for_one_object_is_written_at_once_and_then_every_ten_seconds_with_its_count() {
        let (mut kept, start) = (Kept::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..1000 {
            kept.see(notice("a"), at(0));
        }
        assert_eq!(kept.due(at(0)), Some(notice("a")));
        kept.written(&notice("a"), Some("e".to_owned()), 1000, at(0));
        assert_eq!(kept.due(at(60)), None, "nothing is new");
        kept.see(notice("a"), at(1));
        assert_eq!(kept.due(at(9)), None);
        assert_eq!(kept.due(at(10)), Some(notice("a")));
        assert_eq!(kept.0[&notice("a")].seen, 1001);
    }

    #[test]
    fn the_one_that_waits_longest_comes_first_and_a_failure_waits_too() {
        let (mut kept, start) = (Kept::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        kept.see(notice("b"), at(0));
        kept.see(notice("a"), at(1));
        assert_eq!(kept.due(at(1)), Some(notice("b")), "it was seen first");
        kept.failed(&notice("b"), at(1));
        assert_eq!(kept.due(at(2)), Some(notice("a")));
        kept.written(&notice("a"), Some("e".to_owned()), 1, at(2));
        assert_eq!(kept.due(at(3)), None);
        assert_eq!(kept.due(at(11)), Some(notice("b")));
    }

    #[test]
    fn no_more_are_kept_in_mind_than_are_bounded_and_what_rests_is_forgotten() {
        let (mut kept, start) = (Kept::default(), Instant::now());
        let in_namespace = |namespace: usize, name: usize| {
            let mut notice = notice(&name.to_string());
            notice.about.namespace = namespace.to_string();
            notice
        };
        for name in 0..MOST_KEPT {
            kept.see(in_namespace(0, name), start);
        }
        assert_eq!(kept.0.len(), MOST_OF_NAMESPACE);
        kept.see(in_namespace(1, 0), start);
        assert!(kept.0.contains_key(&in_namespace(1, 0)), "a namespace leaves room for others");
        for namespace in 1..10 {
            for name in 0..MOST_OF_NAMESPACE {
                kept.see(in_namespace(namespace, name), start);
            }
        }
        assert_eq!(kept.0.len(), MOST_KEPT);
        kept.see(in_namespace(0, 0), start);
        assert_eq!(kept.0[&in_namespace(0, 0)].seen, 2, "what is known is counted");
        kept.see(notice("new"), start + REST);
        assert_eq!(kept.0.len(), 1);
    }
}
