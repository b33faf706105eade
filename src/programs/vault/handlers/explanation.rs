//! `POST /api/v1/access/explain`: why a subject may do something, or not.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;

use super::body;
use crate::contract::api::explanation::{
    ExplainRequest, ExplainedAccess, ExplainedBounds, ExplainedPolicy, Explanation,
};
use crate::contract::api::problem::ProblemKind;
use crate::domain::administration::Administration;
use crate::domain::grants::{Access, Grants};
use crate::domain::identity::Identity;
use crate::domain::policy::{Obstacle, Request, Target, access_obstacle, decide, policy_obstacle};
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::refusals::Explaining;
use crate::programs::vault::service::Service;

/// The very decision that a read or an issue would get at this moment; it gives no value, and does
/// not say whether a key exists.
#[utoipa::path(
    post,
    path = "/api/v1/access/explain",
    operation_id = "explainAccess",
    tag = "access",
    summary = "Why a subject may do something, or not",
    description = "The decision that a read or an issue would get at this moment. A subject may ask \
        about itself; about others, administrators. It does not tell whether a key exists.",
    security(("client" = []), ("identity" = [])),
    request_body(
        content = ExplainRequest,
        example = json!({"environment": "dev", "key": "APP_DB_PASSWORD"})
    ),
    responses(
        (
            status = 200,
            description = "The decision, and each object that has a say in it",
            body = Explanation,
            example = json!({
                "subject": "client:dev",
                "allowed": false,
                "reason": "no SecretAccess gives this subject this permission here",
                "blocked": false,
                "accesses": [
                    {"name": "default/app", "obstacle": "its patterns do not match"}
                ]
            })
        ),
        Explaining
    )
)]
pub(in crate::programs::vault) async fn explain(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    Attempt::recorded(&service, &context, Event::Explain, async |attempt| {
        explain_asked(&service, attempt, &headers, &body).await
    })
    .await
}

async fn explain_asked(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, ApiError> {
    let caller = service.identify(headers).await?;
    attempt.by(&caller);
    let asked: ExplainRequest = body::json(headers, body)?;
    attempt.record.environment = Some(asked.environment.clone());
    attempt.record.keys = asked.key.iter().cloned().collect();
    attempt.record.key_pattern.clone_from(&asked.key_pattern);
    let (identity, tells) = match asked.subject {
        Some(subject) if subject != caller.subject => {
            service.require_administrator(&caller, Administration::Explain).await?;
            attempt.record.reason = Some(format!("about {subject}"));
            (Identity::supposed(subject), Tells::All)
        }
        _ => (caller, Tells::OwnPolicies),
    };
    let target = match (asked.key, asked.key_pattern) {
        (Some(key), None) => Target::Key(key),
        (None, Some(pattern)) => Target::Issue(pattern),
        (None, None) => Target::Names,
        (Some(_), Some(_)) => {
            let detail = "give one of `key` and `key_pattern`, or neither for the names";
            return Err(ApiError::new(ProblemKind::InvalidRequest, detail));
        }
    };
    let request = Request { environment: asked.environment, permission: asked.permission, target };
    let standing = service.tokens.standing(&identity.subject);
    let blocked = standing.map_err(ApiError::stale_revocations)?.blocked;
    let grants = service.grants()?;
    let now = attempt.record.time;
    let explanation = explanation(&grants, &identity, &request, (blocked, tells), now);
    Ok(Json(explanation).into_response())
}

/// Why a blocked subject gets nothing.
const BLOCKED: &str = "an administrator has blocked the subject: it gets no tokens and reads \
    nothing until that is taken back";

/// Which policies are told of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    /// Those that are about the subject: of whom else there are some is nothing to it.
    OwnPolicies,
    /// All of the environment.
    All,
}

fn explanation(
    grants: &Grants,
    identity: &Identity,
    request: &Request,
    (blocked, tells): (bool, Tells),
    now: Timestamp,
) -> Explanation {
    let decision = decide(grants, identity, request, now);
    let own = grants.accesses.iter().filter(|access| access.subject == identity.subject);
    let mut accesses: Vec<ExplainedAccess> =
        own.map(|access| explained(grants, access, identity, request, tells)).collect();
    accesses.sort_by(|a, b| a.name.cmp(&b.name));
    // Whoever is blocked gets nothing, whatever the grants say.
    let grant = decision.as_ref().ok().filter(|_| !blocked);
    Explanation {
        subject: identity.subject.clone(),
        allowed: grant.is_some(),
        reason: match &decision {
            _ if blocked => BLOCKED.to_owned(),
            Ok(grant) => grant.because(),
            Err(denial) => denial.to_string(),
        },
        blocked,
        bounds: grant.map(|grant| ExplainedBounds {
            ttl_minutes: grant.bounds().ttl_minutes,
            usage_limit: grant.bounds().usage_limit,
        }),
        granted: grant.map(|grant| grant.granted().to_vec()).unwrap_or_default(),
        accesses,
    }
}

fn explained(
    grants: &Grants,
    access: &Access,
    identity: &Identity,
    request: &Request,
    tells: Tells,
) -> ExplainedAccess {
    let name = format!("{}/{}", access.namespace, access.name);
    if let Some(obstacle) = access_obstacle(access, &identity.subject, request) {
        return ExplainedAccess { name, obstacle: Some(obstacle.to_string()), policies: vec![] };
    }
    let policies = grants.policies.iter();
    let policies = policies.filter(|policy| policy.environment == request.environment);
    let policies = policies.map(|policy| (policy, policy_obstacle(policy, access, request)));
    let policies = policies
        .filter(|(_, obstacle)| tells == Tells::All || *obstacle != Some(Obstacle::Subject));
    let mut policies: Vec<ExplainedPolicy> = policies
        .map(|(policy, obstacle)| ExplainedPolicy {
            name: policy.name.to_string(),
            obstacle: obstacle.map(|found| found.to_string()),
            requires_pod: policy.require_pod_bound_token,
        })
        .collect();
    policies.sort_by(|a, b| a.name.cmp(&b.name));
    ExplainedAccess { name, obstacle: None, policies }
}
