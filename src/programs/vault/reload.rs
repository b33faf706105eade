//! What changes while the vault runs is read again: secrets, grants, who may ask, signing keys, the
//! certificate.
//!
//! Invariant: a change that cannot be read leaves what was read before in use, is loud once, and is
//! tried again; grants, clients and issuers whose files are gone are gone.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval};

use super::alarms::{Alarms, Raised};
use super::config::read_signing_keys;
use super::freshness::LastSeen;
use super::newcomers::Newcomers;
use super::outcomes::Outcomes;
use super::reasons::Reasons;
use super::standing::Standing;
use super::telling::{self, MOST_NAMED, Outcome, Told};
use crate::adapters::access::AccessFolder;
use crate::adapters::files::Watch;
use crate::adapters::identity::{ClientCredentials, OidcIssuers};
use crate::adapters::jwt::CurrentRing;
use crate::adapters::serve::{EnvironmentStanding, Metrics, Reload, TlsFiles};
use crate::adapters::sops::{Alarm, ConfigMapFiles, IdentitiesRead, RefreshReport, SopsStore};
use crate::domain::grants::Grants;
use crate::domain::names::some_of;

/// How often is looked. A change reaches a reader in well under a second.
const PERIOD: Duration = Duration::from_millis(200);

/// Who is told of the grants.
pub(super) type GrantsSender = watch::Sender<Option<Arc<Grants>>>;

/// Everything that is looked at. Grants and clients have a loop of their own, so that secrets that
/// take long to load do not delay the deletion of a grant.
pub(super) struct Watched {
    pub(super) secrets: WatchedSecrets,
    pub(super) settings: WatchedSettings,
}

/// The SOPS files.
#[derive(Clone)]
pub(super) struct WatchedSecrets {
    pub(super) store: Arc<SopsStore>,
    pub(super) metrics: Arc<Metrics>,
    /// Tells the cluster what is wrong, where there is one.
    pub(super) alarms: Alarms,
    /// What the log was told of each environment.
    outcomes: Arc<Mutex<Outcomes>>,
    /// The environments that it was told of, and those that wait for it.
    newcomers: Arc<Mutex<Newcomers>>,
    /// Paces what it is told of files that are no environment's.
    reasons: Arc<Reasons>,
}

/// The grants, the clients, the issuers, the signing keys and the certificate.
pub(super) struct WatchedSettings {
    /// None where the grants are the cluster's.
    pub(super) access: Option<(AccessFolder, GrantsSender)>,
    /// When the folder of the grants was last seen.
    pub(super) access_seen: Arc<LastSeen>,
    pub(super) clients: Arc<ClientCredentials>,
    pub(super) clients_file: Option<PathBuf>,
    pub(super) clients_watch: Watch,
    pub(super) issuers: Arc<OidcIssuers>,
    pub(super) issuers_file: Option<PathBuf>,
    pub(super) issuers_watch: Watch,
    /// None where the keys come from no file.
    pub(super) signing_keys: Option<(PathBuf, Arc<CurrentRing>)>,
    pub(super) signing_keys_watch: Watch,
    pub(super) certificate: Option<(TlsFiles, RustlsConfig)>,
    pub(super) certificate_watch: Watch,
    pub(super) metrics: Arc<Metrics>,
    pub(super) standing: Arc<Standing>,
}

impl Watched {
    /// Looks again and again.
    pub(super) async fn run(self) -> Result<(), JoinError> {
        let secrets = repeat(self.secrets, |secrets| secrets.look());
        let settings = repeat(self.settings, WatchedSettings::look);
        tokio::try_join!(secrets, settings).map(drop)
    }
}

/// Looks at what changes, every [`PERIOD`].
async fn repeat<T: Send + 'static>(mut watched: T, look: fn(&mut T)) -> Result<(), JoinError> {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Reading files blocks; the API's threads go on meanwhile.
        watched = tokio::task::spawn_blocking(move || {
            look(&mut watched);
            watched
        })
        .await?;
    }
}

impl WatchedSettings {
    /// Looks once at everything, and reads what has changed.
    pub(super) fn look(&mut self) {
        self.look_at_grants();
        self.look_at_clients();
        self.look_at_issuers();
        self.look_at_signing_keys();
        self.look_at_certificate();
    }

