//! `GET …/{environment}?values=true`: all values in scope, now or once they have changed.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::Response;

use super::give::{Form, check_uses, dotenv, give, has_already, json, text};
use super::scope::Scope;
use crate::adapters::jwt::VerifiedToken;
use crate::adapters::serve::step;
use crate::contract::api::secrets::Values;
use crate::domain::grants::Permission;
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;
use crate::domain::record::Event;
use crate::programs::vault::attempt::Attempt;
use crate::programs::vault::context::RequestContext;
use crate::programs::vault::error::ApiError;
use crate::programs::vault::prefer::Preferred;
use crate::programs::vault::service::Service;
use crate::programs::vault::waiting::Wait;

/// What is asked, kept as it was said: it is answered more than once where the caller waits, and
/// each time everything is checked anew.
pub(in crate::programs::vault) struct ReadAll {
    pub(super) context: RequestContext,
    pub(super) headers: HeaderMap,
    pub(super) environment: Environment,
    /// The text alone, since a pattern that can be matched takes many kilobytes.
    pub(super) pattern: Option<String>,
}

/// What becomes of a caller that has already what there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::programs::vault) enum Unchanged {
    /// It is told so.
    Told,
    /// It goes on waiting, and nothing is recorded.
    Waits,
}

/// What came of a look.
pub(in crate::programs::vault) enum Looked {
    Answered(Response),
    Unchanged,
}

impl ReadAll {
    /// Answers at once, or with a wait where that is preferred and nothing has changed.
    pub(super) async fn begin(
        self,
        service: &Arc<Service>,
        mut attempt: Attempt,
        token: VerifiedToken,
    ) -> Result<Response, ApiError> {
        let preferred = Preferred::wait(&self.headers);
        // Before the first look, so that no change after it is missed.
        let wait = preferred.and_then(|preferred| Wait::begin(service, &token, &self, preferred));
        let unchanged = if wait.is_some() { Unchanged::Waits } else { Unchanged::Told };
        let looked = self.look(service, &mut attempt, &token, unchanged).await;
        match (conclude(service, attempt, looked).await?, wait) {
            (Looked::Answered(mut response), wait) => {
                if let Some(wait) = wait {
                    wait.preferred.applied(response.headers_mut());
                }
                Ok(response)
            }
            (Looked::Unchanged, Some(wait)) => Ok(wait.for_answer_to(self, service)),
            (Looked::Unchanged, None) => unreachable!("who does not wait is told"),
        }
    }

    pub(in crate::programs::vault) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Answers again, as if it were asked at this moment.
    pub(in crate::programs::vault) async fn again(
        &self,
        service: &Service,
        unchanged: Unchanged,
    ) -> Result<Looked, ApiError> {
        let mut attempt = Attempt::new(&self.context, Event::ReadAll);
        let looked = match service.verify(&self.headers, &mut attempt) {
            Ok(token) => self.look(service, &mut attempt, &token, unchanged).await,
            Err(error) => Err(error),
        };
        conclude(service, attempt, looked).await
    }

    async fn look(
        &self,
        service: &Service,
        attempt: &mut Attempt,
        token: &VerifiedToken,
        unchanged: Unchanged,
    ) -> Result<Looked, ApiError> {
        let environment = &self.environment;
        attempt.record.environment = Some(environment.clone());
        let pattern = pattern(self.pattern.as_deref())?;
        attempt.record.key_pattern = Some(pattern.clone());

        let grants = service.grants()?;
        let scope = Scope::new(token, &grants, environment, attempt.record.time);
        step("decide").in_scope(|| {
            scope.names(Permission::List)?;
            scope.names(Permission::Read)
        })?;
        let select = |key: &Key| {
            let listed = pattern.matches(key) && scope.key(Permission::List, key).is_ok();
            if listed { scope.key(Permission::Read, key).ok() } else { None }
        };
        let values = service.secrets.read_all(environment, &select).map_err(ApiError::secret)?;
        let revision = service.revisions.of(environment, &values);
        if unchanged == Unchanged::Waits && has_already(&self.headers, &revision).is_some() {
            check_uses(service, token).await?;
            return Ok(Looked::Unchanged);
        }
        attempt.record.keys = values.keys().cloned().collect();
        let form = Form::wanted(&self.headers, Form::Json);
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
        let given = give(service, attempt, &self.headers, token, revision, form, body).await?;
        Ok(Looked::Answered(given))
    }
}

/// The pattern that is asked for: all keys, without one.
pub(super) fn pattern(given: Option<&str>) -> Result<KeyPattern, ApiError> {
    given.map_or_else(|| Ok(KeyPattern::any()), ApiError::parse_name)
}

/// Records what is answered; a look after which the caller waits is no answer.
async fn conclude(
    service: &Service,
    attempt: Attempt,
    looked: Result<Looked, ApiError>,
) -> Result<Looked, ApiError> {
    let result = match looked {
        Ok(Looked::Unchanged) => return Ok(Looked::Unchanged),
        Ok(Looked::Answered(response)) => Ok(response),
        Err(error) => Err(error),
    };
    attempt.finish(service, result).await.map(Looked::Answered)
}
