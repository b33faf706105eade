//! The SOPS files that are kept in ConfigMaps of the vault's own namespace.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use tokio::sync::watch;

use super::connect::Cluster;
use super::contact::Contact;
use super::watch::{Seen, Watch};

/// What a ConfigMap of SOPS files is labelled with.
const LABEL: &str = "vanta.dev/sops=true";

/// The files by their ConfigMap's name and their own.
pub type ClusterFiles = BTreeMap<(String, String), Arc<[u8]>>;

/// What tells an object from others of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMark {
    /// Its uid.
    pub uid: String,
    /// When it was made.
    pub created: Option<Timestamp>,
}

/// The ConfigMaps with the label `vanta.dev/sops=true`, as they are now.
pub struct ConfigMaps {
    api: Api<ConfigMap>,
    contact: Contact,
    files: watch::Sender<Option<ClusterFiles>>,
    marks: Mutex<BTreeMap<String, ObjectMark>>,
}

impl ConfigMaps {
    /// The ConfigMaps of the cluster's own namespace, which were not looked at yet.
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            api: Api::namespaced(cluster.client.clone(), &cluster.namespace),
            contact: Contact::default(),
            files: watch::Sender::new(None),
            marks: Mutex::default(),
        }
    }

    /// All files; none before they were read for the first time.
    pub fn files(&self) -> watch::Receiver<Option<ClusterFiles>> {
        self.files.subscribe()
    }

    /// What tells a ConfigMap by this name from others of that name.
    pub fn mark(&self, name: &str) -> Option<ObjectMark> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// How it stands with the API server.
    pub fn contact(&self) -> &Contact {
        &self.contact
    }

    /// Watches until it is dropped.
    pub async fn run(&self) -> Infallible {
        let kind = "configmaps labelled vanta.dev/sops=true in the vault's namespace";
        let (api, contact) = (self.api.clone(), &self.contact);
        let watch = Watch { api, labels: Some(LABEL), fields: None, kind, contact };
        watch.run(|seen| self.see(seen)).await
    }

    fn see(&self, seen: Seen<ConfigMap>) {
        self.note_marks(&seen);
        let before = self.files.borrow().clone().unwrap_or_default();
        let after = match seen {
            Seen::All(objects) => objects.into_iter().flat_map(files_of).collect(),
            Seen::Applied(object) => {
                let mut files = without(before, &object);
                files.extend(files_of(object));
                files
            }
            Seen::Deleted(object) => without(before, &object),
        };
        self.files.send_if_modified(|files| {
            let changed = files.as_ref() != Some(&after);
            *files = Some(after);
            changed
        });
    }

    fn note_marks(&self, seen: &Seen<ConfigMap>) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Seen::All(objects) => *marks = objects.iter().filter_map(mark).collect(),
            Seen::Applied(object) => marks.extend(mark(object)),
            Seen::Deleted(object) => {
                marks.retain(|name, _| object.metadata.name.as_ref() != Some(name));
            }
        }
    }
}

/// Its name and its mark.
fn mark(object: &ConfigMap) -> Option<(String, ObjectMark)> {
    let metadata = &object.metadata;
    let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
    Some((metadata.name.clone()?, ObjectMark { uid: metadata.uid.clone()?, created }))
}

fn without(mut files: ClusterFiles, object: &ConfigMap) -> ClusterFiles {
    files.retain(|(name, _), _| object.metadata.name.as_deref() != Some(name));
    files
}

fn files_of(object: ConfigMap) -> impl Iterator<Item = ((String, String), Arc<[u8]>)> {
    let name = object.metadata.name.unwrap_or_default();
    let texts = object.data.into_iter().flatten();
    let texts = texts.map(|(key, text)| (key, Arc::from(text.into_bytes())));
    let binary = object.binary_data.into_iter().flatten();
    let binary = binary.map(|(key, bytes)| (key, Arc::from(bytes.0)));
    texts.chain(binary).map(move |(key, bytes)| ((name.clone(), key), bytes))
}
