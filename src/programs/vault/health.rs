//! Health, readiness and metrics, on a port of their own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use axum_server::Handle;
use serde::Serialize;

use super::cluster::ClusterHealth;
use super::freshness::Freshness;
use super::service::GrantsReceiver;
use super::standing::Standing;
use crate::adapters::audit::AuditLog;
use crate::adapters::jwt::CurrentRing;
use crate::adapters::serve::{Metrics, scraped};
use crate::adapters::sops::{EnvironmentStatus, SopsStore};
use crate::adapters::state::StateStore;

/// What readiness depends on. Liveness depends on nothing.
pub(super) struct Health {
    pub(super) state: Arc<StateStore>,
    pub(super) audit: AuditLog,
    pub(super) secrets: Arc<SopsStore>,
    pub(super) grants: GrantsReceiver,
    pub(super) freshness: Freshness,
    pub(super) standing: Arc<Standing>,
    pub(super) cluster: Option<ClusterHealth>,
    pub(super) ring: Arc<CurrentRing>,
    /// The listener of the API.
    pub(super) api: Handle<SocketAddr>,
    pub(super) metrics: Arc<Metrics>,
}

impl Health {
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self))
    }

    /// Takes down what is only known by looking.
    fn look(&self) {
        let metrics = &self.metrics;
        metrics.http.connected(self.api.connection_count());
        metrics.state.revocations_age(self.state.revocations_age().unwrap_or_default());
        metrics.audit.ends_at(self.audit.head().borrow().sequence());
        metrics.sources.grants_age((self.freshness.silence)());
        metrics.sources.signing_keys(self.ring.load().ids().count());
        let unheard = self.cluster.as_ref().and_then(ClusterHealth::secrets);
        metrics.sources.listed(unheard.is_none() && self.secrets.problems().is_empty());
        let grants = self.grants.borrow();
        if let Some(grants) = grants.as_deref() {
            metrics.sources.grants(grants.accesses.len(), grants.policies.len());
        }
    }
}

/// 200 when requests can be answered, else 503. Each check says `ok` or what is wrong, which may be
/// a part alone: a file of the grants. That of the secrets says so of each environment.
async fn ready(State(health): State<Arc<Health>>) -> Response {
    let state = health.state.check().await;
    let environments = health.secrets.status();
    let granted = health.grants.borrow().is_some();
    let cluster = health.cluster.as_ref();
    let loaded = environments.iter().any(|environment| environment.keys.is_some())
        || environments.is_empty() && cluster.is_some_and(ClusterHealth::may_be_empty);
    let audit =
        (!health.audit.is_writing()).then(|| "its writer has ended: restart the vault".to_owned());
    // Where nothing may be read, nothing can be answered.
    let fresh = health.freshness.to_read().is_ok();
    let ready = granted && fresh && loaded && state.serves && audit.is_none();
    let unread = || "the grants are not read yet".to_owned();
    let behind = health.standing.grants.text().or_else(|| cluster?.grants());
    let withheld = health.freshness.problem().filter(|_| granted);
    let behind = match (withheld, behind) {
        (Some(withheld), Some(behind)) => Some(format!("{withheld}; {behind}")),
        (withheld, behind) => withheld.or(behind),
    };
    let grants = match behind {
        Some(error) if granted => Some(error),
        Some(error) => Some(format!("{}: {error}", unread())),
        None => (!granted).then(unread),
    };
    let clients = health.standing.clients.text();
    let issuers = health.standing.issuers.text();
    let signing_keys = health.standing.signing_keys.text();
    let checks = [
        ("audit", audit),
        ("clients", clients),
        ("grants", grants),
        ("issuers", issuers),
        ("signing_keys", signing_keys),
        ("state", state.problem),
    ];
    let ok = |wrong: Option<String>| Check::One(wrong.unwrap_or_else(|| OK.to_owned()));
    let mut shown: BTreeMap<&str, Check> =
        checks.map(|(name, wrong)| (name, ok(wrong))).into_iter().collect();
    shown.insert("secrets", Check::Each(secrets(&health, &environments, loaded)));
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(shown)).into_response()
}

/// What a check says: `ok`, or what is wrong.
#[derive(Serialize)]
#[serde(untagged)]
enum Check {
    One(String),
    /// By environment, and under [`ALL`] what is of none.
    Each(BTreeMap<String, String>),
}

/// What a check says where nothing is wrong.
const OK: &str = "ok";

/// What stands for all environments, and is the name of none.
const ALL: &str = "*";

/// What is wrong with each environment that is known, and with where they all come from.
fn secrets(
    health: &Health,
    environments: &[EnvironmentStatus],
    loaded: bool,
) -> BTreeMap<String, String> {
    let unread = health.cluster.as_ref().and_then(ClusterHealth::secrets).into_iter();
    let (unlisted, identities) = (health.secrets.problems(), health.secrets.identity_problems());
    let identities = identities.iter().map(|problem| kept(problem));
    let mut of_all: Vec<String> =
        unread.chain(unlisted.iter().cloned()).chain(identities).collect();
    let mut secrets = BTreeMap::new();
    let gone = health.secrets.gone();
    let gone = gone.iter().map(|environment| (environment, GONE.to_owned()));
    let known = environments.iter().map(|status| (&status.environment, standing(status)));
    for (environment, said) in gone.chain(known) {
        secrets.insert(environment.to_string(), said);
    }
    of_all.extend(tell_once(&mut secrets));
    if !of_all.is_empty() {
        secrets.insert(ALL.to_owned(), of_all.join("; "));
    } else if secrets.is_empty() {
        let none = if loaded { OK } else { "no environment is loaded; the log says why" };
        secrets.insert(ALL.to_owned(), none.to_owned());
    }
    secrets
}

/// Takes out what is wrong with many environments alike, the trusted signers say, and gives it with
/// how many they are.
fn tell_once(secrets: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut alike: BTreeMap<&str, usize> = BTreeMap::new();
    for said in secrets.values().filter(|said| *said != OK && *said != GONE) {
        *alike.entry(said).or_default() += 1;
    }
    let often = alike.into_iter().filter(|(_, count)| *count >= ALIKE);
    let often: Vec<(String, usize)> = often.map(|(said, count)| (said.to_owned(), count)).collect();
    for said in secrets.values_mut() {
        if often.iter().any(|(told, _)| told == said) {
            ALIKE_SAID.clone_into(said);
        }
    }
    often.into_iter().map(|(said, count)| format!("{count} environments: {said}")).collect()
}

/// How many environments have something wrong with them alike that is told once.
const ALIKE: usize = 10;

/// What is said of each of them.
const ALIKE_SAID: &str = "as many others: see *";

/// How an environment stands: what is wrong with its newest version, and with the one that is
/// served.
fn standing(status: &EnvironmentStatus) -> String {
    let newest = status.error.as_ref().map(|reason| match status.keys {
        Some(_) => format!("an earlier version is served: {reason}"),
        None => format!("not loaded: {reason}"),
    });
    let served = status.served_alarm.as_ref().map(|(_, reason)| match newest {
        Some(_) => format!("what is wrong with the version that is served: {reason}"),
        None => format!("it is served: {reason}"),
    });
    let wrong: Vec<String> = newest.into_iter().chain(served).collect();
    if wrong.is_empty() { OK.to_owned() } else { wrong.join("; ") }
}

/// That a file is gone which was served: as the administrator means it, or by mistake.
const GONE: &str = "its file is gone since the vault was started: nothing of it is served";

fn kept(problem: &str) -> String {
    format!("{problem}; the identities that were read before stay in use")
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    health.look();
    scraped(health.metrics.encode())
}
