//! Health, readiness and metrics, on a port of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::service::GrantsReceiver;
use crate::adapters::serve::Metrics;
use crate::adapters::sops::SopsFolder;
use crate::adapters::state::SqliteState;

/// How long the state store may take to answer before the vault is not ready.
const STATE_TIMEOUT: Duration = Duration::from_secs(2);

/// What readiness depends on. Liveness depends on nothing.
pub(super) struct Health {
    pub(super) state: Arc<SqliteState>,
    pub(super) secrets: Arc<SopsFolder>,
    pub(super) grants: GrantsReceiver,
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
}

/// 200 when requests can be answered, else 503; each check says `ok` or what is wrong.
async fn ready(State(health): State<Arc<Health>>) -> Response {
    let state = match tokio::time::timeout(STATE_TIMEOUT, health.state.ping()).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("the state store does not answer".to_owned()),
    };
    let grants = if health.grants.borrow().is_some() {
        Ok(())
    } else {
        Err("the grants are not read yet; the log says why".to_owned())
    };
    let loaded = health.secrets.status().iter().any(|status| status.keys.is_some());
    let secrets =
        if loaded { Ok(()) } else { Err("no environment is loaded; the log says why".to_owned()) };
    let checks = [("grants", grants), ("secrets", secrets), ("state", state)];
    let ready = checks.iter().all(|(_, result)| result.is_ok());
    let shown: BTreeMap<&str, String> = checks
        .into_iter()
        .map(|(name, result)| (name, result.err().unwrap_or_else(|| "ok".to_owned())))
        .collect();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(shown)).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, media_type)], health.metrics.encode()).into_response()
}
