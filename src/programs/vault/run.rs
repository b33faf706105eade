//! From arguments to a running vault, and from a signal to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use tokio::sync::watch;

use super::args::{Command, SigningKeyArgs, VaultArgs};
use super::auditing::{self, Auditing};
use super::cluster::{self, ClusterSources, Told};
use super::config::{Config, Sources, trace_settings};
use super::freshness::{Freshness, ISSUE_LIMIT, LastSeen};
use super::health::Health;
use super::history::KeptHistory;
use super::identities::Identities;
use super::master_keys::MasterKeys;
use super::reload::{Watched, WatchedSecrets, WatchedSettings};
use super::service::{GrantsReceiver, Service, ServiceParts};
use super::standing::Standing;
use super::{dev, master_keys, router};
use crate::adapters::access::AccessFolder;
use crate::adapters::files::{Watch, make_folder};
use crate::adapters::identity::{ClientCredentials, OidcIssuers};
use crate::adapters::jwt::CurrentRing;
use crate::adapters::process::Status;
use crate::adapters::serve::{self, Exported, Listener, Metrics, Signals, Traces};
use crate::adapters::sops::{RefreshReport, SETTLING_OF_FILE, SopsStore, StoreOptions};
use crate::adapters::state::{StateSource, StateStore};

/// How long requests in progress may take once the vault is told to end.
const DRAIN: Duration = Duration::from_secs(20);

/// The program `vanta-vault`.
pub fn main() -> ExitCode {
    if let Some(failed) = master_keys::become_bound_sops() {
        return failed;
    }
    let (traces, exported, untraced) = start_traces();
    let args: VaultArgs = match serve::start(VaultArgs::log, exported) {
        Ok(args) => args,
        Err(ended) => return ended,
    };
    if let Some(reason) = untraced {
        tracing::error!(reason, "no traces are exported");
    }
    let ended = run_command(args);
    // What served is gone: nobody waits for the last spans but the end itself.
    if let Some(traces) = traces {
        traces.end();
    }
    ended
}

/// What exports traces, where they are to be exported and can be, or why they cannot. No request
/// fails by it, so the vault serves without them.
fn start_traces() -> (Option<Traces>, Option<Exported>, Option<String>) {
    let started = trace_settings().and_then(|settings| {
        settings.map(Traces::start).transpose().map_err(|error| error.to_string())
    });
    match started {
        Ok(started) => {
            let (traces, exported) = started.unzip();
            (traces, exported, None)
        }
        Err(reason) => (None, None, Some(reason)),
    }
}

fn run_command(args: VaultArgs) -> ExitCode {
    let configured = match args.command {
        Some(Command::Dev(args)) => dev::prepare(*args)
            .map(|(config, data)| (config, Some(data)))
            .map_err(anyhow::Error::from),
        Some(Command::SigningKey(args)) => return serve::ended(make_signing_key(&args)),
        None => args.serve.config().map(|config| (config, None)).map_err(anyhow::Error::from),
    };
    match configured {
        Ok((config, dev_data)) => serve::ended(run(config, dev_data.as_deref())),
        Err(error) => serve::end(&error, Status::Configuration),
    }
}

fn make_signing_key(args: &SigningKeyArgs) -> anyhow::Result<()> {
    serve::runtime()?.block_on(cluster::create_signing_key(args.cluster(), &args.create_secret))
}

fn run(config: Config, dev_data: Option<&Path>) -> anyhow::Result<()> {
    serve::runtime()?.block_on(async {
        // Before anybody could be served, so that no signal ends the vault without draining.
        let signals = Signals::listen()?;
        let vault = Vault::build(config).await;
        let vault = if dev_data.is_some() { vault.map_err(dev::advise) } else { vault }?;
        let (api, health) = (vault.api.address(), vault.health.address());
        // It is taken back when the vault ends.
        let announced = dev_data.map(|data| dev::announce(data, api, health)).transpose();
        let _announced = announced?;
        if let Some(data) = dev_data {
            tracing::info!(env = %data.join("env").display(), "read this file into a shell that runs vanta-cli");
        }
        tracing::info!(%api, %health, tls = vault.tls.is_some(), "the vault is listening");
        Box::pin(vault.run(signals)).await
    })
}

