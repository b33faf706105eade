//! Errors as `application/problem+json` (RFC 9457), each kind with a stable `type`.

use serde::{Deserialize, Serialize};

/// The media type of every error.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Where the `type` of every problem begins.
pub const TYPE_BASE: &str = "https://vanta.dev/problems/";

/// An error as the caller sees it (RFC 9457 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "vault", derive(utoipa::ToSchema))]
pub struct Problem {
    /// The kind: [`TYPE_BASE`] and one of [`ProblemKind`]'s names.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "vault", schema(schema_with = types))]
    pub kind: String,
    /// The kind in words; the same for each problem of it.
    pub title: String,
    /// The HTTP status.
    #[cfg_attr(feature = "vault", schema(minimum = 400, maximum = 599))]
    pub status: u16,
    /// What was wrong here and what to do.
    pub detail: String,
    /// Finds the request in the log and in the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "vault", schema(nullable = false))]
    pub request_id: Option<String>,
}

/// Every `type` that there is.
#[cfg(feature = "vault")]
fn types() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{Object, Type};
    let types = ProblemKind::ALL.map(|kind| format!("{TYPE_BASE}{}", kind.name()));
    Object::builder()
        .schema_type(Type::String)
        .description(Some("The kind: see docs/problems.md."))
        .enum_values(Some(types))
        .build()
}

impl Problem {
    /// The kind, where this version knows it.
    pub fn known_kind(&self) -> Option<ProblemKind> {
        let name = self.kind.strip_prefix(TYPE_BASE)?;
        ProblemKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

macro_rules! problem_kinds {
    ($($kind:ident $status:literal $name:literal $title:literal,)*) => {
        /// Every kind of error that the API gives.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind {
            $(#[doc = $title] $kind,)*
        }

        impl ProblemKind {
            /// All kinds.
            pub const ALL: [Self; [$($status),*].len()] = [$(Self::$kind),*];

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// The last part of the `type`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The kind in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

problem_kinds! {
    InvalidRequest 400 "invalid-request" "The request is not well formed",
    InvalidName 400 "invalid-name" "A name or pattern is not well formed",
    CredentialsMissing 401 "credentials-missing" "Credentials are needed",
    CredentialsRefused 401 "credentials-refused" "The credentials are refused",
    TokenMalformed 401 "token-malformed" "The token is not one of this vault's",
    TokenAlgorithm 401 "token-algorithm" "The token's algorithm is not allowed",
    TokenHeader 401 "token-header" "The token's header is not allowed",
    TokenClaims 401 "token-claims" "The token's claims are not well formed",
    TokenUnknownKey 401 "token-unknown-key" "The token names a key that this vault does not have",
    TokenSignature 401 "token-signature" "The token's signature is wrong",
    TokenExpired 401 "token-expired" "The token has expired",
    TokenNotYetValid 401 "token-not-yet-valid" "The token is not valid yet",
    TokenAudience 401 "token-audience" "The token is meant for somebody else",
    TokenIssuer 401 "token-issuer" "The token was issued by somebody else",
    TokenRevoked 401 "token-revoked" "The token was revoked",
    TokenUnknown 401 "token-unknown" "The token is not known to the state store",
    TokenExhausted 401 "token-exhausted" "The token has no uses left",
    OutOfScope 403 "out-of-scope" "The token or the grants do not reach this",
    NotGranted 403 "not-granted" "No grant allows this",
    SubjectBlocked 403 "subject-blocked" "The subject gets no tokens",
    SubjectMismatch 403 "subject-mismatch" "A token is issued to its own subject alone",
    NotAdministrator 403 "not-administrator" "Only an administrator may do this",
    ValueWithheld 403 "value-withheld" "The value is of a kind that is not served",
    EnvironmentNotFound 404 "environment-not-found" "The environment does not exist",
    KeyNotFound 404 "key-not-found" "The key does not exist",
    RouteNotFound 404 "route-not-found" "There is no such path",
    MethodNotAllowed 405 "method-not-allowed" "The path does not take this method",
    NotAcceptable 406 "not-acceptable" "The value cannot be given in the form that was asked for",
    RequestTimeout 408 "request-timeout" "The request took too long to arrive",
    BodyTooLarge 413 "body-too-large" "The body is too large",
    UnsupportedMediaType 415 "unsupported-media-type" "The body's media type is not supported",
    IssueLimited 429 "issue-limited" "Too many tokens were asked for",
    Internal 500 "internal" "Something went wrong inside the vault",
    GrantsNotReady 503 "grants-not-ready" "The grants are not read yet",
    GrantsStale 503 "grants-stale" "The grants may have changed unseen",
    StateUnavailable 503 "state-unavailable" "The state store does not answer",
    RevocationsStale 503 "revocations-stale" "The vault has not heard of revocations for too long",
    AuditUnavailable 503 "audit-unavailable" "The audit cannot be written",
    EnvironmentNotReady 503 "environment-not-ready" "The environment is not opened yet",
    EnvironmentTampered 503 "environment-tampered" "The environment's file was changed without its key",
    EnvironmentMacMissing 503 "environment-mac-missing" "Nothing proves that the environment's file is whole",
    EnvironmentNoIdentity 503 "environment-no-identity" "No identity of the vault opens the environment",
    EnvironmentUnreadable 503 "environment-unreadable" "The environment cannot be opened",
    IdentityUnavailable 503 "identity-unavailable" "The identity cannot be checked now",
    Overloaded 503 "overloaded" "Too many requests are in progress",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let mut names: Vec<_> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ProblemKind::ALL.len());
    }

    #[test]
    fn a_kind_is_known_again_by_its_type() {
        for kind in ProblemKind::ALL {
            let problem = Problem {
                kind: format!("{TYPE_BASE}{}", kind.name()),
                title: kind.title().to_owned(),
                status: kind.status(),
                detail: String::new(),
                request_id: None,
            };
            assert_eq!(problem.known_kind(), Some(kind));
        }
    }
}
