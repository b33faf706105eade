//! `GET /api/v1/vault/{environment}…`: values and names.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::give::{Form, check_uses, give, json, text};
use super::read_all::{ReadAll, pattern};
use super::scope::Scope;
use crate::adapters::jwt::VerifiedToken;
use crate::adapters::serve::step;
use crate::contract::api::problem::ProblemKind;
use crate::contract::api::secrets::{Keys, Listed, Value, Value as OneValue};
use crate::domain::grants::Permission;
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::openapi::headers::{Condition, Preference};
use crate::programs::vault::openapi::refusals::{Listing, Reading};
use crate::programs::vault::service::Service;

/// `GET …/{environment}/{key}`
#[utoipa::path(
    get,
    path = "/api/v1/vault/{environment}/{key}",
    operation_id = "readValue",
    tag = "secrets",
    summary = "Read one value",
    description = "Needs a token with `read`, and takes one use. Out of scope is 403 whether or not \
        the key exists. `Accept` chooses the form: `text/plain` without it. A value that is not \
        UTF-8 text comes as `application/octet-stream`, and as JSON not at all. HEAD is refused.",
    security(("accessToken" = [])),
    params(
        ("environment" = Environment, Path, description = "The environment"),
        ("key" = Key, Path, description = "The key"),
        Condition
    ),
    responses(
        (
            status = 200,
            description = "The value",
            content(
                (String = "text/plain"),
                ("application/octet-stream"),
                (OneValue = "application/json", example = json!({
                    "environment": "dev", "key": "APP_DB_USER", "value": "app"
                }))
            ),
            headers(("ETag" = String, description = "The value's revision."))
        ),
        (
            status = 304,
            description = "The caller has it; no use is taken",
            headers(("ETag" = String, description = "The value's revision."))
        ),
        Reading
    )
)]
pub(in crate::programs::vault) async fn read(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let mut attempt = Attempt::new(&context, Event::Read);
    let result = read_one(&service, &mut attempt, &headers, path).await;
    attempt.finish(&service, result).await
}

async fn read_one(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, ApiError> {
    let token = service.verify(headers, attempt)?;
    let Path((environment, key)) = path.map_err(|_| malformed_path())?;
    let environment: Environment = ApiError::parse_name(&environment)?;
    let key: Key = ApiError::parse_name(&key)?;
    attempt.record.environment = Some(environment.clone());
    attempt.record.keys = vec![key.clone()];

    let grants = service.grants()?;
    let scope = Scope::new(&token, &grants, &environment, attempt.record.time);
    let grant = step("decide").in_scope(|| scope.key(Permission::Read, &key))?;
    attempt.record.reason = Some(grant.because());
    let value = service.secrets.read(&grant).map_err(ApiError::secret)?;
    let form = Form::wanted(headers, Form::Text);
    let body = match form {
        Form::Text => Zeroizing::new(value.expose().to_vec()),
        Form::Json => {
            let value = text(&key, &value)?;
            json(&Value { environment: environment.clone(), key: key.clone(), value })
        }
    };
    let revision = service.revisions.of_one(&environment, &key, &value);
    give(service, attempt, headers, &token, revision, form, body).await
}

/// Which of `GET …/{environment}`'s two answers is wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::programs::vault) struct ListQuery {
    /// All values instead of the names.
    #[serde(default)]
    values: bool,
    /// Only the keys that match this too.
    #[param(value_type = KeyPattern, required = false)]
    pattern: Option<String>,
}

/// `GET …/{environment}`
#[utoipa::path(
    get,
    path = "/api/v1/vault/{environment}",
    operation_id = "listEnvironment",
    tag = "secrets",
    summary = "List names, or read many values",
    description = "Names need a token with `list`. With `values=true`, all values in scope, of one \
        version of the environment; it needs `read` as well, and takes one use. Then `Accept` \
        chooses the form, JSON without it; and with `If-None-Match`, `Prefer: wait=SECONDS` \
        (RFC 7240; at most 60) is answered at the first change, or with 304. HEAD is refused.",
    security(("accessToken" = [])),
    params(
        ("environment" = Environment, Path, description = "The environment"),
        ListQuery,
        Condition,
        Preference
    ),
    responses(
        (
            status = 200,
            description = "The names, or the values with `values=true`",
            content(
                (Listed = "application/json", examples(
                    ("names" = (value = json!({
                        "environment": "dev", "keys": ["APP_DB_PASSWORD", "APP_DB_USER"]
                    }))),
                    ("values" = (value = json!({
                        "environment": "dev", "values": {"APP_DB_USER": "app"}
                    })))
                )),
                (String = "text/plain")
            ),
            headers(
                ("ETag" = String, description = "Of values: their revision."),
                ("Preference-Applied" = String, description = "The wait that was taken up.")
            )
        ),
        (
            status = 304,
            description = "The caller has the values; no use is taken",
            headers(
                ("ETag" = String, description = "The values' revision."),
                (
                    "Preference-Applied" = String,
                    description = "The wait, where nothing changed for so long."
                )
            )
        ),
        Listing
    )
)]
pub(in crate::programs::vault) async fn list(
    State(service): State<Arc<Service>>,
    Extension(context): Context,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let values = query.as_ref().is_ok_and(|query| query.values);
    let event = if values { Event::ReadAll } else { Event::List };
    let mut attempt = Attempt::new(&context, event);
    let (token, environment, query) =
        match of_environment(&service, &mut attempt, &headers, path, query) {
            Ok(asked) => asked,
            Err(error) => return attempt.finish(&service, Err(error)).await,
        };
    if query.values {
        let asked = ReadAll { context, headers, environment, pattern: query.pattern };
        return asked.begin(&service, attempt, token).await;
    }
    let listed = list_names(&service, &mut attempt, &token, environment, query).await;
    attempt.finish(&service, listed).await
}

fn of_environment(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<(VerifiedToken, Environment, ListQuery), ApiError> {
    let token = service.verify(headers, attempt)?;
    let Path(environment) = path.map_err(|_| malformed_path())?;
    let environment: Environment = ApiError::parse_name(&environment)?;
    attempt.record.environment = Some(environment.clone());
    let Query(query) = query.map_err(|_| {
        ApiError::new(
            ProblemKind::InvalidRequest,
            "the query may hold `values=true` or `values=false`, and one `pattern`",
        )
    })?;
    Ok((token, environment, query))
}

async fn list_names(
    service: &Service,
    attempt: &mut Attempt,
    token: &VerifiedToken,
    environment: Environment,
    query: ListQuery,
) -> Result<Response, ApiError> {
    let pattern = pattern(query.pattern.as_deref())?;
    attempt.record.key_pattern = Some(pattern.clone());
    let grants = service.grants()?;
    let scope = Scope::new(token, &grants, &environment, attempt.record.time);
    step("decide").in_scope(|| scope.names(Permission::List))?;
    check_uses(service, token).await?;
    let keys = service.secrets.keys(&environment).map_err(ApiError::secret)?;
    let in_scope = |key: &Key| pattern.matches(key) && scope.key(Permission::List, key).is_ok();
    let keys: Vec<Key> = keys.into_iter().filter(in_scope).collect();
    attempt.record.keys.clone_from(&keys);
    Ok(Json(Keys { environment, keys }).into_response())
}

fn malformed_path() -> ApiError {
    ApiError::new(ProblemKind::InvalidName, "the path is not percent-encoded UTF-8")
}