/// A vault with its ports bound and its sources read, which serves nothing yet.
struct Vault {
    api: Listener,
    health: Listener,
    tls: Option<axum_server::tls_rustls::RustlsConfig>,
    service: Arc<Service>,
    health_of: Health,
    watched: Watched,
    cluster: Option<(Arc<ClusterSources>, GrantsReceiver, Told)>,
    state: Arc<StateStore>,
    history: KeptHistory,
    auditing: Auditing,
}

impl Vault {
    async fn build(config: Config) -> anyhow::Result<Self> {
        let Config { mut sources, .. } = config;
        let state = open_state(&config.state).await?;
        let replica = config.audit.replica.clone();
        let metrics = Arc::new(Metrics::default());
        let audit = auditing::open(config.audit, &config.state, &state, &metrics).await?;
        let auditing = Auditing::new(&audit, &state, &metrics).await;
        let with_config_maps = sources.sops_files_path.is_none();
        let access = sources.access_path.take();
        let (secrets, report, history) = open_secrets(sources, &state).await?;
        let clients = Arc::new(ClientCredentials::default());
        let (grants, grants_receiver) = watch::channel(None);
        let access = access.map(|path| (AccessFolder::new(path), grants.clone()));
        let cluster = match config.cluster {
            Some(cluster) => {
                let cluster = cluster::connect(cluster).await?;
                Some(ClusterSources::new(
                    cluster,
                    grants,
                    with_config_maps,
                    Arc::clone(&metrics),
                    replica,
                ))
            }
            None => None,
        };
        let (cluster, told) = cluster.unzip();
        let alarms = cluster.as_ref().map(|of| of.alarms.clone()).unwrap_or_default();
        let issuers = Arc::new(OidcIssuers::default());
        let authenticator = identities(&clients, &issuers, cluster.as_deref(), &metrics);
        let access_seen = Arc::new(LastSeen::default());
        let read_limit = config.grants_stale_after;
        let freshness = freshness(cluster.as_deref(), &access_seen, read_limit);
        let tls = config.tls.as_ref().map(serve::TlsFiles::load).transpose()?;
        let standing = Arc::new(Standing::default());
        let ring = CurrentRing::new(config.signing_keys.ring);
        let mut watched = Watched {
            secrets: WatchedSecrets::new(&secrets, &metrics, alarms),
            settings: WatchedSettings {
                access,
                access_seen,
                clients,
                clients_file: config.clients_file,
                clients_watch: Watch::default(),
                issuers,
                issuers_file: config.oidc_file,
                issuers_watch: Watch::default(),
                signing_keys: config.signing_keys.file.map(|file| (file, Arc::clone(&ring))),
                signing_keys_watch: Watch::default(),
                certificate: config.tls.zip(tls.clone()),
                certificate_watch: Watch::default(),
                metrics: Arc::clone(&metrics),
                standing: Arc::clone(&standing),
            },
        };
        watched.secrets.report(report);
        watched.settings.look();
        let service = Service::new(ServiceParts {
            secrets: secrets.clone(),
            authenticator,
            versions: secrets.changes(),
            grants: grants_receiver.clone(),
            freshness: freshness.clone(),
            complaints: cluster.as_ref().map(|of| of.complaints.clone()).unwrap_or_default(),
            ring: Arc::clone(&ring),
            issues_per_minute: config.issues_per_minute,
            state_since: state.created_at(),
            audit: audit.clone(),
            state: Arc::clone(&state),
            metrics: Arc::clone(&metrics),
            most_waiting: serve::most_waiting()?,
        });
        let health_of = Health {
            state: Arc::clone(&state),
            audit,
            secrets,
            grants: grants_receiver.clone(),
            freshness,
            standing,
            cluster: cluster.as_ref().map(ClusterSources::health),
            ring,
            api: Handle::new(),
            metrics: Arc::clone(&metrics),
        };
        let cluster = cluster.zip(told).map(|(cluster, told)| (cluster, grants_receiver, told));
        let api = serve::bind(config.listen)?.counting(metrics.http.refused());
        let health = serve::bind(config.health_listen)?;
        Ok(Self {
            api,
            health,
            tls,
            service,
            health_of,
            watched,
            cluster,
            state,
            history,
            auditing,
        })
    }

