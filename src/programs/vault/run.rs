//! From arguments to a running vault, and from a signal to its end.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use clap::Parser;
use jiff::Timestamp;
use nix::sys::stat::{Mode, umask};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::cluster::{self, ClusterSources};
use super::config::{Command, Config, SigningKeyArgs, VaultArgs};
use super::health::Health;
use super::identities::Identities;
use super::reload::{Watched, WatchedSecrets, WatchedSettings};
use super::service::{GrantsReceiver, Service, ServiceParts};
use super::standing::Standing;
use super::{dev, router};
use crate::adapters::access::AccessFolder;
use crate::adapters::audit::AuditLog;
use crate::adapters::files::{Watch, make_folder};
use crate::adapters::identity::ClientCredentials;
use crate::adapters::kubernetes::ServiceAccountTokens;
use crate::adapters::process::hardening::{close_to_others, forbid_core_dumps};
use crate::adapters::serve::{self, Listener, Metrics, init_logging};
use crate::adapters::sops::{SopsStore, StoreOptions};
use crate::adapters::state::SqliteState;
use crate::domain::ports::Authenticator;

/// How long requests in progress may take once the vault is told to end.
const DRAIN: Duration = Duration::from_secs(20);

/// How often ended tokens and revocations are swept from the state.
const SWEEP_PERIOD: Duration = Duration::from_mins(1);

/// The client of the cluster logs whole answers of the API server, which may hold a token; what it
/// meets is logged where it is asked.
const QUIET: &str = "kube_client=off";

/// sysexits.h: the configuration is at fault (`EX_CONFIG`), or the usage (`EX_USAGE`).
const EXIT_CONFIGURATION: u8 = 78;
const EXIT_USAGE: u8 = 64;

/// The program `vanta-vault`.
pub fn main() -> ExitCode {
    // Before there is anything in memory that must not get out.
    if let Err(error) = harden() {
        return say_and_fail(&error, 1);
    }
    let args = match VaultArgs::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing is left to be done where the message cannot be printed.
            let _ = error.print();
            return if error.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let sources = match &args.command {
        Some(Command::Dev(dev)) => &dev.sources,
        Some(Command::SigningKey(_)) | None => &args.serve.sources,
    };
    if let Err(error) = init_logging(&format!("{QUIET},{}", sources.log)) {
        // There is no log to say it in.
        let _ = writeln!(std::io::stderr(), "vanta-vault: {error}");
        return EXIT_CONFIGURATION.into();
    }
    let configured = match args.command {
        Some(Command::Dev(args)) => dev::prepare(args)
            .map(|(config, data)| (config, Some(data)))
            .map_err(anyhow::Error::from),
        Some(Command::SigningKey(args)) => return make_signing_key(&args),
        None => args.serve.config().map(|config| (config, None)).map_err(anyhow::Error::from),
    };
    let (config, dev_data) = match configured {
        Ok(configured) => configured,
        Err(error) => return say_and_fail(&error, EXIT_CONFIGURATION),
    };
    match run(config, dev_data.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say_and_fail(&error, 1),
    }
}

fn make_signing_key(args: &SigningKeyArgs) -> ExitCode {
    let made = runtime().and_then(|runtime| {
        runtime.block_on(cluster::create_signing_key(args.cluster(), &args.create_secret))
    });
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say_and_fail(&error, 1),
    }
}

fn say_and_fail(error: &anyhow::Error, code: u8) -> ExitCode {
    tracing::error!(error = chain(error), "the vault ends");
    code.into()
}

/// An error and its causes; one that is a part of the text before is not said twice.
fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| {
        if told.is_empty() || told.ends_with(&cause) {
            if told.is_empty() { cause } else { told }
        } else {
            format!("{told}: {cause}")
        }
    })
}

/// No core dump and no debugger of the same user gets at what is in memory, and nobody else reads
/// the files that are written; connections do not run out of file descriptors at a shell's limit.
fn harden() -> anyhow::Result<()> {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    serve::raise_open_files().context("the limit of open files cannot be raised")?;
    forbid_core_dumps().context("core dumps cannot be switched off")?;
    close_to_others().context("the process cannot be made undumpable")
}

fn runtime() -> anyhow::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime cannot be started")
}

