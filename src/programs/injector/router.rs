//! Every webhook.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::sync::watch;

use super::metrics::{Metrics, Outcome, Webhook};
use super::reading::{BodyError, Held, HeldBody};
use super::review::{Answer, Question};
use super::workers::{WorkError, Workers};
use crate::domain::grants::Grants;
use crate::domain::injection::{InjectionConfig, Refusal};
use crate::domain::names::Shown;

/// What the webhooks need.
pub struct Webhooks {
    config: InjectionConfig,
    metrics: Arc<Metrics>,
    grants: GrantsReceiver,
    held: Arc<Held>,
    workers: Workers,
}

/// The grants as they are now; none as long as they are not known.
pub type GrantsReceiver = watch::Receiver<Option<Arc<Grants>>>;

impl Webhooks {
    /// Webhooks that give each pod the same, and warn of what the grants lack.
    pub fn new(config: InjectionConfig, metrics: Arc<Metrics>, grants: GrantsReceiver) -> Self {
        Self { config, metrics, grants, held: Arc::default(), workers: Workers::default() }
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
    answer(webhooks, Webhook::Mutate, body, Question::mutate).await
}

async fn warn(State(webhooks): State<Arc<Webhooks>>, body: Body) -> Response {
    answer(webhooks, Webhook::Warn, body, Question::warn).await
}

/// How a webhook answers.
type Ask = fn(&Question, &InjectionConfig, Option<&Grants>) -> Answer;

async fn answer(webhooks: Arc<Webhooks>, webhook: Webhook, body: Body, ask: Ask) -> Response {
    let started = Instant::now();
    let answered = match webhooks.held.read(body).await {
        Ok(body) => {
            let of_work = Arc::clone(&webhooks);
            let work = webhooks.workers.run(move || of_work.work(&body, ask)).await;
            work.unwrap_or_else(|error| Err(Unanswered::of_work(error)))
        }
        Err(error) => Err(Unanswered::of_body(error)),
    };
    let duration = started.elapsed();
    match answered {
        Ok(answered) => {
            let Answered { outcome, refusal, uid, namespace, review } = answered;
            webhooks.metrics.review(webhook, outcome, duration);
            let milliseconds = duration.as_secs_f64() * 1e3;
            tracing::info!(
                ?webhook, ?outcome, %uid, %namespace, milliseconds, refusal, "answered"
            );
            ([(CONTENT_TYPE, "application/json")], review).into_response()
        }
        Err(Unanswered { status, wrong }) => {
            webhooks.metrics.review(webhook, Outcome::Failed, duration);
            tracing::warn!(?webhook, status = status.as_u16(), wrong, "a question is not answered");
            (status, wrong + "\n").into_response()
        }
    }
}

/// An answer, and what is logged of it.
struct Answered {
    outcome: Outcome,
    /// The kind of the refusal: its text is for the object's author alone.
    refusal: Option<&'static str>,
    uid: Shown,
    namespace: Shown,
    review: Vec<u8>,
}

impl Webhooks {
    /// Answers a question, which takes longer the larger it is.
    fn work(&self, body: &HeldBody, ask: Ask) -> Result<Answered, Unanswered> {
        let text = body.bytes().map_err(Unanswered::of_body)?;
        let question = Question::read(text).map_err(Unanswered::of_question)?;
        let grants = self.grants.borrow().clone();
        let answer = ask(&question, &self.config, grants.as_deref());
        Ok(Answered {
            outcome: answer.outcome,
            refusal: answer.refusal.as_ref().map(Refusal::kind),
            uid: Shown::new(&question.uid),
            namespace: Shown::new(&question.namespace),
            review: answer.to_review(),
        })
    }
}

/// Why there is no answer. The API server takes each of these for a failure of the webhook, after
/// which a pod that asks for an agent is refused by the cluster's own policy, with what to do.
struct Unanswered {
    status: StatusCode,
    wrong: String,
}

impl Unanswered {
    fn of_body(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge | BodyError::TooManyValues => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            BodyError::NotWhole => StatusCode::REQUEST_TIMEOUT,
        };
        Self { status, wrong: error.to_string() }
    }

    fn of_question(wrong: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, wrong: wrong.to_owned() }
    }

    fn of_work(error: WorkError) -> Self {
        let status = match error {
            WorkError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            WorkError::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, wrong: error.to_string() }
    }
}
