//! What the vault takes from a cluster, grants and SOPS files, and what it tells it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio::time::sleep;

use super::alarms::{Alarms, Listener, Raises};
use super::complaints::{self, Complaint, Complaints, MOST_WAITING};
use super::config::ClusterConfig;
use super::freshness::Silence;
use super::reload::WatchedSecrets;
use super::service::{GrantsReceiver, Service};
use super::status::Statuses;
use crate::adapters::kubernetes::{
    Cluster, ClusterFiles, ClusterGrants, ConfigMaps, Contact, EventWriter, Made, Notice,
    make_signing_key,
};
use crate::adapters::serve::{Metrics, Reload};
use crate::adapters::sops::{ConfigMapFiles, ConfigMapKey};
use crate::domain::grants::Grants;
use crate::domain::names::ObjectName;

/// The cluster as a source of the vault.
pub(super) struct ClusterSources {
    pub(super) cluster: Cluster,
    pub(super) grants: Arc<ClusterGrants>,
    /// None where the SOPS files come from a folder.
    pub(super) config_maps: Option<Arc<ConfigMaps>>,
    /// Whether the ConfigMaps' files were taken once.
    taken: watch::Sender<bool>,
    /// Takes what is refused.
    pub(super) complaints: Complaints,
    /// Takes what is wrong with the SOPS files.
    pub(super) alarms: Alarms,
    notices: mpsc::Sender<Notice>,
    metrics: Arc<Metrics>,
}

/// What is told in the cluster, and by whom.
pub(super) struct Told {
    complaints: mpsc::Receiver<Complaint>,
    alarms: Raises,
    notices: mpsc::Receiver<Notice>,
    /// This replica's name.
    replica: String,
}

/// What is wrong with what the cluster gives, for readiness.
pub(super) struct ClusterHealth(Arc<ClusterSources>);

impl ClusterSources {
    /// The cluster's sources, of which nothing was asked yet.
    pub(super) fn new(
        cluster: Cluster,
        grants: watch::Sender<Option<Arc<Grants>>>,
        with_config_maps: bool,
        metrics: Arc<Metrics>,
        replica: String,
    ) -> (Arc<Self>, Told) {
        let (notices, told) = mpsc::channel(MOST_WAITING);
        let (complaints, complained) = Complaints::channel();
        let (alarms, raised) = Alarms::channel();
        let sources = Self {
            grants: Arc::new(ClusterGrants::new(&cluster, grants)),
            config_maps: with_config_maps.then(|| Arc::new(ConfigMaps::new(&cluster))),
            cluster,
            taken: watch::Sender::new(!with_config_maps),
            complaints,
            alarms,
            notices,
            metrics,
        };
        let told = Told { complaints: complained, alarms: raised, notices: told, replica };
        (Arc::new(sources), told)
    }

    /// For how long one of the kinds that grants are made of was not heard of.
    pub(super) fn silence(&self) -> Silence {
        let grants = Arc::clone(&self.grants);
        Arc::new(move || grants.silence())
    }

    /// What is wrong, asked whenever readiness is.
    pub(super) fn health(self: &Arc<Self>) -> ClusterHealth {
        ClusterHealth(Arc::clone(self))
    }

    /// Watches the cluster, and writes statuses, until a task fails.
    pub(super) async fn run(
        self: Arc<Self>,
        service: Arc<Service>,
        secrets: WatchedSecrets,
        grants: GrantsReceiver,
        told: Told,
    ) -> Result<(), JoinError> {
        let statuses = Statuses {
            service,
            grants: Arc::clone(&self.grants),
            secrets: Arc::clone(&secrets.store),
            client: self.cluster.client.clone(),
        };
        let metrics = Arc::clone(&secrets.metrics);
        let alarms = Listener {
            alarms: told.alarms,
            notices: self.notices.clone(),
            namespace: self.cluster.namespace.clone(),
            config_maps: self.config_maps.clone(),
            store: Arc::clone(&secrets.store),
            replica: told.replica.clone(),
        };
        let (client, lost) = (self.cluster.client.clone(), Arc::clone(&self.metrics));
        let lost = move || lost.event_dropped();
        let events = EventWriter::new(client, told.replica, told.notices, lost);
        let complaints = complaints::tell(
            told.complaints,
            Arc::clone(&self.grants),
            self.notices.clone(),
            Arc::clone(&metrics),
        );
        tokio::select! {
            never = self.grants.run() => match never {},
            ended = self.take_files(secrets) => ended,
            ended = self.write_statuses(statuses) => ended,
            () = tell_of_grants(grants, metrics) => Ok(()),
            never = events.run() => match never {},
            () = complaints => Ok(()),
            never = alarms.tell() => match never {},
        }
    }

