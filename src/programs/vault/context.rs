//! What is the same for every request: its id, its log line, the form of its errors.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{Extensions, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use tracing::Instrument as _;

use super::error::ApiError;
use super::service::{MAX_REQUESTS, Service};
use super::waiting::Waiting;
use crate::adapters::serve;
use crate::contract::api::problem::{MEDIA_TYPE, ProblemKind};

/// How long a request's body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request may be handled before its client is told to come back.
const HANDLING_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest body of a request, in bytes.
const MAX_BODY_LEN: usize = 64 * 1024;

const INTERNAL: &str = "the vault's log says more under this request id";

/// The header that carries a request's id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

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
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let context = RequestContext::of(&request);
    let method = request.method().clone();
    // The route and not the path, which may hold anything.
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", |path| path.as_str()).to_owned();

    let span = serve::request(&method, &route, request.headers(), &context.id);
    let trace_id = serve::trace_id(&span);

    // In boxes, so that whoever waits does not keep what the handling took.
    let mut answered =
        Box::pin(handle(&service, &context, request, next).instrument(span.clone())).await;
    let mut waited = None;
    let extensions = answered.as_mut().ok().map(Response::extensions_mut);
    if let Some(waiting) = extensions.and_then(Extensions::remove::<Arc<Waiting>>) {
        let began = Instant::now();
        answered = Box::pin(waiting.answer(&service).instrument(span.clone())).await;
        waited = Some(began.elapsed());
    }
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);

    let error = as_problem(&mut response, &context);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let id = HeaderValue::from_str(&context.id).expect("hexadecimal digits are a header's value");
    headers.insert(REQUEST_ID, id);

    let status = response.status().as_u16();
    // What a caller waited for by its own wish says nothing of how fast the vault is.
    let duration = started.elapsed().saturating_sub(waited.unwrap_or_default());
    let problem = error.as_ref().map(|error| error.kind.name());
    serve::answered(&span, status, problem, waited);
    service.metrics.http.answered(&route, status, problem, duration);
    let waited_milliseconds = waited.map(|waited| waited.as_secs_f64() * 1e3);
    let milliseconds = duration.as_secs_f64() * 1e3;
    let cause = error.as_ref().and_then(|error| error.cause.as_deref());
    if status >= 500 {
        tracing::warn!(request_id = context.id, %method, route, status, milliseconds, waited_milliseconds, problem, cause, trace_id, "answered");
    } else {
        tracing::info!(request_id = context.id, %method, route, status, milliseconds, waited_milliseconds, problem, cause, trace_id, "answered");
    }
    response
}

/// Takes in the whole request, then a place among those that are handled, and sees it through.
async fn handle(
    service: &Arc<Service>,
    context: &RequestContext,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    // Without a place: whoever sends slowly takes none from the others.
    let body = tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_LEN)).await;
    let body = body.map_err(|_| slow_body())?.map_err(|error| bad_body(&error))?;
    parts.extensions.insert(context.clone());
    let request = Request::from_parts(parts, Body::from(body));

    let handler = Arc::clone(service);
    see_through(async move {
        let _place = handler.requests.try_acquire().map_err(|_| overloaded())?;
        Ok(next.run(request).await)
    })
    .await
}

/// Does work in a task of its own: a client that goes away ends the waiting and not the work, so
/// that a use that was taken or a revocation that was stored is always recorded.
pub(super) async fn see_through<T: Send + 'static>(
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::time::timeout(HANDLING_TIMEOUT, tokio::spawn(work.in_current_span())).await {
        Ok(Ok(done)) => done,
        Ok(Err(panicked)) => {
            Err(ApiError::new(ProblemKind::Internal, INTERNAL).with_cause(panicked))
        }
        Err(_) => Err(unfinished()),
    }
}

fn unfinished() -> ApiError {
    let detail = "the vault's disk or state is too slow; try again later";
    ApiError::new(ProblemKind::Overloaded, detail)
}

fn slow_body() -> ApiError {
    let detail = format!("the body did not arrive in {} seconds", BODY_TIMEOUT.as_secs());
    ApiError::new(ProblemKind::RequestTimeout, detail)
}

fn bad_body(error: &axum::Error) -> ApiError {
    let too_large = std::error::Error::source(error)
        .is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
    if too_large {
        let detail = format!("a request's body has at most {} KiB", MAX_BODY_LEN / 1024);
        return ApiError::new(ProblemKind::BodyTooLarge, detail);
    }
    ApiError::new(ProblemKind::InvalidRequest, "the body did not arrive whole")
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
        500.. => (ProblemKind::Internal, INTERNAL),
        _ => (ProblemKind::InvalidRequest, "see the API's documentation for what is expected"),
    };
    Some(ApiError::new(kind, detail))
}
