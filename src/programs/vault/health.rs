//! Health, readiness and metrics, on a port of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use axum_server::Handle;

use super::cluster::ClusterHealth;
use super::freshness::Freshness;
use super::service::GrantsReceiver;
use super::standing::Standing;
use crate::adapters::audit::AuditLog;
use crate::adapters::jwt::CurrentRing;
use crate::adapters::serve::{Metrics, scraped};
use crate::adapters::sops::{EnvironmentStatus, SopsStore};
use crate::adapters::state::StateStore;
use crate::domain::names::Environment;

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
/// a part alone: an environment of several, a file of the grants.
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
    let unread_secrets = cluster.and_then(ClusterHealth::secrets).into_iter();
    let unlisted = health.secrets.problems();
    let identities = health.secrets.identity_problems();
    let mut secrets: Vec<String> = unread_secrets
        .chain(unlisted.iter().cloned())
        .chain(identities.iter().map(|problem| kept(problem)))
        .collect();
    secrets.extend(degraded(&environments));
    secrets.extend(gone(&health.secrets.gone()));
    if !loaded && secrets.is_empty() {
        secrets.insert(0, "no environment is loaded; the log says why".to_owned());
    }
    let secrets = (!secrets.is_empty()).then(|| secrets.join("; "));
    let clients = health.standing.clients.text();
    let issuers = health.standing.issuers.text();
    let signing_keys = health.standing.signing_keys.text();
    let checks = [
        ("audit", audit),
        ("clients", clients),
        ("grants", grants),
        ("issuers", issuers),
        ("secrets", secrets),
        ("signing_keys", signing_keys),
        ("state", state.problem),
    ];
    let shown: BTreeMap<&str, String> =
        checks.map(|(name, wrong)| (name, wrong.unwrap_or_else(|| "ok".to_owned()))).into();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(shown)).into_response()
}

/// What is wrong with environments; what several have in common is said once.
fn degraded(environments: &[EnvironmentStatus]) -> Vec<String> {
    let mut common: Vec<((&str, &str), Vec<&str>)> = Vec::new();
    for status in environments {
        let newest = status.error.as_ref().map(|reason| match status.keys {
            Some(_) => ("an earlier version is served", reason),
            None => ("not loaded", reason),
        });
        let served = status.served_alarm.as_ref().map(|(_, reason)| match newest {
            Some(_) => ("what is wrong with the version that is served", reason),
            None => ("it is served", reason),
        });
        for (what, reason) in newest.into_iter().chain(served) {
            let (wrong, name) = ((what, reason.as_str()), status.environment.as_str());
            match common.iter_mut().find(|(of, _)| *of == wrong) {
                Some((_, names)) => names.push(name),
                None => common.push((wrong, vec![name])),
            }
        }
    }
    let texts = common.into_iter();
    texts
        .map(|((served, reason), names)| format!("{}: {served}: {reason}", names.join(", ")))
        .collect()
}

/// That files are gone which were served: as the administrator means it, or by mistake.
fn gone(environments: &BTreeSet<Environment>) -> Option<String> {
    let names: Vec<&str> = environments.iter().map(Environment::as_str).collect();
    let text = "its file is gone since the vault was started: nothing of it is served";
    (!names.is_empty()).then(|| format!("{}: {text}", names.join(", ")))
}

fn kept(problem: &str) -> String {
    format!("{problem}; the identities that were read before stay in use")
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    health.look();
    scraped(health.metrics.encode())
}
