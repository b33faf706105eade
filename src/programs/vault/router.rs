//! Every route of the API.

use std::sync::Arc;

use axum::Router;
use axum::http::header::ALLOW;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::error::ApiError;
use super::handlers::{
    access, audit, explanation, holders, introspection, revocation, secrets, tokens,
};
use super::service::Service;
use super::{context, openapi};
use crate::contract::api::problem::ProblemKind;

/// The API, which a test can call without a port.
pub fn router(service: Arc<Service>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(no_route)
        .layer(from_fn_with_state(Arc::clone(&service), context::answer))
        .with_state(service)
}

/// Each operation, with its description, which says its path and method.
pub(super) fn routes() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(openapi::without_operations())
        .routes(routes!(tokens::generate))
        .routes(routes!(revocation::revoke))
        .routes(routes!(introspection::introspect))
        .routes(without_head(routes!(secrets::list)))
        .routes(without_head(routes!(secrets::read)))
        .routes(routes!(access::list))
        .routes(routes!(explanation::explain))
        .routes(routes!(holders::list))
        .routes(routes!(audit::query))
        .routes(routes!(audit::checkpoints))
        .routes(routes!(openapi::describe))
}

fn without_head(
    (schemas, paths, methods): UtoipaMethodRouter<Arc<Service>>,
) -> UtoipaMethodRouter<Arc<Service>> {
    (schemas, paths, methods.head(no_head))
}

/// A HEAD would take a use and be recorded as a read, for an answer without a value.
async fn no_head() -> impl IntoResponse {
    let detail = "use GET: what a HEAD asks for is a read as well";
    ([(ALLOW, "GET")], ApiError::new(ProblemKind::MethodNotAllowed, detail))
}

async fn no_route() -> ApiError {
    ApiError::new(ProblemKind::RouteNotFound, "see the API's documentation for its paths")
}