    /// Gives the store the files of the ConfigMaps, whenever they change.
    async fn take_files(&self, secrets: WatchedSecrets) -> Result<(), JoinError> {
        let Some(config_maps) = &self.config_maps else { return std::future::pending().await };
        let mut files = config_maps.files();
        let taking = async {
            loop {
                if files.changed().await.is_err() {
                    return Ok(());
                }
                let Some(files) = files.borrow_and_update().clone() else { continue };
                let secrets = secrets.clone();
                // Opening files takes long: not on a thread that serves others.
                tokio::task::spawn_blocking(move || secrets.take(of_store(files))).await?;
                self.taken.send_replace(true);
            }
        };
        tokio::select! {
            never = config_maps.run() => match never {},
            ended = taking => ended,
        }
    }

    /// Writes statuses once it is known which files there are: else each would be without any.
    async fn write_statuses(&self, statuses: Statuses) -> Result<(), JoinError> {
        match self.taken.subscribe().wait_for(|taken| *taken).await {
            Ok(_) => {}
            // The sender is this very object's.
            Err(_) => return Ok(()),
        }
        statuses.run().await
    }
}

fn of_store(files: ClusterFiles) -> ConfigMapFiles {
    let files = files.into_iter();
    files.map(|((config_map, key), bytes)| (ConfigMapKey { config_map, key }, bytes)).collect()
}

/// How often a change of the grants is told at most, where many come after each other.
const TELLING: Duration = Duration::from_secs(1);

/// Logs and counts that the grants have changed.
async fn tell_of_grants(mut grants: GrantsReceiver, metrics: Arc<Metrics>) {
    while grants.changed().await.is_ok() {
        let Some(grants) = grants.borrow_and_update().clone() else { continue };
        let (accesses, policies) = (grants.accesses.len(), grants.policies.len());
        tracing::info!(accesses, policies, "the grants were read");
        metrics.sources.reload(Reload::Grants, true);
        sleep(TELLING).await;
    }
}

impl ClusterHealth {
    /// What is wrong with the grants, where something is.
    pub(super) fn grants(&self) -> Option<String> {
        let unheard = self.0.grants.contacts().into_iter().filter_map(unheard);
        joined(unheard.chain(self.0.grants.problems()))
    }

    /// What is wrong with the ConfigMaps, where something is.
    pub(super) fn secrets(&self) -> Option<String> {
        let config_maps = self.0.config_maps.as_ref()?;
        let unread =
            (!*self.0.taken.borrow()).then(|| "the ConfigMaps are not read yet".to_owned());
        joined(unread.into_iter().chain(unheard(config_maps.contact())))
    }

    /// Whether no environment at all is as it should be: the ConfigMaps were read, and hold none.
    pub(super) fn may_be_empty(&self) -> bool {
        self.0.config_maps.is_some() && *self.0.taken.borrow()
    }
}

fn unheard(contact: &Contact) -> Option<String> {
    let problem = contact.problem()?;
    Some(match contact.silence() {
        Some(silence) => format!("not heard for {} s: {problem}", silence.as_secs()),
        None => problem,
    })
}

fn joined(problems: impl Iterator<Item = String>) -> Option<String> {
    let problems: Vec<String> = problems.collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

/// The cluster that the configuration means; it may be away.
pub(super) async fn connect(config: ClusterConfig) -> anyhow::Result<Cluster> {
    Ok(Cluster::connect(config.namespace).await?)
}

/// `vanta-vault signing-key`: makes the key where there is none.
pub(super) async fn create_signing_key(
    config: ClusterConfig,
    name: &ObjectName,
) -> anyhow::Result<()> {
    let cluster = connect(config).await?;
    let made = make_signing_key(&cluster, name.as_str()).await;
    let (namespace, made) = (&cluster.namespace, made.context("the signing key is not made")?);
    match made {
        Made::New => tracing::info!(namespace, secret = name.as_str(), "the signing key was made"),
        Made::Kept => {
            tracing::info!(namespace, secret = name.as_str(), "there is a Secret, which is kept");
        }
    }
    Ok(())
}
