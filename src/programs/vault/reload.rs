//! What changes while the vault runs is read again: secrets, grants, clients, the certificate.
//!
//! Invariant: a change that cannot be read leaves what was read before in use, and is loud.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::adapters::access::load_folder;
use crate::adapters::files::Fingerprint;
use crate::adapters::identity::ClientCredentials;
use crate::adapters::serve::{Metrics, Reload, TlsFiles};
use crate::adapters::sops::{RefreshReport, SopsFolder};
use crate::domain::grants::Grants;

/// How often is looked. A change reaches a reader in well under a second.
const PERIOD: Duration = Duration::from_millis(200);

/// Everything that is looked at.
pub(super) struct Watched {
    pub(super) secrets: Arc<SopsFolder>,
    pub(super) access_path: PathBuf,
    pub(super) grants: watch::Sender<Option<Arc<Grants>>>,
    pub(super) clients: Arc<ClientCredentials>,
    pub(super) clients_file: Option<PathBuf>,
    pub(super) certificate: Option<(TlsFiles, RustlsConfig)>,
    pub(super) metrics: Arc<Metrics>,
    /// What was seen last of the grants, the clients and the certificate.
    pub(super) seen: [Fingerprint; 3],
}

impl Watched {
    /// Looks once at everything, and reads what has changed.
    pub(super) fn look(&mut self) {
        self.look_at_secrets();
        if changed(&mut self.seen[0], [self.access_path.as_path()]) {
            let read = load_folder(&self.access_path).map(|grants| {
                let (accesses, policies) = (grants.accesses.len(), grants.policies.len());
                self.grants.send_replace(Some(Arc::new(grants)));
                tracing::info!(accesses, policies, "the grants were read");
            });
            said(&self.metrics, Reload::Grants, read);
        }
        if let Some(file) = &self.clients_file
            && changed(&mut self.seen[1], [file.as_path()])
        {
            let read = self.clients.load(file).map(|credentials| {
                tracing::info!(credentials, "the clients were read");
            });
            said(&self.metrics, Reload::Clients, read);
        }
        if let Some((files, config)) = &self.certificate
            && changed(&mut self.seen[2], [files.certificate.as_path(), files.key.as_path()])
        {
            let read = files.reload(config).map(|()| tracing::info!("the certificate was read"));
            said(&self.metrics, Reload::Certificate, read);
        }
    }

    fn look_at_secrets(&self) {
        let report = self.secrets.refresh();
        if !report.is_empty() {
            self.report(report);
        }
    }

    /// Logs and counts what became of the SOPS files.
    pub(super) fn report(&self, report: RefreshReport) {
        for loaded in report.loaded {
            let environment = loaded.environment.as_str();
            tracing::info!(environment, keys = loaded.keys, "the environment was loaded");
            for warning in loaded.warnings {
                tracing::warn!(environment, warning, "the environment has an oddity");
            }
            self.metrics.reload(Reload::Secrets, true);
        }
        for failed in report.failed {
            let (environment, reason) = (failed.environment.as_str(), failed.reason);
            let serves_earlier = failed.serves_earlier;
            tracing::error!(environment, reason, serves_earlier, "the environment was not loaded");
            self.metrics.reload(Reload::Secrets, false);
        }
        for environment in report.removed {
            tracing::warn!(environment = environment.as_str(), "the environment's file is gone");
        }
        for reason in report.ignored {
            tracing::warn!(reason, "a file in the SOPS folder is not read");
        }
        if let Some(reason) = report.folder {
            tracing::error!(reason, "the SOPS folder cannot be read");
        }
        let status = self.secrets.status().into_iter();
        self.metrics.environments(
            status.map(|status| (status.environment.to_string(), status.error.is_none())),
        );
    }

    /// Looks again and again.
    pub(super) async fn run(mut self) -> Result<(), tokio::task::JoinError> {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Reading files blocks; the API's threads go on meanwhile.
            self = tokio::task::spawn_blocking(move || {
                self.look();
                self
            })
            .await?;
        }
    }
}

/// Whether files differ from what was seen last, which they are now.
fn changed<'a>(seen: &mut Fingerprint, paths: impl IntoIterator<Item = &'a Path>) -> bool {
    let now = Fingerprint::of(paths);
    let changed = now != *seen;
    *seen = now;
    changed
}

fn said<E: std::fmt::Display>(metrics: &Metrics, source: Reload, read: Result<(), E>) {
    metrics.reload(source, read.is_ok());
    if let Err(error) = read {
        tracing::error!(%error, "what was read before stays in use");
    }
}
