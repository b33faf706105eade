//! What is wrong with SOPS files, on its way to the objects that they come from, as events of the
//! cluster.
//!
//! Invariant: nothing waits for an event, and one holds no value: a text is that of the log.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::complaints::MOST_WAITING;
use crate::adapters::kubernetes::{About, ConfigMaps, Notice};
use crate::adapters::serve::Metrics;
use crate::adapters::sops::{Alarm, Failed, Loaded};
use crate::domain::names::Environment;

/// Takes alarms; where there is no cluster to tell of them, and where too many wait, to nowhere.
#[derive(Clone, Default)]
pub(super) struct Alarms(Option<mpsc::Sender<Raised>>);

/// What is wrong with one environment's file, and what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raised {
    environment: Environment,
    alarm: Alarm,
    note: String,
}

/// Where alarms are told.
pub(super) struct Listener {
    pub(super) alarms: mpsc::Receiver<Raised>,
    pub(super) notices: mpsc::Sender<Notice>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) namespace: String,
    /// None where the SOPS files come from a folder.
    pub(super) config_maps: Option<Arc<ConfigMaps>>,
    /// This replica's name, which is that of its pod.
    pub(super) replica: String,
}

impl Alarms {
    /// Those that somebody hears.
    pub(super) fn channel() -> (Self, mpsc::Receiver<Raised>) {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        (Self(Some(sender)), receiver)
    }

    /// Takes one.
    pub(super) fn take(&self, raised: Raised, metrics: &Metrics) {
        if let Some(sender) = &self.0
            && sender.try_send(raised).is_err()
        {
            metrics.event_dropped();
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
}

impl Listener {
    /// Tells the objects of each alarm, until nobody raises any more.
    pub(super) async fn tell(mut self) {
        while let Some(raised) = self.alarms.recv().await {
            for about in self.about(&raised.environment) {
                let (reason, note) = (raised.reason(), raised.note.clone());
                let notice = Notice { about, reason, action: "Load", note };
                if self.notices.try_send(notice).is_err() {
                    self.metrics.event_dropped();
                }
            }
        }
    }

    /// The ConfigMaps with an environment's file; where they come from a folder, the vault's pod.
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
        let file = format!("{environment}.enc.");
        let files = config_maps.files().borrow().clone().unwrap_or_default();
        let mut names: Vec<String> = files
            .into_keys()
            .filter(|(_, key)| key.starts_with(&file))
            .map(|(name, _)| name)
            .collect();
        names.dedup();
        let about = |name: String| About {
            api_version: "v1",
            kind: "ConfigMap",
            namespace: namespace(),
            uid: config_maps.uid(&name),
            name,
        };
        names.into_iter().map(about).collect()
    }
}
