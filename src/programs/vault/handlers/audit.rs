//! `GET /api/v1/audit…`: what was recorded, for administrators. Asking is recorded itself.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;

use crate::adapters::audit::{self, Page, QueryError};
use crate::adapters::state::CheckpointQuery;
use crate::contract::api::audit::{
    AuditCheckpoints, AuditPage, AuditQuery, CheckpointsQuery, FormatWanted, LAST_CURSOR,
    LONGEST_TEXT, MOST_CHECKPOINTS, MOST_ENTRIES, NDJSON, NEXT_CURSOR, USUAL_CHECKPOINTS,
    USUAL_ENTRIES,
};
use crate::contract::api::problem::ProblemKind;
use crate::domain::administration::Administration;
use crate::domain::identity::is_client_secret;
use crate::domain::record::{Event, UnknownWord};
use crate::domain::record_filter::Filter;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::{Querying, SignedHeads};
use crate::programs::vault::service::Service;

/// `GET /api/v1/audit`
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "queryAudit",
    tag = "audit",
    summary = "The audit's entries, for administrators",
    description = "Those that match each parameter given. With `format=lines` each line is exactly \
        as it was written, so that hashes can be checked. Asking is recorded, too.",
    security(("client" = []), ("identity" = [])),
    params(AuditQuery),
    responses(
        (
            status = 200,
            description = "A page of entries, as JSON or as lines",
            content(
                (AuditPage = "application/json"),
                (String = "application/x-ndjson")
            ),
            headers(
                ("Vanta-Next-Cursor" = u64, description = "Of lines: the next page's `cursor`."),
                ("Vanta-Last-Cursor" = u64, description = "Of lines: where the page ended.")
            )
        ),
        Querying
    )
)]
pub(in crate::programs::vault) async fn query(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Query, async |attempt| {
        answer_query(&service, attempt, &headers, query).await
    })
    .await
}

async fn answer_query(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    service.administrator(headers, attempt, Administration::ReadAudit).await?;
    let Query(wanted) = query.map_err(|error| invalid(error.body_text()))?;
    let query = meant(&wanted)?;
    attempt.record.environment.clone_from(&query.filter.environment);
    attempt.record.keys.extend(query.filter.key.clone());
    attempt.record.reason = Some(format!("asked for {}", told(&wanted)));
    let page = service.audit.query(query).await.map_err(unreadable)?;
    Ok(match wanted.format.unwrap_or_default() {
        FormatWanted::Json => Json(parsed(&page)).into_response(),
        FormatWanted::Lines => lines(&page),
    })
}

fn parsed(page: &Page) -> AuditPage {
    let entries = page.lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    AuditPage { entries, next: page.next, last: page.last }
}

fn lines(page: &Page) -> Response {
    let text: String = page.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let mut response = ([(CONTENT_TYPE, HeaderValue::from_static(NDJSON))], text).into_response();
    for (name, cursor) in [(NEXT_CURSOR, page.next), (LAST_CURSOR, page.last)] {
        if let Some(cursor) = cursor {
            response.headers_mut().insert(HeaderName::from_static(name), cursor.into());
        }
    }
    response
}

/// What the parameters mean. A client's secret among them is not recorded, and not looked for.
fn meant(wanted: &AuditQuery) -> Result<audit::Query, ApiError> {
    let limit = wanted.limit.unwrap_or(USUAL_ENTRIES);
    if !(1..=MOST_ENTRIES).contains(&limit) {
        return Err(invalid(format!("`limit` is 1 to {MOST_ENTRIES}")));
    }
    let filter = Filter {
        since: wanted.since.as_ref().map(|text| time("since", text)).transpose()?,
        until: wanted.until.as_ref().map(|text| time("until", text)).transpose()?,
        subject: name(wanted.subject.as_ref())?,
        environment: name(wanted.environment.as_ref())?,
        key: name(wanted.key.as_ref())?,
        event: word(wanted.event.as_ref())?,
        outcome: word(wanted.outcome.as_ref())?,
        jti: name(wanted.jti.as_ref())?,
        replica: text("replica", wanted.replica.as_ref())?,
        request_id: text("request_id", wanted.request_id.as_ref())?,
    };
    let order = wanted.order.unwrap_or_default();
    Ok(audit::Query { filter, order, limit, cursor: wanted.cursor })
}

