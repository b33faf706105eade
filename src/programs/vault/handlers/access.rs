//! `GET /api/v1/access`: what the caller may have now.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;

use crate::contract::api::access::{AccessList, Missing, MissingKind};
use crate::contract::api::problem::ProblemKind;
use crate::domain::grants::{Access, Grants};
use crate::domain::identity::Identity;
use crate::domain::policy::Denial;
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::Showing;
use crate::programs::vault::service::Service;
use crate::programs::vault::view::View;

/// Which grants are wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::programs::vault) struct AccessQuery {
    /// Names of SecretAccesses, with commas between them; all when absent.
    #[param(value_type = String, required = false, example = "app,billing")]
    names: Option<String>,
}

/// `GET /api/v1/access`
#[utoipa::path(
    get,
    path = "/api/v1/access",
    operation_id = "listAccess",
    tag = "access",
    summary = "What the caller may have now",
    description = "Needs an identity. Each SecretAccess that a SecretPolicy is around, and of those \
        that were asked for by name and give nothing, why.",
    security(("client" = []), ("identity" = [])),
    params(AccessQuery),
    responses(
        (
            status = 200,
            description = "The caller's grants as they are now",
            body = AccessList,
            example = json!({
                "subject": "client:dev",
                "access": [{
                    "namespace": "default",
                    "name": "app",
                    "environment": "dev",
                    "key_pattern": "APP_*",
                    "permissions": ["read", "list"],
                    "ttl_minutes": 30,
                    "usage_limit": 1000,
                    "revision": "9f2c0b7d1e3a4f5869788796a5b4c3d2"
                }],
                "missing": [{
                    "name": "billing",
                    "kind": "absent",
                    "reason": "there is no SecretAccess billing for client:dev"
                }]
            })
        ),
        Showing
    )
)]
pub(in crate::programs::vault) async fn list(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    query: Result<Query<AccessQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Access, async |attempt| {
        list_access(&service, attempt, &headers, query).await
    })
    .await
}

async fn list_access(
    service: &Arc<Service>,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    query: Result<Query<AccessQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let identity = service.identify(headers).await?;
    attempt.by(&identity);
    let Query(query) = query.map_err(|_| {
        ApiError::new(ProblemKind::InvalidRequest, "the query may hold `names`, and nothing else")
    })?;
    let grants = service.grants()?;
    let mut wanted: Vec<&str> = query.names.iter().flat_map(|names| names.split(',')).collect();
    wanted.retain(|name| !name.is_empty());
    wanted.sort_unstable();
    wanted.dedup();

    // Revisions take decrypting what is in scope: not on a thread that serves others, and few at
    // once, since such work is seen to its end also when nobody waits for it any more.
    let place = Arc::clone(&service.lists).acquire_owned().await;
    let place = place.expect("the semaphore is never closed");
    let (service, now) = (Arc::clone(service), attempt.record.time);
    let names: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
    let collected = tokio::task::spawn_blocking(move || {
        let _place = place;
        collect(&service, &identity, &own(&identity, &grants), &names, now)
    });
    let list = collected.await.map_err(|panicked| {
        ApiError::new(ProblemKind::Internal, "the grants could not be shown").with_cause(panicked)
    })?;
    Ok(Json(list).into_response())
}

/// The grants without other subjects' SecretAccesses, which have no say.
fn own(identity: &Identity, grants: &Grants) -> Grants {
    let of_subject = |access: &&Access| access.subject == identity.subject;
    Grants {
        accesses: grants.accesses.iter().filter(of_subject).cloned().collect(),
        policies: grants.policies.clone(),
    }
}

fn collect(
    service: &Service,
    identity: &Identity,
    grants: &Grants,
    wanted: &[String],
    now: Timestamp,
) -> AccessList {
    let mut list =
        AccessList { subject: identity.subject.clone(), access: vec![], missing: vec![] };
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    for access in &grants.accesses {
        if !is_wanted(access.name.as_str()) {
            continue;
        }
        match View::new(service, identity, access, grants, now).show() {
            Ok(shown) => list.access.push(shown),
            Err(denial) => {
                let (name, reason) = (access.name.to_string(), denial.explain(access));
                list.missing.push(Missing { name, kind: kind(&denial), reason });
            }
        }
    }
    for name in wanted {
        let known = list.access.iter().any(|access| access.name == *name)
            || list.missing.iter().any(|missing| missing.name == *name);
        if !known {
            let reason = format!("there is no SecretAccess {name} for {}", identity.subject);
            let kind = MissingKind::Absent;
            list.missing.push(Missing { name: name.clone(), kind, reason });
        }
    }
    list.access.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    list
}

fn kind(denial: &Denial) -> MissingKind {
    match denial {
        Denial::IdentityExpired => MissingKind::IdentityExpired,
        Denial::NoAccess => MissingKind::LacksPermission,
        Denial::NoPolicy(_) => MissingKind::NoPolicy,
        Denial::NotPodBound(_) => MissingKind::NotPodBound,
    }
}
