//! Every webhook.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::metrics::{Metrics, Outcome, Webhook};
use super::reading::{BodyError, Held};
use super::review::{Answer, Question};
use crate::domain::injection::InjectionConfig;

/// What the webhooks need.
pub struct Webhooks {
    config: InjectionConfig,
    metrics: Arc<Metrics>,
    held: Held,
}

impl Webhooks {
    /// Webhooks that give each pod the same.
    pub fn new(config: InjectionConfig, metrics: Arc<Metrics>) -> Self {
        Self { config, metrics, held: Held::default() }
    }
}

/// The webhooks, which a test can call without a port.
pub fn router(webhooks: Webhooks) -> Router {
    Router::new()
        .route("/mutate", post(mutate))
        .route("/warn", post(warn))
        .with_state(Arc::new(webhooks))
}

async fn mutate(State(webhooks): State<Arc<Webhooks>>, body: Body) -> Response {
    answer(&webhooks, Webhook::Mutate, body, Question::mutate).await
}

async fn warn(State(webhooks): State<Arc<Webhooks>>, body: Body) -> Response {
    answer(&webhooks, Webhook::Warn, body, Question::warn).await
}

async fn answer(
    webhooks: &Webhooks,
    webhook: Webhook,
    body: Body,
    ask: fn(&Question, &InjectionConfig) -> Answer,
) -> Response {
    let started = Instant::now();
    let question = match webhooks.held.read(body).await {
        Ok(body) => Question::read(body.bytes())
            .map_err(|wrong| (StatusCode::BAD_REQUEST, wrong.to_owned())),
        Err(error) => Err((status(error), error.to_string())),
    };
    let question = match question {
        Ok(question) => question,
        Err((status, wrong)) => {
            tracing::warn!(?webhook, status = status.as_u16(), wrong, "a question is not answered");
            webhooks.metrics.review(webhook, Outcome::Failed, started.elapsed());
            return (status, wrong + "\n").into_response();
        }
    };
    let answer = ask(&question, &webhooks.config);
    let (outcome, duration) = (answer.outcome, started.elapsed());
    webhooks.metrics.review(webhook, outcome, duration);
    let refusal = answer.refusal.as_ref().map(ToString::to_string);
    let (uid, namespace) = (shown(&question.uid), shown(&question.namespace));
    let milliseconds = duration.as_secs_f64() * 1e3;
    tracing::info!(?webhook, ?outcome, uid, namespace, milliseconds, refusal, "answered");
    Json(answer.into_review()).into_response()
}

fn status(error: BodyError) -> StatusCode {
    match error {
        BodyError::TooLarge | BodyError::TooManyValues => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        BodyError::NotWhole => StatusCode::REQUEST_TIMEOUT,
    }
}

/// Text that anybody may have sent, in a line of the log.
fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(64).map_or(text.len(), |(end, _)| end);
    &text[..end]
}
