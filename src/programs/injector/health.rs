//! Health, readiness and metrics, on a port of their own.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::metrics::Metrics;
use super::standing::Standing;
use crate::adapters::serve::scraped;

/// What health tells of. Liveness depends on nothing.
#[derive(Clone)]
pub(super) struct Health {
    pub(super) standing: Arc<Standing>,
    pub(super) metrics: Arc<Metrics>,
}

impl Health {
    pub(super) fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

/// 200 when pods can be looked at, else 503. Each check says `ok` or what is wrong.
async fn ready(State(health): State<Health>) -> Response {
    let ready = health.standing.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.standing.shown())).into_response()
}

async fn metrics(State(health): State<Health>) -> Response {
    scraped(health.metrics.encode())
}
