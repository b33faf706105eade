//! A question to the API server, and what is wrong where it is not answered as it was meant, for
//! the person who mends it.

use std::time::Duration;

use kube::Error;
use kube::core::Status;
use tokio::time::timeout;

/// How long one question may take, with its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// What the API server says of a path that it does not serve at all.
const NO_SUCH_PATH: &str = "404 page not found";

/// What could not be done in the cluster, why, and what to do about it. It repeats nothing of an
/// answer that was not understood.
///
/// `what` was to be done: `list secretaccesses.vanta.dev`.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server has refused.
    #[error("{}", explain(what, status))]
    Refused {
        /// What was to be done.
        what: String,
        /// What it has answered.
        status: Box<Status>,
    },
    /// The API server has answered something else than was asked for.
    #[error("to {what}: the API server's answer is not understood")]
    NotUnderstood {
        /// What was to be done.
        what: String,
    },
    /// It was not asked, without credentials.
    #[error("to {what}: the program's own credentials cannot be had: {reason}")]
    NoCredentials {
        /// What was to be done.
        what: String,
        /// Why.
        reason: String,
    },
    /// There is no answer.
    #[error("to {what}: the API server does not answer: {reason}")]
    Silent {
        /// What was to be done.
        what: String,
        /// Why.
        reason: String,
    },
}

impl ClusterError {
    pub(super) fn new(what: &str, error: Error) -> Self {
        let what = what.to_owned();
        match error {
            Error::Api(status) => Self::Refused { what, status },
            Error::SerdeError(_) | Error::FromUtf8(_) => Self::NotUnderstood { what },
            Error::Auth(_) => Self::NoCredentials { what, reason: error.to_string() },
            _ => Self::Silent { what, reason: root(&error) },
        }
    }

    /// Nothing was heard for this long.
    pub(super) fn silent_for(what: &str, limit: Duration) -> Self {
        let reason = format!("nothing is heard for {} seconds", limit.as_secs());
        Self::Silent { what: what.to_owned(), reason }
    }

    /// The status that the API server has answered with.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(status.code),
            Self::NotUnderstood { .. } | Self::NoCredentials { .. } | Self::Silent { .. } => None,
        }
    }
}

/// The answer to a question, which has to come in time.
pub async fn ask<T>(
    what: &str,
    question: impl Future<Output = Result<T, Error>>,
) -> Result<T, ClusterError> {
    // Boxed, since the library's futures are large, and would be in this one twice.
    match timeout(ANSWER_TIMEOUT, Box::pin(question)).await {
        Ok(answer) => answer.map_err(|error| ClusterError::new(what, error)),
        Err(_) => Err(ClusterError::silent_for(what, ANSWER_TIMEOUT)),
    }
}

fn explain(what: &str, status: &Status) -> String {
    let said = &status.message;
    match status.code {
        401 => format!(
            "to {what}: the API server does not take the program's own credentials: {said}; is the \
             service account's token mounted, and of this cluster?"
        ),
        403 => format!(
            "the program may not {what}: {said}; bind its service account to the chart's roles"
        ),
        404 if is_of_unknown_kind(what, said) => format!(
            "to {what}: the API server knows nothing of that kind; apply the definitions in crds/"
        ),
        code => format!("to {what}: the API server answers {code}: {said}"),
    }
}

/// Whether a kind is missing, and not the object or the namespace that it would be in.
fn is_of_unknown_kind(what: &str, said: &str) -> bool {
    let is_of_ours = what.contains(".vanta.dev") && !said.starts_with("namespaces ");
    said.trim() == NO_SUCH_PATH || is_of_ours
}

/// The cause of all causes: what stands around it only says that there was a request.
fn root(error: &Error) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(what: &str, code: u16, message: &str) -> String {
        let status = Status::failure(message, "Reason").with_code(code);
        ClusterError::new(what, Error::Api(status.boxed())).to_string()
    }

    #[test]
    fn a_refusal_says_what_was_to_be_done_and_what_to_do() {
        let list = "list secretaccesses.vanta.dev";
        insta::assert_snapshot!(
            said(list, 403, "User \"x\" cannot list resource \"secretaccesses\""),
            @r#"the program may not list secretaccesses.vanta.dev: User "x" cannot list resource "secretaccesses"; bind its service account to the chart's roles"#
        );
        insta::assert_snapshot!(
            said(list, 500, "etcdserver: request timed out"),
            @"to list secretaccesses.vanta.dev: the API server answers 500: etcdserver: request timed out"
        );
    }

    #[test]
    fn only_a_kind_that_is_missing_is_a_matter_of_the_definitions() {
        let advice = "to list secretaccesses.vanta.dev: the API server knows nothing of that kind; \
                      apply the definitions in crds/";
        for message in ["404 page not found\n", "the server could not find the requested resource"]
        {
            assert_eq!(said("list secretaccesses.vanta.dev", 404, message), advice);
        }
        let missing = "namespaces \"vanta\" not found";
        for what in ["create secrets in vanta", "patch secretaccesses.vanta.dev/status"] {
            let text = format!("to {what}: the API server answers 404: {missing}");
            assert_eq!(said(what, 404, missing), text);
        }
    }

    #[test]
    fn an_answer_that_is_not_understood_is_not_repeated() {
        let error = serde_json::from_str::<u8>("\"hunter2\"").unwrap_err();
        let error = ClusterError::new("review a token", Error::SerdeError(error));
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn silence_is_named_by_how_long_it_lasts() {
        let error = ClusterError::silent_for("list secrets", ANSWER_TIMEOUT);
        assert_eq!(
            error.to_string(),
            "to list secrets: the API server does not answer: nothing is heard for 15 seconds"
        );
        assert_eq!(error.code(), None);
    }
}
