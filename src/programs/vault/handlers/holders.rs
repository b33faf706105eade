//! `GET /api/v1/access/holders`: who holds what at which revision, for administrators.

use std::collections::HashSet;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;

use crate::contract::api::holders::{Holder, Holders, HoldersQuery, MOST_HOLDERS, USUAL_HOLDERS};
use crate::contract::api::problem::ProblemKind;
use crate::domain::administration::Administration;
use crate::domain::grants::{Grants, Permission};
use crate::domain::held::Held;
use crate::domain::identity::{Identity, Subject};
use crate::domain::names::{Environment, Key};
use crate::domain::policy::{Request, Target, decide};
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::Holding;
use crate::programs::vault::service::Service;

/// What the audit tells of answers that carried values; it tells no value.
#[utoipa::path(
    get,
    path = "/api/v1/access/holders",
    operation_id = "listHolders",
    tag = "access",
    summary = "Who holds what at which revision, for administrators",
    description = "What the audit tells of answers that carried values. It tells no value.",
    security(("client" = []), ("identity" = [])),
    params(HoldersQuery),
    responses(
        (
            status = 200,
            description = "Who was last given what, the newest first",
            body = Holders,
            example = json!({
                "holders": [{
                    "subject": "client:dev",
                    "environment": "dev",
                    "scope": "APP_*",
                    "keys": ["APP_DB_PASSWORD", "APP_DB_USER"],
                    "revision": "9f2c0b7d1e3a4f5869788796a5b4c3d2",
                    "time": "2026-01-05T10:00:00Z",
                    "current": true
                }],
                "more": false
            })
        ),
        Holding
    )
)]
pub(in crate::programs::vault) async fn list(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    query: Result<Query<HoldersQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Holders, async |attempt| {
        list_holders(&service, attempt, &headers, query).await
    })
    .await
}

/// What the query means.
struct Wanted {
    environment: Option<Environment>,
    key: Option<Key>,
    subject: Option<Subject>,
    limit: usize,
}

impl Wanted {
    fn parse(query: Result<Query<HoldersQuery>, QueryRejection>) -> Result<Self, ApiError> {
        let refuse = |detail: String| ApiError::new(ProblemKind::InvalidRequest, detail);
        let expected = "the query may hold `environment`, `key`, `subject` and `limit`, each once";
        let Query(query) = query.map_err(|_| refuse(expected.to_owned()))?;
        let limit = query.limit.unwrap_or(USUAL_HOLDERS);
        if !(1..=MOST_HOLDERS).contains(&limit) {
            return Err(refuse(format!("`limit` is 1 to {MOST_HOLDERS}")));
        }
        Ok(Self {
            environment: query.environment.map(|text| ApiError::parse_name(&text)).transpose()?,
            key: query.key.map(|text| ApiError::parse_name(&text)).transpose()?,
            subject: query.subject.map(|text| ApiError::parse_name(&text)).transpose()?,
            limit,
        })
    }

    fn covers(&self, holder: &Held) -> bool {
        self.environment.as_ref().is_none_or(|wanted| holder.environment == *wanted)
            && self.key.as_ref().is_none_or(|wanted| holder.keys.contains(wanted))
            && self.subject.as_ref().is_none_or(|wanted| holder.subject == *wanted)
    }
}

async fn list_holders(
    service: &Arc<Service>,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    query: Result<Query<HoldersQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    service.administrator(headers, attempt, Administration::ListHolders).await?;
    let wanted = Wanted::parse(query)?;
    attempt.record.environment.clone_from(&wanted.environment);
    attempt.record.keys.extend(wanted.key.clone());
    attempt.record.reason = wanted.subject.as_ref().map(|subject| format!("about {subject}"));
    let known = service.audit.holders().await.map_err(|error| {
        let detail = "what was recorded cannot be read now; try again later";
        ApiError::new(ProblemKind::AuditUnavailable, detail).with_cause(error)
    })?;
    let grants = service.grants()?;
    // As with what a subject may have: decrypting is not for a thread that serves others.
    let place = Arc::clone(&service.lists).acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let (service, now) = (Arc::clone(service), attempt.record.time);
    let compared = tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut found = known.into_iter().filter(|holder| wanted.covers(holder));
        let shown = found.by_ref().take(wanted.limit);
        let holders = shown.map(|holder| compare(&service, &grants, holder, now)).collect();
        Holders { holders, more: found.next().is_some() }
    });
    let holders = compared.await.map_err(|panicked| {
        ApiError::new(ProblemKind::Internal, "the holders could not be shown").with_cause(panicked)
    })?;
    Ok(Json(holders).into_response())
}

/// Says whether what a holder was given is what it would be given now: all that the revision is of.
fn compare(service: &Service, grants: &Grants, held: Held, now: Timestamp) -> Holder {
    let identity = Identity::supposed(held.subject.clone());
    let given: HashSet<&Key> = held.keys.iter().chain(&held.given_again).collect();
    let select = |key: &Key| {
        let request = Request {
            environment: held.environment.clone(),
            permission: Permission::Read,
            target: Target::Key(key.clone()),
        };
        given.contains(key).then(|| decide(grants, &identity, &request, now).ok()).flatten()
    };
    let values = service.secrets.read_all(&held.environment, &select);
    let current = values.is_ok_and(|values| {
        values.len() == given.len()
            && service.revisions.of(&held.environment, &values) == held.revision
    });
    Holder { held, current }
}
