//! Every route of the API.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::context;
use super::error::ApiError;
use super::handlers::{access, secrets, tokens};
use super::service::Service;
use crate::contract::api::problem::ProblemKind;

/// How long a request may take, its body's arrival included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest body of a request, in bytes.
const MAX_BODY_LEN: usize = 64 * 1024;

/// The API, which a test can call without a port.
pub fn router(service: Arc<Service>) -> Router {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT);
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(&service), context::answer))
        .layer(CatchPanicLayer::new())
        .layer(timeout)
        .layer(DefaultBodyLimit::max(MAX_BODY_LEN));
    Router::new()
        .route("/api/v1/access", get(access::list))
        .route("/api/v1/vault/tokens/generate", post(tokens::generate))
        .route("/api/v1/vault/tokens/revoke", post(tokens::revoke))
        .route("/api/v1/vault/{environment}", get(secrets::list).head(no_head))
        .route("/api/v1/vault/{environment}/{key}", get(secrets::read).head(no_head))
        .fallback(no_route)
        .layer(layers)
        .with_state(service)
}

/// A HEAD would take a use and be recorded as a read, for an answer without a value.
async fn no_head() -> ApiError {
    ApiError::new(ProblemKind::MethodNotAllowed, "use GET: what a HEAD asks for is a read as well")
}

async fn no_route() -> ApiError {
    ApiError::new(ProblemKind::RouteNotFound, "see the API's documentation for its paths")
}
