//! Events of the cluster (events.k8s.io/v1): what goes wrong with an object, told where whoever
//! looks at the object sees it.
//!
//! Invariant: few are written, however much goes wrong. Of one topic there is one event at a time,
//! whose count goes up now and then; of all together there is one in [`SPACING`].

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
use super::topics::{Due, Topics};
use crate::domain::system::VAULT;

/// The time between two that are written, of whatever kind.
const SPACING: Duration = Duration::from_millis(200);

/// The longest note that the API server takes, in bytes.
const MAX_NOTE_LEN: usize = 1024;

/// What went wrong, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The object that it is about.
    pub about: About,
    /// The kind in one word, such as `Refused`.
    pub reason: &'static str,
    /// What was to be done, in one word, such as `Read`.
    pub action: &'static str,
    /// What of the object it is about, such as an environment. The same reason for the same of
    /// one object is one event, whatever the notes say.
    pub of: String,
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
    topics: Topics,
    /// Is told of each notice that nobody will be.
    lost: Box<dyn Fn() + Send + Sync>,
    /// Whether the last one could not be written.
    failing: bool,
}

impl EventWriter {
    /// Writes what it is told of, and says where that is too much.
    pub fn new(
        client: Client,
        instance: String,
        notices: mpsc::Receiver<Notice>,
        lost: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (topics, lost) = (Topics::default(), Box::new(lost));
        Self { client, instance, notices, topics, lost, failing: false }
    }

    /// Writes until it is dropped.
    pub async fn run(mut self) -> Infallible {
        let mut ticks = interval(SPACING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            tokio::select! {
                notice = self.notices.recv(), if open => match notice {
                    Some(notice) => self.see(notice),
                    None => open = false,
                },
                _ = ticks.tick() => {
                    if let Some(due) = self.topics.due(Instant::now()) {
                        self.write(due).await;
                    }
                }
            }
        }
    }

    fn see(&mut self, notice: Notice) {
        if self.topics.see(notice, Instant::now()) {
            (self.lost)();
        }
    }

    async fn write(&mut self, due: Due) {
        let written = match due.event.clone() {
            None => self.create(&due).await.map(Some),
            Some(event) => match self.count(&due, &event).await {
                // It was there for its time, and is gone.
                Err(error) if error.code() == Some(404) => Ok(None),
                counted => counted.map(|()| Some(event)),
            },
        };
        let now = Instant::now();
        match written {
            Ok(event) => {
                self.failing = false;
                self.topics.written(due, event, now);
            }
            Err(error) => {
                if !self.failing {
                    tracing::warn!(%error, "an event is not written");
                }
                self.failing = true;
                self.topics.failed(&due, now);
            }
        }
    }

    async fn create(&self, due: &Due) -> Result<String, ClusterError> {
        let About { api_version, kind, namespace, name, uid } = &due.topic.about;
        let now = Timestamp::now();
        // Unlike that of any other event, of another replica too.
        let distinct = RandomState::new().hash_one((&due.topic, now));
        let event_name = format!("{name}.{distinct:016x}");
        let note: String = due.note.chars().take(MAX_NOTE_LEN / 4).collect();
        let event = Event {
            metadata: ObjectMeta {
                name: Some(event_name.clone()),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            type_: Some("Warning".to_owned()),
            reason: Some(due.topic.reason.to_owned()),
            action: Some(due.topic.action.to_owned()),
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
        if due.count > 1 {
            self.count(due, &event_name).await?;
        }
        Ok(event_name)
    }

    async fn count(&self, due: &Due, event: &str) -> Result<(), ClusterError> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &due.topic.about.namespace);
        let series = json!({"series": {"count": due.count, "lastObservedTime": MicroTime(Timestamp::now())}});
        let patch = Patch::Merge(&series);
        let what = "patch events.events.k8s.io";
        ask(what, api.patch(event, &PatchParams::default(), &patch)).await.map(drop)
    }
}