fn run(config: Config, dev_data: Option<&Path>) -> anyhow::Result<()> {
    runtime()?.block_on(async {
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
    cluster: Option<(Arc<ClusterSources>, GrantsReceiver)>,
    state: Arc<SqliteState>,
}

impl Vault {
    async fn build(config: Config) -> anyhow::Result<Self> {
        let Config { sources, .. } = config;
        sources.warn_of_open_files();
        for folder in [&config.state_path, &config.audit_path] {
            make_folder(folder)?;
        }
        let state = SqliteState::open(&config.state_path.join("state.db")).await;
        let state = state.with_context(|| format!("state in {}", config.state_path.display()))?;
        let state = Arc::new(state);
        let audit = AuditLog::open(&config.audit_path, &config.replica)
            .with_context(|| format!("audit in {}", config.audit_path.display()))?;
        let with_config_maps = sources.sops_files_path.is_none();
        let (secrets, report) = SopsStore::open(StoreOptions {
            folder: sources.sops_files_path,
            shared: sources.shared_identities,
            identities_folder: sources.age_identities_path,
            leave: sources.leave,
        });
        let secrets = Arc::new(secrets);
        let metrics = Arc::new(Metrics::default());
        let clients = Arc::new(ClientCredentials::default());
        let (grants, grants_receiver) = watch::channel(None);
        let access = sources.access_path.map(|path| (AccessFolder::new(path), grants.clone()));
        let cluster = match config.cluster {
            Some(cluster) => {
                let cluster = cluster::connect(cluster).await?;
                Some(ClusterSources::new(cluster, grants, with_config_maps))
            }
            None => None,
        };
        let authenticator: Arc<dyn Authenticator> = match &cluster {
            Some(sources) => Arc::new(Identities {
                clients: Arc::clone(&clients),
                tokens: ServiceAccountTokens::new(sources.cluster.client.clone()),
            }),
            None => clients.clone(),
        };
        let tls = config.tls.as_ref().map(serve::TlsFiles::load).transpose()?;
        let standing = Arc::new(Standing::default());
        let mut watched = Watched {
            secrets: WatchedSecrets { store: Arc::clone(&secrets), metrics: Arc::clone(&metrics) },
            settings: WatchedSettings {
                access,
                clients,
                clients_file: config.clients_file,
                clients_watch: Watch::default(),
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
            tokens: state.clone(),
            authenticator,
            versions: secrets.changes(),
            grants: grants_receiver.clone(),
            ring: Arc::new(config.ring),
            state_since: state.created_at(),
            revision_key: state.revision_key(),
            audit: audit.clone(),
            metrics: Arc::clone(&metrics),
            most_waiting: serve::most_waiting()?,
        });
        let health_of = Health {
            state: Arc::clone(&state),
            audit,
            secrets,
            grants: grants_receiver.clone(),
            standing,
            cluster: cluster.as_ref().map(ClusterSources::health),
            metrics,
        };
        let cluster = cluster.map(|cluster| (cluster, grants_receiver));
        let (api, health) = (serve::bind(config.listen)?, serve::bind(config.health_listen)?);
        Ok(Self { api, health, tls, service, health_of, watched, cluster, state })
    }

    /// Serves until a signal, then drains; what changes is seen until the last answer is given.
    /// The first task that fails ends the vault.
    async fn run(self, signals: Signals) -> anyhow::Result<()> {
        let (api, health) = (Handle::new(), Handle::new());
        let (service, secrets) = (Arc::clone(&self.service), self.watched.secrets.clone());
        let watched_cluster = async {
            match self.cluster {
                Some((cluster, grants)) => cluster.run(self.service, secrets, grants).await,
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
        tokio::select! {
            ended = async { tokio::try_join!(served, health_served, drained) } => ended.map(drop),
            ended = self.watched.run() => ended.context("looking for changes failed"),
            ended = watched_cluster => ended.context("watching the cluster failed"),
            () = sweep(self.state) => Ok(()),
        }
    }
}

/// The signals that end the vault.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }
}

/// Starts to drain at the first SIGTERM or SIGINT.
async fn drain_on_signal(mut signals: Signals, api: Handle<SocketAddr>) {
    tokio::select! {
        _ = signals.terminate.recv() => {}
        _ = signals.interrupt.recv() => {}
    }
    tracing::info!(connections = api.connection_count(), "draining");
    api.graceful_shutdown(Some(DRAIN));
}

async fn sweep(state: Arc<SqliteState>) {
    let mut ticks = tokio::time::interval(SWEEP_PERIOD);
    loop {
        ticks.tick().await;
        if let Err(error) = state.sweep(Timestamp::now().as_second()).await {
            tracing::warn!(%error, "ended tokens could not be swept; it is tried again");
        }
    }
}
