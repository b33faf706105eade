//! Every route of the API.

use std::sync::Arc;

use axum::Router;
use axum::http::header::ALLOW;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};

use super::context;
use super::error::ApiError;
use super::handlers::{
    access, audit, explanation, holders, introspection, revocation, secrets, tokens,
};
use super::service::Service;
use crate::contract::api::problem::ProblemKind;

/// The API, which a test can call without a port.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/api/v1/access", get(access::list))
        .route("/api/v1/audit", get(audit::query))
        .route("/api/v1/audit/checkpoints", get(audit::checkpoints))
        .route("/api/v1/vault/tokens/generate", post(tokens::generate))
        .route("/api/v1/access/explain", post(explanation::explain))
        .route("/api/v1/access/holders", get(holders::list))
        .route("/api/v1/vault/tokens/introspect", post(introspection::introspect))
        .route("/api/v1/vault/tokens/revoke", post(revocation::revoke))
        .route("/api/v1/vault/{environment}", get(secrets::list).head(no_head))
        .route("/api/v1/vault/{environment}/{key}", get(secrets::read).head(no_head))
        .fallback(no_route)
        .layer(from_fn_with_state(Arc::clone(&service), context::answer))
        .with_state(service)
}

/// A HEAD would take a use and be recorded as a read, for an answer without a value.
async fn no_head() -> impl IntoResponse {
    let detail = "use GET: what a HEAD asks for is a read as well";
    ([(ALLOW, "GET")], ApiError::new(ProblemKind::MethodNotAllowed, detail))
}

async fn no_route() -> ApiError {
    ApiError::new(ProblemKind::RouteNotFound, "see the API's documentation for its paths")
}
