//! The authority's ConfigMap in each namespace, made, kept right and restored.
//!
//! Invariant: an outage of the API server ends nothing: watches begin again by themselves, and what
//! could not be written is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::adapters::kubernetes::{ClusterError, Contact, Seen, Watch, ask};
use crate::domain::pod::{AUTHORITY_CONFIG_MAP, AUTHORITY_FILE};
use crate::domain::system::{INJECTOR, MADE_BY_INJECTOR};

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
    /// How many namespaces lack it now.
    Lacking(usize),
}

/// What is known of each namespace, once all of them were listed.
type Known<T> = watch::Sender<Option<BTreeMap<String, T>>>;

/// Keeps the ConfigMap in all namespaces but those that are excluded.
pub struct Spread {
    client: Client,
    excluded: &'static [&'static str],
    /// Whether each can still be written into.
    namespaces: Known<bool>,
    /// What each holds; none where it is not what it should be.
    held: Known<Option<Arc<str>>>,
}

/// The namespaces that were written into lately, or could not be.
type Pauses = BTreeMap<String, Pause>;

struct Pause {
    until: Instant,
    failures: u32,
}

impl Spread {
    /// Nothing is done before it runs.
    pub fn new(client: Client, excluded: &'static [&'static str]) -> Self {
        let (namespaces, held) = (watch::Sender::default(), watch::Sender::default());
        Self { client, excluded, namespaces, held }
    }

    /// Runs until nobody gives a bundle any more.
    pub async fn run(self, bundle: watch::Receiver<Bundle>, report: impl Fn(SpreadReport<'_>)) {
        let by_name = format!("metadata.name={AUTHORITY_CONFIG_MAP}");
        let namespaces: Watch<'_, PartialObjectMeta<Namespace>> = Watch {
            api: Api::all(self.client.clone()),
            labels: None,
            fields: None,
            kind: "namespaces",
            contact: &Contact::default(),
        };
        let config_maps: Watch<'_, ConfigMap> = Watch {
            api: Api::all(self.client.clone()),
            labels: None,
            fields: Some(&by_name),
            kind: "configmaps",
            contact: &Contact::default(),
        };
        tokio::select! {
            never = namespaces.run(|seen| take(&self.namespaces, seen, namespace)) => match never {},
            never = config_maps.run(|seen| take(&self.held, seen, config_map)) => match never {},
            () = self.keep(bundle, report) => {}
        }
    }

    async fn keep(&self, mut bundle: watch::Receiver<Bundle>, report: impl Fn(SpreadReport<'_>)) {
        let (mut namespaces, mut held) = (self.namespaces.subscribe(), self.held.subscribe());
        let mut pauses = Pauses::new();
        loop {
            let wanted = bundle.borrow_and_update().clone();
            namespaces.mark_unchanged();
            held.mark_unchanged();
            let next = self.write(wanted.as_ref(), &mut pauses, &report).await;
            tokio::select! {
                _ = namespaces.changed() => {}
                _ = held.changed() => {}
                changed = bundle.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Writes where it is lacking and may be tried, and says when to look again.
    async fn write(
        &self,
        bundle: Option<&Arc<str>>,
        pauses: &mut Pauses,
        report: &impl Fn(SpreadReport<'_>),
    ) -> Instant {
        let now = Instant::now();
        let lacking = self.lacking(bundle).unwrap_or_default();
        pauses.retain(|name, pause| pause.until > now || lacking.contains(name));
        if let Some(bundle) = bundle {
            for name in &lacking {
                if pauses.get(name).is_none_or(|pause| pause.until <= now) {
                    self.write_one(name, bundle, pauses, report).await;
                }
            }
        }
        let left = self.lacking(bundle);
        if let Some(left) = &left {
            report(SpreadReport::Lacking(left.len()));
        }
        let left = left.iter().flatten();
        let untils = left.filter_map(|name| Some(pauses.get(name)?.until));
        untils.min().unwrap_or(now + LONGEST_PAUSE)
    }

    async fn write_one(
        &self,
        namespace: &str,
        bundle: &Arc<str>,
        pauses: &mut Pauses,
        report: &impl Fn(SpreadReport<'_>),
    ) {
        let seen = self.held.subscribe();
        let written = apply(self.client.clone(), namespace, bundle).await;
        let failures = match &written {
            Ok(()) => {
                // What the watch has told of meanwhile may be newer than this.
                let is_newest = seen.has_changed().is_ok_and(|changed| !changed);
                self.held.send_if_modified(|held| {
                    if let Some(held) = held.as_mut().filter(|_| is_newest) {
                        held.insert(namespace.to_owned(), Some(Arc::clone(bundle)));
                    }
                    false
                });
                report(SpreadReport::Written { namespace });
                0
            }
            Err(error) => {
                report(SpreadReport::Failed { namespace, error });
                pauses.get(namespace).map_or(0, |pause| pause.failures).saturating_add(1)
            }
        };
        let pause = PAUSE.saturating_mul(1 << failures.min(8)).min(LONGEST_PAUSE);
        let pause = Pause { until: Instant::now() + pause, failures };
        pauses.insert(namespace.to_owned(), pause);
    }

    /// The namespaces that do not have the bundle, once all is known.
    fn lacking(&self, bundle: Option<&Arc<str>>) -> Option<BTreeSet<String>> {
        let (namespaces, held) = (self.namespaces.borrow(), self.held.borrow());
        let (namespaces, held, bundle) = (namespaces.as_ref()?, held.as_ref()?, bundle?);
        let belongs = |name: &str| !self.excluded.contains(&name);
        let has_it = |name: &str| held.get(name).is_some_and(|held| held.as_ref() == Some(bundle));
        let lacking = namespaces.iter().filter(|(_, open)| **open).map(|(name, _)| name);
        Some(lacking.filter(|name| belongs(name) && !has_it(name)).cloned().collect())
    }
}

/// Takes in what is seen; `read` gives the object's namespace and what is kept of it.
fn take<K, T>(known: &Known<T>, seen: Seen<K>, read: impl Fn(K) -> Option<(String, T)>) {
    known.send_modify(|known| match (seen, known) {
        (Seen::All(objects), known) => {
            *known = Some(objects.into_iter().filter_map(read).collect());
        }
        (Seen::Applied(object), Some(known)) => known.extend(read(object)),
        (Seen::Deleted(object), Some(known)) => {
            if let Some((namespace, _)) = read(object) {
                known.remove(&namespace);
            }
        }
        // All is seen first.
        (Seen::Applied(_) | Seen::Deleted(_), None) => {}
    });
}

fn namespace(object: PartialObjectMeta<Namespace>) -> Option<(String, bool)> {
    Some((object.metadata.name?, object.metadata.deletion_timestamp.is_none()))
}

fn config_map(object: ConfigMap) -> Option<(String, Option<Arc<str>>)> {
    let bundle = object.data.and_then(|mut data| data.remove(AUTHORITY_FILE));
    Some((object.metadata.namespace?, bundle.map(Arc::from)))
}

async fn apply(client: Client, namespace: &str, bundle: &str) -> Result<(), ClusterError> {
    let labels = MADE_BY_INJECTOR.map(|(name, value)| (name.to_owned(), value.to_owned()));
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
    let params = PatchParams::apply(INJECTOR).force();
    let apply = Patch::Apply(&config_map);
    let applied = api.patch(AUTHORITY_CONFIG_MAP, &params, &apply);
    let what = format!("patch configmaps/{AUTHORITY_CONFIG_MAP} in {namespace}");
    ask(&what, applied).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Object = (&'static str, u8);

    fn see(known: &Known<u8>, seen: Seen<Object>) {
        take(known, seen, |(namespace, value)| Some((namespace.to_owned(), value)));
    }

    fn told(known: &Known<u8>) -> Option<Vec<(String, u8)>> {
        Some(known.borrow().clone()?.into_iter().collect())
    }

    fn all(objects: &[Object]) -> Vec<(String, u8)> {
        objects.iter().map(|(namespace, value)| ((*namespace).to_owned(), *value)).collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_list_and_each_list_replaces_all() {
        let known = Known::default();
        see(&known, Seen::Applied(("a", 1)));
        assert_eq!(told(&known), None);
        see(&known, Seen::All(vec![("a", 1)]));
        see(&known, Seen::Applied(("b", 2)));
        see(&known, Seen::Applied(("a", 3)));
        assert_eq!(told(&known), Some(all(&[("a", 3), ("b", 2)])));
        see(&known, Seen::Deleted(("a", 0)));
        assert_eq!(told(&known), Some(all(&[("b", 2)])));
        see(&known, Seen::All(vec![("c", 4)]));
        assert_eq!(told(&known), Some(all(&[("c", 4)])));
    }
}
