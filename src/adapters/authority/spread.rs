//! The authority's ConfigMap in each namespace, made, kept right and restored.
//!
//! Invariant: an outage of the API server ends nothing: watches begin again by themselves, and what
//! could not be written is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::DefaultBackoff;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use super::snapshot::Snapshot;
use crate::adapters::kubernetes::{ClusterError, ask};
use crate::domain::pod::{AUTHORITY_CONFIG_MAP, AUTHORITY_FILE};

/// How soon a ConfigMap that was just written is written again, should somebody keep changing it.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest wait after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// The bundle, once there is one.
pub type Bundle = Option<Arc<str>>;

/// What is told while the ConfigMaps are kept.
#[derive(Debug)]
pub enum SpreadReport<'a> {
    /// One was written.
    Written {
        /// In which namespace.
        namespace: &'a str,
    },
    /// One could not be written; it is tried again.
    Failed {
        /// In which namespace.
        namespace: &'a str,
        /// Why.
        error: &'a ClusterError,
    },
    /// A watch failed; it begins again by itself.
    Watch {
        /// Why.
        error: &'a ClusterError,
    },
    /// How many namespaces lack it now.
    Lacking(usize),
}

/// Keeps the ConfigMap in all namespaces but those that are excluded.
pub struct Spread {
    client: Client,
    excluded: &'static [&'static str],
    /// Whether each can still be written into.
    namespaces: Snapshot<bool>,
    /// What each holds; none where it is not what it should be.
    held: Snapshot<Option<Arc<str>>>,
    pauses: BTreeMap<String, Pause>,
}

struct Pause {
    until: Instant,
    failures: u32,
}

