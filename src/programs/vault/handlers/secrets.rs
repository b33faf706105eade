//! `GET /api/v1/vault/{environment}…`: values and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::adapters::jwt::VerifiedToken;
use crate::contract::api::problem::ProblemKind;
use crate::contract::api::secrets::{DOTENV, Keys, Value, Values};
use crate::domain::grants::{FileFormat, Grants, Permission};
use crate::domain::identity::Identity;
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::policy::{Grant, Request, Target, decide};
use crate::domain::ports::UseTaken;
use crate::domain::record::{Event, Outcome};
use crate::domain::render::{RenderError, Rendered, render_as};
use crate::domain::secret::SecretValue;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::Context;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::service::Service;

/// `GET …/{environment}/{key}`
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
    let grant = scope.key(Permission::Read, &key)?;
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::programs::vault) struct ListQuery {
    /// All values instead of the names.
    #[serde(default)]
    values: bool,
    /// Only the keys that match this too.
    pattern: Option<String>,
}

/// `GET …/{environment}`
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
    let result = list_or_read_all(&service, &mut attempt, &headers, path, query).await;
    attempt.finish(&service, result).await
}

async fn list_or_read_all(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
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
    let pattern = match query.pattern.as_deref() {
        None => KeyPattern::any(),
        Some(text) => ApiError::parse_name(text)?,
    };
    attempt.record.key_pattern = Some(pattern.clone());

    let grants = service.grants()?;
    let scope = Scope::new(&token, &grants, &environment, attempt.record.time);
    scope.names(Permission::List)?;
    if !query.values {
        check_uses(service, &token).await?;
        let keys = service.secrets.keys(&environment).map_err(ApiError::secret)?;
        let in_scope = |key: &Key| pattern.matches(key) && scope.key(Permission::List, key).is_ok();
        let keys: Vec<Key> = keys.into_iter().filter(in_scope).collect();
        attempt.record.keys.clone_from(&keys);
        return Ok(Json(Keys { environment, keys }).into_response());
    }
    scope.names(Permission::Read)?;
    let select = |key: &Key| {
        let listed = pattern.matches(key) && scope.key(Permission::List, key).is_ok();
        if listed { scope.key(Permission::Read, key).ok() } else { None }
    };
    let values = service.secrets.read_all(&environment, &select).map_err(ApiError::secret)?;
    attempt.record.keys = values.keys().cloned().collect();
    let form = Form::wanted(headers, Form::Json);
    let body = match form {
        Form::Text => dotenv(&values)?,
        Form::Json => {
            let texts = values.iter().map(|(key, value)| Ok((key.clone(), text(key, value)?)));
            json(&Values {
                environment: environment.clone(),
                values: texts.collect::<Result<_, _>>()?,
            })
        }
    };
    let revision = service.revisions.of(&environment, &values);
    give(service, attempt, headers, &token, revision, form, body).await
}

fn malformed_path() -> ApiError {
    ApiError::new(ProblemKind::InvalidName, "the path is not percent-encoded UTF-8")
}

/// A token's scope together with the grants of this moment.
struct Scope<'a> {
    token: &'a VerifiedToken,
    identity: Identity,
    grants: &'a Grants,
    environment: &'a Environment,
    now: Timestamp,
}

impl<'a> Scope<'a> {
    fn new(
        token: &'a VerifiedToken,
        grants: &'a Grants,
        environment: &'a Environment,
        now: Timestamp,
    ) -> Self {
        Self { token, identity: token.identity(), grants, environment, now }
    }

    /// A read needs key ∈ `key_pattern` ∧ key ∈ `granted` ∧ the grant as it is now.
    fn key(&self, permission: Permission, key: &Key) -> Result<Grant, ApiError> {
        if !self.token.claims().scope.covers(permission, key) {
            return Err(ApiError::out_of_scope("the token's scope does not cover the key"));
        }
        self.decide(permission, Target::Key(key.clone()))
    }

    fn names(&self, permission: Permission) -> Result<Grant, ApiError> {
        self.decide(permission, Target::Names)
    }