/// The parameters as they were understood, for the record.
fn told(wanted: &AuditQuery) -> String {
    serde_urlencoded::to_string(wanted).unwrap_or_default()
}

fn name<T: std::str::FromStr<Err = crate::domain::names::InvalidName>>(
    given: Option<&String>,
) -> Result<Option<T>, ApiError> {
    given.map(|text| ApiError::parse_name(text)).transpose()
}

fn word<T: std::str::FromStr<Err = UnknownWord>>(
    given: Option<&String>,
) -> Result<Option<T>, ApiError> {
    given
        .map(|text| text.parse())
        .transpose()
        .map_err(|unknown: UnknownWord| invalid(unknown.to_string()))
}

fn text(name: &str, given: Option<&String>) -> Result<Option<String>, ApiError> {
    let Some(text) = given else { return Ok(None) };
    let graphic = text.chars().all(|sign| sign.is_ascii_graphic() || sign == ' ');
    if !graphic || text.len() > LONGEST_TEXT || is_client_secret(text.as_bytes()) {
        return Err(invalid(format!("`{name}` is at most {LONGEST_TEXT} printable characters")));
    }
    Ok(Some(text.clone()))
}

fn time(name: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| {
        invalid(format!("`{name}` is a time of RFC 3339, such as 2026-01-05T10:00:00Z"))
    })
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ApiError::new(ProblemKind::InvalidRequest, detail)
}

fn unreadable(error: QueryError) -> ApiError {
    let detail = "what was recorded cannot be read now; try again later";
    ApiError::new(ProblemKind::AuditUnavailable, detail).with_cause(error)
}

/// `GET /api/v1/audit/checkpoints`
#[utoipa::path(
    get,
    path = "/api/v1/audit/checkpoints",
    operation_id = "listCheckpoints",
    tag = "audit",
    summary = "The audit's signed heads, for administrators",
    security(("client" = []), ("identity" = [])),
    params(CheckpointsQuery),
    responses(
        (
            status = 200,
            description = "A page of them, by replica and sequence",
            body = AuditCheckpoints
        ),
        SignedHeads
    )
)]
pub(in crate::programs::vault) async fn checkpoints(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    query: Result<Query<CheckpointsQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Query, async |attempt| {
        answer_checkpoints(&service, attempt, &headers, query).await
    })
    .await
}

async fn answer_checkpoints(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    query: Result<Query<CheckpointsQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    service.administrator(headers, attempt, Administration::ReadAudit).await?;
    let Query(wanted) = query.map_err(|error| invalid(error.body_text()))?;
    let query = heads_meant(&wanted)?;
    attempt.record.reason = Some("asked for checkpoints".to_owned());
    let page = service.heads.page(&query).await.map_err(|error| {
        let detail = "the signed heads cannot be read now; try again later";
        ApiError::new(ProblemKind::StateUnavailable, detail).with_cause(error)
    })?;
    Ok(Json(page).into_response())
}

fn heads_meant(wanted: &CheckpointsQuery) -> Result<CheckpointQuery, ApiError> {
    let limit = wanted.limit.unwrap_or(USUAL_CHECKPOINTS);
    if !(1..=MOST_CHECKPOINTS).contains(&limit) {
        return Err(invalid(format!("`limit` is 1 to {MOST_CHECKPOINTS}")));
    }
    let replica = text("replica", wanted.replica.as_ref())?;
    let after = wanted.cursor.as_ref().map(|text| text.parse()).transpose();
    let after = after.map_err(|_| invalid("`cursor` is the `next` of the page before"))?;
    Ok(CheckpointQuery { replica, after, limit })
}