    fn look_at_grants(&mut self) {
        let Some((access, sender)) = &mut self.access else { return };
        let report = access.refresh();
        if access.is_seen() {
            self.access_seen.now();
        }
        if report.changed
            && let Some(grants) = access.grants()
        {
            let (accesses, policies) = (grants.accesses.len(), grants.policies.len());
            sender.send_replace(Some(Arc::clone(grants)));
            tracing::info!(accesses, policies, "the grants were read");
            self.metrics.sources.reload(Reload::Grants, true);
        }
        if !report.problems.is_empty() {
            self.metrics.sources.reload(Reload::Grants, false);
        }
        for problem in report.problems {
            tracing::error!(problem, "the grants are not as the folder is");
        }
        let problems = access.problems();
        self.standing.grants.set((!problems.is_empty()).then(|| problems.join("; ")));
    }

    fn look_at_clients(&mut self) {
        let Some(file) = &self.clients_file else { return };
        let Some(seen) = self.clients_watch.look([file.as_path()]) else { return };
        match self.clients.load(file) {
            Ok(credentials) => {
                if self.clients_watch.succeeded(seen) {
                    tracing::info!(credentials, "the clients were read");
                    self.metrics.sources.reload(Reload::Clients, true);
                }
            }
            Err(error) => {
                if self.clients_watch.failed(seen, error.to_string(), error.is_passing()) {
                    tracing::error!(%error, "the clients are not as the file is");
                    self.metrics.sources.reload(Reload::Clients, false);
                }
            }
        }
        self.standing.clients.set(self.clients_watch.failure().map(str::to_owned));
    }

    fn look_at_issuers(&mut self) {
        let Some(file) = &self.issuers_file else { return };
        let named = self.issuers.files();
        let files = std::iter::once(file).chain(&named).map(PathBuf::as_path);
        let Some(seen) = self.issuers_watch.look(files) else { return };
        match self.issuers.load(file) {
            Ok(issuers) => {
                if self.issuers_watch.succeeded(seen) {
                    tracing::info!(issuers, "the OIDC issuers were read");
                    self.metrics.sources.reload(Reload::Issuers, true);
                }
            }
            Err(error) => {
                if self.issuers_watch.failed(seen, error.to_string(), error.is_passing()) {
                    tracing::error!(%error, "the OIDC issuers are not as the file is");
                    self.metrics.sources.reload(Reload::Issuers, false);
                }
            }
        }
        self.standing.issuers.set(self.issuers_watch.failure().map(str::to_owned));
    }

    fn look_at_signing_keys(&mut self) {
        let Some((file, current)) = &self.signing_keys else { return };
        let Some(seen) = self.signing_keys_watch.look([file.as_path()]) else { return };
        match read_signing_keys(file) {
            Ok(ring) => {
                if self.signing_keys_watch.succeeded(seen) {
                    let keys: Vec<&str> = ring.ids().collect();
                    tracing::info!(?keys, "the signing keys were read; the first signs");
                    self.metrics.sources.reload(Reload::SigningKeys, true);
                }
                current.replace(ring);
                self.standing.signing_keys.set(None);
            }
            Err(error) => {
                // The keys that the vault started with were read well.
                if self.signing_keys_watch.failed(seen, error.to_string(), false) {
                    tracing::error!(%error, "the signing keys that were read before stay in use");
                    self.metrics.sources.reload(Reload::SigningKeys, false);
                }
                self.standing.signing_keys.set(Some(error.to_string()));
            }
        }
    }

    fn look_at_certificate(&mut self) {
        let Some((files, config)) = &self.certificate else { return };
        let paths = [files.certificate.as_path(), files.key.as_path()];
        let Some(seen) = self.certificate_watch.look(paths) else { return };
        match files.reload(config) {
            Ok(()) => {
                if let Some(end) = files.ends_at() {
                    self.metrics.sources.certificate_ends(end);
                }
                if self.certificate_watch.succeeded(seen) {
                    tracing::info!("the certificate was read");
                    self.metrics.sources.reload(Reload::Certificate, true);
                }
            }
            Err(error) => {
                // The certificate that the vault started with was read well.
                if self.certificate_watch.failed(seen, error.to_string(), false) {
                    tracing::error!(%error, "the certificate that was read before stays in use");
                    self.metrics.sources.reload(Reload::Certificate, false);
                }
            }
        }
    }
}

