//! From arguments to a running injector, and from a signal to its end.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::{Notify, watch};

use super::certificates::Certificates;
use super::config::{Command, Config, InjectorArgs};
use super::health::Health;
use super::metrics::Metrics;
use super::router::{Webhooks, router};
use super::standing::Standing;
use crate::adapters::authority::{Bundle, Secrets, Spread, SpreadReport, remove_all};
use crate::adapters::kubernetes::{Cluster, ClusterGrants};
use crate::adapters::process::Status;
use crate::adapters::serve::{self, Listener, Signals};
use crate::domain::names::Label;
use crate::domain::system::MADE_SECRETS;

/// The namespaces that the authority's ConfigMap is not put into: no pod of theirs gets an agent.
const EXCLUDED: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

/// How long questions still come after a signal, until nobody sends them here any more.
const LINGER: Duration = Duration::from_secs(5);

/// How long questions in progress may take after that.
const DRAIN: Duration = Duration::from_secs(10);

/// The program `vanta-injector`.
pub fn main() -> ExitCode {
    let args: InjectorArgs = match serve::start(|args: &InjectorArgs| args.log.as_str(), None) {
        Ok(args) => args,
        Err(ended) => return ended,
    };
    match args.command {
        Some(Command::Cleanup) => serve::ended(block_on(clean_up(args.namespace))),
        None => match args.config() {
            Ok(config) => serve::ended(block_on(serve_pods(&config))),
            Err(error) => serve::end(&error.into(), Status::Configuration),
        },
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    serve::runtime()?.block_on(work)
}

async fn serve_pods(config: &Config) -> anyhow::Result<()> {
    // Before anybody could be served, so that no signal ends the injector without draining.
    let signals = Signals::listen()?;
    let injector = Injector::build(config).await?;
    let (webhooks, health) = (injector.webhooks.address(), injector.health.address());
    tracing::info!(%webhooks, %health, namespace = injector.namespace, "the injector is listening");
    Box::pin(injector.run(signals)).await
}

/// Removes what the programs made.
async fn clean_up(namespace: Option<Label>) -> anyhow::Result<()> {
    let Cluster { client, namespace } = Cluster::connect(namespace).await?;
    remove_all(&client, &namespace, &MADE_SECRETS).await?;
    tracing::info!(namespace, "what the programs made is removed");
    Ok(())
}

/// An injector with its ports bound, which serves nothing yet.
struct Injector {
    namespace: String,
    webhooks: Listener,
    health: Listener,
    router: axum::Router,
    health_of: Health,
    certificates: Certificates,
    tls: watch::Receiver<Option<RustlsConfig>>,
    spread: Spread,
    /// For warnings alone, so that nothing depends on it.
    grants: ClusterGrants,
    bundle: watch::Receiver<Bundle>,
}

impl Injector {
    async fn build(config: &Config) -> anyhow::Result<Self> {
        let cluster = Cluster::connect(config.namespace.clone()).await?;
        let Cluster { client, namespace } = cluster.clone();
        let metrics = Arc::new(Metrics::default());
        let standing = Arc::new(Standing::default());
        let (tls_sender, tls) = watch::channel(None);
        let (bundle_sender, bundle) = watch::channel(None);
        let (grants_sender, grants) = watch::channel(None);
        let injection = config.injection(&namespace);
        let secrets = Secrets::new(client.clone(), &namespace);
        Ok(Self {
            webhooks: serve::bind(config.listen)?,
            health: serve::bind(config.health_listen)?,
            router: router(Webhooks::new(injection, Arc::clone(&metrics), grants)),
            health_of: Health { standing: Arc::clone(&standing), metrics: Arc::clone(&metrics) },
            certificates: Certificates {
                client: client.clone(),
                secrets: secrets.context("no random bytes could be had")?,
                namespace: namespace.clone(),
                tls: tls_sender,
                bundle: bundle_sender,
                standing,
                metrics,
            },
            tls,
            spread: Spread::new(client, EXCLUDED),
            grants: ClusterGrants::new(&cluster, grants_sender),
            bundle,
            namespace,
        })
    }

    /// Serves until a signal, then drains. The first task that fails ends the injector.
    async fn run(self, signals: Signals) -> anyhow::Result<()> {
        let (webhooks, health) = (Handle::new(), Handle::new());
        let ended = Notify::new();
        let standing = Arc::clone(&self.health_of.standing);
        let served = async {
            // Without a certificate nobody can be served.
            let tls = tokio::select! {
                tls = first(self.tls) => Some(tls?),
                () = ended.notified() => None,
            };
            let served = match tls {
                Some(tls) => self.webhooks.serve(self.router, Some(tls), webhooks.clone()).await,
                None => Ok(()),
            };
            // Health goes on until the last answer is given, and ends with it.
            health.shutdown();
            served.map_err(anyhow::Error::from)
        };
        let health_served =
            self.health.serve(self.health_of.clone().router(), None, health.clone());
        let health_served = async { health_served.await.map_err(anyhow::Error::from) };
        let drained = async {
            drain_on_signal(signals, &standing, &webhooks).await;
            ended.notify_one();
            Ok(())
        };
        let report = |report: SpreadReport<'_>| tell(&self.health_of, &report);
        tokio::select! {
            ended = async { tokio::try_join!(served, health_served, drained) } => ended.map(drop),
            () = self.certificates.run() => Ok(()),
            () = self.spread.run(self.bundle, report) => Ok(()),
            never = self.grants.run() => match never {},
        }
    }
}

/// Waits for the first certificate.
async fn first(mut tls: watch::Receiver<Option<RustlsConfig>>) -> anyhow::Result<RustlsConfig> {
    let tls = tls.wait_for(Option::is_some).await.context("nobody keeps the certificates")?;
    tls.clone().context("the certificate is there, since it was waited for")
}

/// Tells what became of the ConfigMaps.
fn tell(health: &Health, report: &SpreadReport<'_>) {
    match report {
        SpreadReport::Written { namespace } => {
            health.metrics.authority_written(true);
            tracing::info!(namespace, "the authority was written into the namespace");
        }
        SpreadReport::Failed { namespace, error } => {
            health.metrics.authority_written(false);
            tracing::warn!(namespace, %error, "a namespace lacks the authority; it is tried again");
        }
        SpreadReport::Lacking(namespaces) => {
            health.metrics.lacking(*namespaces);
            let lack = || format!("{namespaces} namespaces lack the authority; the log says why");
            health.standing.config_maps.set((*namespaces > 0).then(lack));
        }
    }
}

/// Says at the first SIGTERM or SIGINT that it ends, and starts to drain a little later, or at the
/// second: the API server sends questions here until it has heard of it.
async fn drain_on_signal(mut signals: Signals, standing: &Standing, webhooks: &Handle<SocketAddr>) {
    signals.next().await;
    standing.running.set(Some("the program ends".to_owned()));
    tracing::info!(connections = webhooks.connection_count(), "ending");
    tokio::select! {
        () = tokio::time::sleep(LINGER) => {}
        () = signals.next() => {}
    }
    webhooks.graceful_shutdown(Some(DRAIN));
}
