//! Questions to the Kubernetes API, and its errors in words.

use std::time::Duration;

use kube::Error;

/// How long one question may take, with its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What could not be done in the cluster, and what the API server said.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {said}")]
pub struct ClusterError {
    what: String,
    said: String,
}

impl ClusterError {
    pub(super) fn new(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self { what: what.into(), said: said.into() }
    }
}

/// What became of a question: `Err` where there is no answer, or one that is not understood.
pub(super) async fn ask<T>(
    what: impl Into<String>,
    question: impl Future<Output = Result<T, Error>>,
) -> Result<Result<T, u16>, ClusterError> {
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, question).await;
    match answer {
        Err(_) => Err(ClusterError::new(what, "the API server does not answer")),
        Ok(Ok(value)) => Ok(Ok(value)),
        Ok(Err(Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(Err(status.code)),
        Ok(Err(error)) => Err(ClusterError::new(what, said(&error))),
    }
}

/// The API server's own words where it has said any.
pub(super) fn said(error: &Error) -> String {
    match error {
        Error::Api(status) => format!("{} ({})", status.message, status.code),
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.ends_with(&cause_text) {
                    text = format!("{text}: {cause_text}");
                }
                source = cause.source();
            }
            text
        }
    }
}
