//! Errors on their way to the caller: one match for each inner error, none of them blanket.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};

use super::freshness::Stale;
use crate::adapters::jwt::TokenError;
use crate::contract::api::problem::{Problem, ProblemKind, TYPE_BASE};
use crate::domain::administration::Administration;
use crate::domain::identity::is_client_secret;
use crate::domain::names::InvalidName;
use crate::domain::policy::Denial;
use crate::domain::ports::{
    AdministrationError, AuthenticationError, FileFault, SecretStoreError, StaleRevocations,
    TokenStoreError,
};

/// An error with two texts: `detail` is for the caller, `cause` for the log.
///
/// Neither holds a value, a token or a file's content.
#[derive(Debug, Clone)]
pub struct ApiError {
    pub(super) kind: ProblemKind,
    pub(super) detail: String,
    pub(super) cause: Option<String>,
    /// When it is worth while to ask again, where that is known.
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), cause: None, retry_after: None }
    }

    pub(super) fn with_cause(mut self, cause: impl Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Says when to ask again (RFC 9110 section 10.2.3: whole seconds, so it is rounded up).
    pub(super) fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    fn name(error: &InvalidName) -> Self {
        Self::new(ProblemKind::InvalidName, error.to_string())
    }

    /// Reads a name that a caller gave. A client's secret in its place is not taken for one:
    /// names are recorded.
    pub(super) fn parse_name<T: FromStr<Err = InvalidName>>(text: &str) -> Result<T, Self> {
        if is_client_secret(text.as_bytes()) {
            let detail = "a client's secret was given in place of a name: change that secret now";
            return Err(Self::new(ProblemKind::InvalidName, detail));
        }
        text.parse().map_err(|error| Self::name(&error))
    }

    pub(super) fn token(error: TokenError) -> Self {
        let kind = match error {
            TokenError::Malformed => ProblemKind::TokenMalformed,
            TokenError::Algorithm => ProblemKind::TokenAlgorithm,
            TokenError::Header => ProblemKind::TokenHeader,
            TokenError::UnknownKey => ProblemKind::TokenUnknownKey,
            TokenError::Signature => ProblemKind::TokenSignature,
            TokenError::Claims => ProblemKind::TokenClaims,
            TokenError::Expired => ProblemKind::TokenExpired,
            TokenError::NotYetValid => ProblemKind::TokenNotYetValid,
            TokenError::Audience => ProblemKind::TokenAudience,
            TokenError::Issuer => ProblemKind::TokenIssuer,
            TokenError::OlderThanState => ProblemKind::TokenUnknown,
        };
        Self::new(kind, error.to_string())
    }

    pub(super) fn authentication(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Refused(cause) => Self::new(
                ProblemKind::CredentialsRefused,
                "the name, the secret or the token is wrong, or has expired",
            )
            .with_cause(cause),
            AuthenticationError::Unavailable(cause) => Self::new(
                ProblemKind::IdentityUnavailable,
                "whoever checks this kind of credentials does not answer; try again later",
            )
            .with_cause(cause),
        }
    }

    pub(super) fn administration(error: AdministrationError, what: Administration) -> Self {
        match error {
            AdministrationError::Refused(cause) => Self::new(
                ProblemKind::NotAdministrator,
                format!(
                    "this needs an administrator: in a cluster, a service account that may {what} \
                     (ClusterRole vanta-admin); else a client whose entry says `administrator: true`"
                ),
            )
            .with_cause(cause),
            AdministrationError::Unavailable(cause) => Self::new(
                ProblemKind::IdentityUnavailable,
                "the API server, which knows who is an administrator, does not answer; try again later",
            )
            .with_cause(cause),
        }
    }

    /// A refusal at issue: the caller is told why, since it asks about itself.
    pub(super) fn not_granted(denial: &Denial) -> Self {
        Self::new(ProblemKind::NotGranted, denial.to_string())
    }

    /// A refusal at a read: the same whether or not the key exists.
    pub(super) fn out_of_scope(cause: impl Display) -> Self {
        Self::new(
            ProblemKind::OutOfScope,
            "the token's scope, or the grants as they are now, do not reach this; ask for a token of the right scope, or for a SecretAccess and a SecretPolicy that allow it",
        )
        .with_cause(cause)
    }

    pub(super) fn stale(stale: Stale) -> Self {
        let detail =
            format!("{stale}; it goes on by itself once there is news: see the vault's /readyz");
        Self::new(ProblemKind::GrantsStale, detail)
    }

    /// The state could not be asked or told something: `consequence` says what that means here.
    pub(super) fn state(error: TokenStoreError, consequence: &str) -> Self {
        Self::new(ProblemKind::StateUnavailable, consequence).with_cause(error)
    }

    /// Without the count of its uses a limited token is worth nothing.
    pub(super) fn uses(error: TokenStoreError) -> Self {
        Self::state(
            error,
            "the vault cannot count the token's uses now, so nothing is given; try again later",
        )
    }

    pub(super) fn stale_revocations(error: StaleRevocations) -> Self {
        Self::new(
            ProblemKind::RevocationsStale,
            "the vault has not heard of revocations for too long, so it cannot tell whether this is still allowed; try again later",
        )
        .with_cause(error)
    }

    pub(super) fn secret(error: SecretStoreError) -> Self {
        match &error {
            SecretStoreError::NoEnvironment(_) | SecretStoreError::Gone(_) => {
                Self::new(ProblemKind::EnvironmentNotFound, error.to_string())
            }
            SecretStoreError::NoKey { .. } => Self::new(ProblemKind::KeyNotFound, error.to_string()),
            SecretStoreError::Unreadable { environment, fault, .. } => {
                let kind = match fault {
                    FileFault::Tampered => ProblemKind::EnvironmentTampered,
                    FileFault::NoMac => ProblemKind::EnvironmentMacMissing,
                    FileFault::NoIdentity => ProblemKind::EnvironmentNoIdentity,
                    FileFault::Refused => ProblemKind::EnvironmentUnreadable,
                    FileFault::Awaited => ProblemKind::EnvironmentNotReady,
                };
                let detail = match fault {
                    FileFault::Awaited => format!(
                        "the vault has not opened environment {environment} yet; try again in a moment"
                    ),
                    _ => format!(
                        "no version of environment {environment} could be loaded; the vault's log says why"
                    ),
                };
                Self::new(kind, detail).with_cause(error)
            }
            SecretStoreError::Undecryptable { environment, key, .. } => Self::new(
                ProblemKind::EnvironmentUnreadable,
                format!("the value of {key} in environment {environment} cannot be given; the vault's log says why"),
            )
            .with_cause(error),
            SecretStoreError::Withheld { .. } => {
                Self::new(ProblemKind::ValueWithheld, error.to_string())
            }
            SecretStoreError::NotGranted => Self::out_of_scope(error),
        }
    }

    fn challenge(&self) -> Option<String> {
        use ProblemKind as Kind;
        match self.kind {
            Kind::CredentialsMissing | Kind::CredentialsRefused => {
                Some(r#"Basic realm="vanta", charset="UTF-8", Bearer realm="vanta""#.to_owned())
            }
            kind if kind.status() == 403 => Some(format!(
                r#"Bearer realm="vanta", error="insufficient_scope", error_description="{}""#,
                self.kind.title()
            )),
            kind if kind.status() == 401 => Some(format!(
                r#"Bearer realm="vanta", error="invalid_token", error_description="{}""#,
                kind.title()
            )),
            _ => None,
        }
    }

    /// The problem as the caller sees it (RFC 9457).
    pub(super) fn problem(&self, request_id: &str) -> Problem {
        Problem {
            kind: format!("{TYPE_BASE}{}", self.kind.name()),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: self.detail.clone(),
            request_id: Some(request_id.to_owned()),
        }
    }
}

impl IntoResponse for ApiError {
    /// The status and headers; `context::answer` writes the body, since it knows the request.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status()).expect("every kind has a status");
        let mut response = status.into_response();
        if let Some(challenge) = self.challenge() {
            let challenge = challenge.parse().expect("titles are printable ASCII");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        let pause = match self.retry_after {
            None if status == StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
            pause => pause,
        };
        if let Some(pause) = pause {
            let seconds = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_whole_seconds_that_are_long_enough() {
        for (pause, told) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_500, "60")] {
            let error = ApiError::new(ProblemKind::IssueLimited, "x");
            let response = error.retry_after(Duration::from_millis(pause)).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], told, "{pause} ms");
        }
    }

    #[test]
    fn every_kind_can_be_answered() {
        for kind in ProblemKind::ALL {
            let response = ApiError::new(kind, "x").into_response();
            assert_eq!(response.status().as_u16(), kind.status());
            let tells_when = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(tells_when, kind.status() == 503, "{kind:?}");
            let challenged = response.headers().contains_key(WWW_AUTHENTICATE);
            assert_eq!(challenged, matches!(kind.status(), 401 | 403), "{kind:?}");
        }
    }
}