impl WatchedSecrets {
    /// The files of a store, whose alarms are told.
    pub(super) fn new(store: &Arc<SopsStore>, metrics: &Arc<Metrics>, alarms: Alarms) -> Self {
        let (store, metrics) = (Arc::clone(store), Arc::clone(metrics));
        let (outcomes, newcomers, reasons) = (Arc::default(), Arc::default(), Arc::default());
        Self { store, metrics, alarms, outcomes, newcomers, reasons }
    }

    fn newcomers(&self) -> MutexGuard<'_, Newcomers> {
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self, outcome: Outcome) -> Option<Told> {
        let admitted = self.newcomers().take(outcome);
        admitted.and_then(|outcome| self.outcomes().take(outcome))
    }

    fn look(&self) {
        let report = self.store.refresh();
        if !report.is_empty() {
            self.report(report);
        }
        let admitted = self.newcomers().due();
        let told = admitted.into_iter().filter_map(|of| self.outcomes().take(of));
        let told: Vec<Told> = told.collect();
        telling::log(told);
        let (due, brief) = {
            let mut outcomes = self.outcomes();
            (outcomes.due(), outcomes.brief_due())
        };
        telling::log(due);
        for (brief, times) in brief {
            telling::log_brief(&brief, times);
        }
    }

    /// Takes the files of ConfigMaps in the place of those before.
    pub(super) fn take(&self, files: ConfigMapFiles) {
        let report = self.store.take(files);
        if !report.is_empty() {
            self.report(report);
        }
    }

    /// Counts what became of the SOPS files, and logs it, of each environment as much as there is
    /// room for.
    pub(super) fn report(&self, report: RefreshReport) {
        self.alarms.forget(&report.removed, &self.metrics);
        // Before it is said which environments there are, since its file may be gone.
        for brief in &report.brief {
            self.metrics.sources.brief_refusal(brief.environment.as_str());
        }
        // How they stand before what is counted of it: whoever sees the one finds the other.
        let status = self.store.status().into_iter();
        self.metrics.sources.environments(status.map(|status| EnvironmentStanding {
            environment: status.environment.to_string(),
            keys: status.keys,
            healthy: status.error.is_none(),
            alarms: Alarm::ALL.map(|of| (of.name(), status.is_alarmed(of))).into(),
        }));
        // What others follow from is told first.
        for IdentitiesRead { path, outcome } in report.identities {
            let path = path.display();
            self.metrics.sources.reload(Reload::Identities, outcome.is_ok());
            match outcome {
                Ok(identities) => {
                    tracing::info!(%path, identities, "age identities were read again");
                }
                Err(reason) => {
                    tracing::warn!(%path, reason, "the age identities that were read before stay in use");
                }
            }
        }
        if let Some(reason) = report.folder {
            self.metrics.sources.reload(Reload::Secrets, false);
            tracing::error!(reason, "the SOPS folder cannot be read");
        }
        if report.folder_is_back {
            tracing::info!("the SOPS folder can be read again");
        }
        self.reasons.log(report.ignored, report.left_out);
        for reason in report.accepts_nothing {
            tracing::warn!(reason, "VANTA_SOPS_ACCEPT_ROLLBACK names a version that is not there");
        }
        for brief in report.brief {
            if self.newcomers().admits_brief(&brief.environment) {
                self.outcomes().take_brief(brief);
            }
        }
        let removed = report.removed.into_iter().map(Outcome::Removed);
        let mut told: Vec<Told> = removed.filter_map(|outcome| self.told(outcome)).collect();
        for loaded in report.loaded {
            if let Some(raised) = Raised::of_loaded(&loaded) {
                self.alarms.take(raised, &self.metrics);
            }
            let environment = loaded.environment.as_str();
            if let Some((alarm, _)) = &loaded.alarm {
                self.metrics.sources.alarm(environment, alarm.name());
            }
            self.metrics.sources.loaded(environment, Timestamp::now().as_second());
            self.metrics.sources.reload(Reload::Secrets, true);
            told.extend(self.told(Outcome::Loaded(loaded)));
        }
        for failed in report.failed {
            self.alarms.take(Raised::of_failed(&failed), &self.metrics);
            self.metrics.sources.alarm(failed.environment.as_str(), failed.alarm.name());
            self.metrics.sources.reload(Reload::Secrets, false);
            told.extend(self.told(Outcome::Failed(failed)));
        }
        telling::log(told);
        if !report.awaited.is_empty() {
            let environments = some_of(&report.awaited, MOST_NAMED);
            tracing::info!(environments, "sops is being asked for data keys");
        }
    }
}
