//! What is the same for every request: its id, its log line, the form of its errors.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::service::{MAX_REQUESTS, Service};
use crate::contract::api::problem::{MEDIA_TYPE, ProblemKind};

/// The header that carries a request's id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a request came from and how it is found again.
#[derive(Debug, Clone)]
pub(super) struct RequestContext {
    pub(super) id: String,
    pub(super) client_address: Option<IpAddr>,
}

impl RequestContext {
    fn of(request: &Request) -> Self {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let mut random = [0; 16];
        // An id need only be told apart from others: without random bytes it is all zeros.
        let _ = getrandom::fill(&mut random);
        Self {
            id: hex::encode(random),
            client_address: address.map(|ConnectInfo(address)| address.ip()),
        }
    }
}

/// A handler's argument for the context.
pub(super) type Context = Extension<RequestContext>;

/// Gives a request its context, and its answer what every answer has.
pub(super) async fn answer(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let context = RequestContext::of(&request);
    let method = request.method().clone();
    // The route and not the path, which may hold anything.
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", |path| path.as_str()).to_owned();
    request.extensions_mut().insert(context.clone());

    let mut response = match service.requests.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => overloaded().into_response(),
    };

    let error = as_problem(&mut response, &context);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let id = HeaderValue::from_str(&context.id).expect("hexadecimal digits are a header's value");
    headers.insert(REQUEST_ID, id);

    let (status, duration) = (response.status().as_u16(), started.elapsed());
    service.metrics.request(&route, status, duration);
    let milliseconds = duration.as_secs_f64() * 1e3;
    let problem = error.as_ref().map(|error| error.kind.name());
    let cause = error.as_ref().and_then(|error| error.cause.as_deref());
    if status >= 500 {
        tracing::warn!(request_id = context.id, %method, route, status, milliseconds, problem, cause, "answered");
    } else {
        tracing::info!(request_id = context.id, %method, route, status, milliseconds, problem, cause, "answered");
    }
    response
}

fn overloaded() -> ApiError {
    let detail = format!("{MAX_REQUESTS} requests are in progress already; try again in a moment");
    ApiError::new(ProblemKind::Overloaded, detail)
}

/// Writes the body of an error; one that axum or a layer made gets the kind that fits its status.
fn as_problem(response: &mut Response, context: &RequestContext) -> Option<ApiError> {
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None => foreign(response)?,
    };
    let problem = error.problem(&context.id);
    let body = serde_json::to_vec(&problem).expect("a problem holds only text and numbers");
    *response.body_mut() = body.into();
    let headers = response.headers_mut();
    headers.remove(axum::http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    Some(error)
}

fn foreign(response: &Response) -> Option<ApiError> {
    let status = response.status().as_u16();
    if status < 400 {
        return None;
    }
    let (kind, detail) = match status {
        405 => {
            (ProblemKind::MethodNotAllowed, "the Allow header says which methods the path takes")
        }
        408 => (ProblemKind::RequestTimeout, "send the request faster"),
        413 => (ProblemKind::BodyTooLarge, "a request's body has at most 64 KiB"),
        404 => (ProblemKind::RouteNotFound, "see the API's documentation for its paths"),
        500.. => (ProblemKind::Internal, "the vault's log says more under this request id"),
        _ => (ProblemKind::InvalidRequest, "see the API's documentation for what is expected"),
    };
    Some(ApiError::new(kind, detail))
}