    /// Serves until a signal, then drains; what changes is seen until the last answer is given.
    /// The first task that fails ends the vault.
    async fn run(mut self, signals: Signals) -> anyhow::Result<()> {
        let (api, health) = (self.health_of.api.clone(), Handle::new());
        let (service, secrets) = (Arc::clone(&self.service), self.watched.secrets.clone());
        let repeats = Arc::clone(&self.service);
        let watched_cluster = async {
            match self.cluster {
                Some((cluster, grants, told)) => {
                    Box::pin(cluster.run(self.service, secrets, grants, told)).await
                }
                None => std::future::pending().await,
            }
        };
        let served = async {
            let served = self.api.serve(router(Arc::clone(&service)), self.tls, api.clone()).await;
            // Health goes on until the last answer is given, and ends with it.
            health.shutdown();
            served.map_err(anyhow::Error::from)
        };
        let health_served = self.health.serve(self.health_of.router(), None, health.clone());
        let health_served = async { health_served.await.map_err(anyhow::Error::from) };
        let drained = async {
            drain_on_signal(signals, api.clone()).await;
            service.end_waits();
            Ok(())
        };
        let ended = tokio::select! {
            ended = async { tokio::try_join!(served, health_served, drained) } => ended.map(drop),
            ended = self.watched.run() => ended.context("looking for changes failed"),
            ended = watched_cluster => ended.context("watching the cluster failed"),
            never = self.state.run() => match never {},
            never = self.history.run() => match never {},
            never = repeats.tell_of_repeats() => match never {},
            never = self.auditing.run() => match never {},
        };
        repeats.tell_of_all_repeats().await;
        self.history.finish().await;
        // The last answer was recorded: nothing of it can be removed unseen after this.
        self.auditing.finish().await;
        ended
    }
}

async fn open_state(source: &StateSource) -> anyhow::Result<Arc<StateStore>> {
    let place = match source {
        StateSource::Folder(folder) => {
            make_folder(folder)?;
            format!("state in {}", folder.display())
        }
        // Its URL may hold a password.
        StateSource::Postgres(_) => "state in PostgreSQL".to_owned(),
    };
    Ok(Arc::new(StateStore::open(source).await.context(place)?))
}

/// The store of the SOPS files, what it loaded, and what keeps in mind what it serves.
async fn open_secrets(
    sources: Sources,
    state: &Arc<StateStore>,
) -> anyhow::Result<(Arc<SopsStore>, RefreshReport, KeptHistory)> {
    sources.tell_of_identities();
    let history = state.history().await.context("what was served, in the state")?;
    let key_service = sources.master_keys.map(MasterKeys::service).transpose();
    let key_service = key_service.context("master keys cannot be opened by sops")?;
    let options = StoreOptions {
        folder: sources.sops_files_path,
        shared: sources.shared_identities,
        identities_folder: sources.age_identities_path,
        leave: sources.leave,
        authorship: sources.authorship,
        settling: SETTLING_OF_FILE,
        key_service,
    };
    let (store, report) = SopsStore::open_again(options, history.clone());
    let store = Arc::new(store);
    let history = KeptHistory::new(Arc::clone(&store), Arc::clone(state), history);
    Ok((store, report, history))
}

/// Who callers are, as clients, issuers and the cluster know them.
fn identities(
    clients: &Arc<ClientCredentials>,
    issuers: &Arc<OidcIssuers>,
    cluster: Option<&ClusterSources>,
    metrics: &Arc<Metrics>,
) -> Arc<Identities> {
    let client = cluster.map(|sources| sources.cluster.client.clone());
    let identities = Identities::new(Arc::clone(clients), Arc::clone(issuers), client);
    Arc::new(identities.counted_by(Arc::clone(metrics)))
}

/// How old the grants are, which are the cluster's or those of a folder.
fn freshness(
    cluster: Option<&ClusterSources>,
    folder: &Arc<LastSeen>,
    read_limit: Duration,
) -> Freshness {
    let silence = match cluster {
        Some(sources) => sources.silence(),
        None => folder.silent(),
    };
    Freshness { silence, issue_limit: ISSUE_LIMIT, read_limit }
}

/// Starts to drain at the first SIGTERM or SIGINT.
async fn drain_on_signal(mut signals: Signals, api: Handle<SocketAddr>) {
    signals.next().await;
    tracing::info!(connections = api.connection_count(), "draining");
    api.graceful_shutdown(Some(DRAIN));
}