impl Spread {
    /// Nothing is done before it runs.
    pub fn new(client: Client, excluded: &'static [&'static str]) -> Self {
        Self {
            client,
            excluded,
            namespaces: Snapshot::default(),
            held: Snapshot::default(),
            pauses: BTreeMap::new(),
        }
    }

    /// Runs until nobody gives a bundle any more.
    pub async fn run(
        mut self,
        mut bundle: watch::Receiver<Bundle>,
        report: impl Fn(SpreadReport<'_>),
    ) {
        let namespaces: Api<PartialObjectMeta<Namespace>> = Api::all(self.client.clone());
        let namespaces = watcher(namespaces, watcher::Config::default());
        let mut namespaces = pin!(namespaces.backoff(Patience::default()));
        let config_maps: Api<ConfigMap> = Api::all(self.client.clone());
        let by_name = format!("metadata.name={AUTHORITY_CONFIG_MAP}");
        let config_maps = watcher(config_maps, watcher::Config::default().fields(&by_name));
        let mut config_maps = pin!(config_maps.backoff(Patience::default()));
        loop {
            let wanted = bundle.borrow_and_update().clone();
            let next = self.write(wanted.as_ref(), &report).await;
            tokio::select! {
                Some(event) = namespaces.next() => match event {
                    Ok(event) => self.namespaces.take(event, namespace),
                    Err(error) => tell("watch namespaces", error, &report),
                },
                Some(event) = config_maps.next() => match event {
                    Ok(event) => self.held.take(event, config_map),
                    Err(error) => tell("watch configmaps", error, &report),
                },
                changed = bundle.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Writes where it is lacking and may be tried, and says when to look again.
    async fn write(
        &mut self,
        bundle: Option<&Arc<str>>,
        report: &impl Fn(SpreadReport<'_>),
    ) -> Instant {
        let now = Instant::now();
        let lacking = self.lacking(bundle).unwrap_or_default();
        self.pauses.retain(|name, pause| pause.until > now || lacking.contains(name));
        if let Some(bundle) = bundle {
            for name in &lacking {
                if !self.is_paused(name, now) {
                    self.write_one(name, bundle, report).await;
                }
            }
        }
        let left = self.lacking(bundle);
        if let Some(left) = &left {
            report(SpreadReport::Lacking(left.len()));
        }
        let left = left.iter().flatten();
        let untils = left.filter_map(|name| Some(self.pauses.get(name)?.until));
        untils.min().unwrap_or(now + LONGEST_PAUSE)
    }

    async fn write_one(
        &mut self,
        namespace: &str,
        bundle: &Arc<str>,
        report: &impl Fn(SpreadReport<'_>),
    ) {
        let written = apply(self.client.clone(), namespace, bundle).await;
        let failures = match &written {
            Ok(()) => {
                self.held.note(namespace, Some(Arc::clone(bundle)));
                report(SpreadReport::Written { namespace });
                0
            }
            Err(error) => {
                report(SpreadReport::Failed { namespace, error });
                self.pauses.get(namespace).map_or(0, |pause| pause.failures).saturating_add(1)
            }
        };
        let pause = PAUSE.saturating_mul(1 << failures.min(8)).min(LONGEST_PAUSE);
        let pause = Pause { until: Instant::now() + pause, failures };
        self.pauses.insert(namespace.to_owned(), pause);
    }

    fn is_paused(&self, namespace: &str, now: Instant) -> bool {
        self.pauses.get(namespace).is_some_and(|pause| pause.until > now)
    }

    /// The namespaces that do not have the bundle, once all is known.
    fn lacking(&self, bundle: Option<&Arc<str>>) -> Option<BTreeSet<String>> {
        let (namespaces, held, bundle) = (self.namespaces.whole()?, self.held.whole()?, bundle?);
        let belongs = |name: &str| !self.excluded.contains(&name);
        let has_it = |name: &str| held.get(name).is_some_and(|held| held.as_ref() == Some(bundle));
        let lacking = namespaces.iter().filter(|(_, open)| **open).map(|(name, _)| name);
        Some(lacking.filter(|name| belongs(name) && !has_it(name)).cloned().collect())
    }
}

/// Waits longer after each failure, up to half a minute, until there was none for two minutes.
#[derive(Default)]
struct Patience(DefaultBackoff);

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }
}

impl Backoff for Patience {
    // A watch says that it begins before it has got anywhere, which is no success.
    fn reset(&mut self) {}
}

fn tell(what: &str, error: watcher::Error, report: &impl Fn(SpreadReport<'_>)) {
    let error = match error {
        // A watch that was away for long begins again with a list.
        watcher::Error::WatchError(status) if status.code == 410 => return,
        watcher::Error::WatchError(status) => ClusterError::new(what, kube::Error::Api(status)),
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => ClusterError::new(what, error),
        watcher::Error::NoResourceVersion => ClusterError::NotUnderstood { what: what.to_owned() },
    };
    report(SpreadReport::Watch { error: &error });
}

fn namespace(object: PartialObjectMeta<Namespace>) -> Option<(String, bool)> {
    Some((object.metadata.name?, object.metadata.deletion_timestamp.is_none()))
}

fn config_map(object: ConfigMap) -> Option<(String, Option<Arc<str>>)> {
    let bundle = object.data.and_then(|mut data| data.remove(AUTHORITY_FILE));
    Some((object.metadata.namespace?, bundle.map(Arc::from)))
}

async fn apply(client: Client, namespace: &str, bundle: &str) -> Result<(), ClusterError> {
    let labels = [("app.kubernetes.io/part-of", "vanta"), ("vanta.dev/made-by", "injector")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config_map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(AUTHORITY_CONFIG_MAP.to_owned()),
            labels: Some(labels.into()),
            ..ObjectMeta::default()
        },
        data: Some([(AUTHORITY_FILE.to_owned(), bundle.to_owned())].into()),
        ..ConfigMap::default()
    };
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let params = PatchParams::apply("vanta-injector").force();
    let apply = Patch::Apply(&config_map);
    let applied = api.patch(AUTHORITY_CONFIG_MAP, &params, &apply);
    let what = format!("patch configmaps/{AUTHORITY_CONFIG_MAP} in {namespace}");
    ask(&what, applied).await.map(drop)
}