    fn decide(&self, permission: Permission, target: Target) -> Result<Grant, ApiError> {
        let scope = &self.token.claims().scope;
        if scope.environment != *self.environment {
            return Err(ApiError::out_of_scope("the token is for another environment"));
        }
        if !scope.permissions.contains(&permission) {
            return Err(ApiError::out_of_scope(format!(
                "the token has no {permission} permission"
            )));
        }
        let request = Request { environment: self.environment.clone(), permission, target };
        decide(self.grants, &self.identity, &request, self.now).map_err(ApiError::out_of_scope)
    }
}

/// The two forms of a value or of many.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl Form {
    /// The form that `Accept` names first, whatever weights it gives, or `otherwise`.
    fn wanted(headers: &HeaderMap, otherwise: Self) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|given| given.to_str().ok());
        let mut types = accepted
            .flat_map(|given| given.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let known = types.find_map(|range| match range.as_str() {
            "application/json" => Some(Self::Json),
            DOTENV => Some(Self::Text),
            _ => None,
        });
        known.unwrap_or(otherwise)
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
        })
    }
}

/// Answers with a body, or with 304 where the caller has this revision already. The body is made
/// before, so that a value that cannot be given in the form takes no use.
async fn give(
    service: &Service,
    attempt: &mut Attempt,
    headers: &HeaderMap,
    token: &VerifiedToken,
    revision: String,
    form: Form,
    body: Zeroizing<Vec<u8>>,
) -> Result<Response, ApiError> {
    let etag = format!("\"{revision}\"");
    attempt.record.revision = Some(revision);
    let tag = HeaderValue::from_str(&etag).expect("quoted hexadecimal digits are a header's value");
    if has_already(headers, &etag) {
        check_uses(service, token).await?;
        attempt.record.outcome = Outcome::NotModified;
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let body = service.body(body)?;
    take_use(service, token).await?;
    Ok(([(CONTENT_TYPE, form.media_type()), (ETAG, tag)], body).into_response())
}

/// RFC 9110 section 13.1.2: the comparison is weak.
fn has_already(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|given| given.to_str().ok());
    let mut tags = given.flat_map(|given| given.split(','));
    tags.any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}

async fn take_use(service: &Service, token: &VerifiedToken) -> Result<(), ApiError> {
    let claims = token.claims();
    if claims.usage_limit.is_none() {
        return Ok(());
    }
    match service.tokens.take_use(&claims.jti).await.map_err(ApiError::state)? {
        UseTaken::Taken => Ok(()),
        UseTaken::Exhausted => Err(exhausted()),
        UseTaken::Unknown => Err(unknown()),
    }
}

/// Refuses a token that has no uses left, without taking one.
async fn check_uses(service: &Service, token: &VerifiedToken) -> Result<(), ApiError> {
    let claims = token.claims();
    if claims.usage_limit.is_none() {
        return Ok(());
    }
    match service.tokens.uses_left(&claims.jti).await.map_err(ApiError::state)? {
        Some(0) => Err(exhausted()),
        Some(_) => Ok(()),
        None => Err(unknown()),
    }
}

fn exhausted() -> ApiError {
    ApiError::new(ProblemKind::TokenExhausted, "its usage limit is reached; ask for a new token")
}

fn unknown() -> ApiError {
    ApiError::new(
        ProblemKind::TokenUnknown,
        "the state store has no count of its uses; ask for a new token",
    )
}

fn text(key: &Key, value: &SecretValue) -> Result<String, ApiError> {
    value.expose_str().map(str::to_owned).ok_or_else(|| {
        ApiError::new(
            ProblemKind::NotAcceptable,
            format!("the value of {key} is not text; ask for it alone, as text/plain"),
        )
    })
}

fn json(value: &impl serde::Serialize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(serde_json::to_vec(value).expect("an answer holds only text"))
}

fn dotenv(values: &BTreeMap<Key, SecretValue>) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let refuse = |error: RenderError| ApiError::new(ProblemKind::NotAcceptable, error.to_string());
    match render_as(values, FileFormat::Dotenv, &BTreeMap::new()).map_err(refuse)? {
        Rendered::Text(text) => Ok(Zeroizing::new(text.expose().to_vec())),
        Rendered::Files(_) => unreachable!("dotenv is one text"),
    }
}
