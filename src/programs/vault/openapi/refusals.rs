//! Which problems each operation may answer with, by status.

use std::collections::BTreeMap;

use axum::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{AllOfBuilder, Content, Ref, RefOr};

use super::headers::{header, text, title_case};
use crate::contract::api::problem::{MEDIA_TYPE, ProblemKind as Kind, TYPE_BASE};

type Kinds = &'static [Kind];

/// Every request may be badly written, arrive slowly or never, or come at a bad time.
const ALWAYS: Kinds = &[
    Kind::InvalidRequest,
    Kind::RequestTimeout,
    Kind::BodyTooLarge,
    Kind::Internal,
    Kind::Overloaded,
];

/// What is recorded is not answered where it cannot be.
const RECORDED: Kinds = &[Kind::AuditUnavailable];

/// The caller proves who it is.
const IDENTITY: Kinds =
    &[Kind::CredentialsMissing, Kind::CredentialsRefused, Kind::IdentityUnavailable];

/// Only administrators may do it, or some of it.
const ADMINISTRATOR: Kinds = &[Kind::NotAdministrator];

/// The caller shows an access token.
const TOKEN: Kinds = &[
    Kind::CredentialsMissing,
    Kind::TokenMalformed,
    Kind::TokenAlgorithm,
    Kind::TokenHeader,
    Kind::TokenClaims,
    Kind::TokenUnknownKey,
    Kind::TokenSignature,
    Kind::TokenExpired,
    Kind::TokenNotYetValid,
    Kind::TokenAudience,
    Kind::TokenIssuer,
    Kind::TokenRevoked,
    Kind::TokenUnknown,
    Kind::TokenExhausted,
    Kind::RevocationsStale,
    Kind::StateUnavailable,
];

/// The grants of the moment decide.
const GRANTS: Kinds = &[Kind::GrantsNotReady, Kind::GrantsStale];

/// An environment is opened.
const ENVIRONMENT: Kinds = &[
    Kind::EnvironmentNotFound,
    Kind::EnvironmentNotReady,
    Kind::EnvironmentTampered,
    Kind::EnvironmentMacMissing,
    Kind::EnvironmentNoIdentity,
    Kind::EnvironmentUnreadable,
];

/// Gives each operation a type that stands for its refusals.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $kinds:expr;)*) => {
        $(
            $(#[$doc])*
            pub(in crate::programs::vault) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    by_status(&$kinds)
                }
            }
        )*
    };
}

refusals! {
    /// Of the document itself.
    Documenting: [ALWAYS];
    /// Of a token's issue.
    Issuing: [
        ALWAYS, RECORDED, IDENTITY, GRANTS, ENVIRONMENT,
        &[Kind::UnsupportedMediaType, Kind::NotGranted, Kind::SubjectBlocked],
        &[Kind::SubjectMismatch, Kind::IssueLimited],
        &[Kind::RevocationsStale, Kind::StateUnavailable],
    ];
    /// Of a revocation.
    Revoking: [
        ALWAYS, RECORDED, IDENTITY, ADMINISTRATOR,
        &[Kind::InvalidName, Kind::UnsupportedMediaType, Kind::StateUnavailable],
    ];
    /// Of an introspection.
    Introspecting: [
        ALWAYS, RECORDED, IDENTITY, ADMINISTRATOR,
        &[Kind::UnsupportedMediaType, Kind::RevocationsStale, Kind::StateUnavailable],
    ];
    /// Of what a caller may have.
    Showing: [ALWAYS, RECORDED, IDENTITY, GRANTS];
    /// Of who holds what.
    Holding: [ALWAYS, RECORDED, IDENTITY, ADMINISTRATOR, GRANTS, &[Kind::InvalidName]];
    /// Of why.
    Explaining: [
        ALWAYS, RECORDED, IDENTITY, ADMINISTRATOR, GRANTS,
        &[Kind::UnsupportedMediaType, Kind::RevocationsStale],
    ];
    /// Of the audit's entries.
    Querying: [ALWAYS, RECORDED, IDENTITY, ADMINISTRATOR, &[Kind::InvalidName]];
    /// Of the audit's signed heads.
    SignedHeads: [ALWAYS, RECORDED, IDENTITY, ADMINISTRATOR, &[Kind::StateUnavailable]];
    /// Of names, and of many values.
    Listing: [
        ALWAYS, RECORDED, TOKEN, GRANTS, ENVIRONMENT,
        &[Kind::InvalidName, Kind::OutOfScope, Kind::ValueWithheld, Kind::NotAcceptable],
    ];
    /// Of one value.
    Reading: [
        ALWAYS, RECORDED, TOKEN, GRANTS, ENVIRONMENT,
        &[Kind::InvalidName, Kind::OutOfScope, Kind::ValueWithheld, Kind::NotAcceptable],
        &[Kind::KeyNotFound],
    ];
}

/// What is answered where no operation is: of a path that is none, and of a method that a path does
/// not take. By the name of the component.
pub(super) fn outside_of_operations() -> [(&'static str, Response); 2] {
    let mut method = of_status(405, &[Kind::MethodNotAllowed]);
    let allow = text("The methods that the path takes.");
    method.headers.insert(title_case(&ALLOW), allow.into());
    [("NoSuchPath", of_status(404, &[Kind::RouteNotFound])), ("NoSuchMethod", method)]
}

fn by_status(kinds: &[Kinds]) -> BTreeMap<String, RefOr<Response>> {
    let mut of_statuses: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kinds.concat().contains(kind)) {
        of_statuses.entry(kind.status()).or_default().push(kind);
    }
    let responses = of_statuses.iter().map(|(status, kinds)| (status, of_status(*status, kinds)));
    responses.map(|(status, response)| (status.to_string(), response.into())).collect()
}

fn of_status(status: u16, kinds: &[Kind]) -> Response {
    let described = kinds.iter().map(|kind| format!("`{}`: {}", kind.name(), kind.title()));
    let response = ResponseBuilder::new()
        .description(described.collect::<Vec<_>>().join("; "))
        .content(MEDIA_TYPE, Content::new(Some(narrowed(status, kinds))));
    match status {
        401 | 403 => response.header(
            title_case(&WWW_AUTHENTICATE),
            text("Which credentials are needed (RFC 6750 section 3)."),
        ),
        429 | 503 => {
            let seconds = Object::builder().schema_type(Type::Integer).minimum(Some(1));
            let said = "After how many seconds it is worth while to ask again.";
            response.header(title_case(&RETRY_AFTER), header(seconds, said))
        }
        _ => response,
    }
    .build()
}

/// A problem of one of these kinds.
fn narrowed(status: u16, kinds: &[Kind]) -> AllOfBuilder {
    let types = kinds.iter().map(|kind| format!("{TYPE_BASE}{}", kind.name()));
    let kind = Object::builder().schema_type(Type::String);
    let kind = kind.enum_values(Some(types.collect::<Vec<_>>()));
    let status = Object::builder().schema_type(Type::Integer).enum_values(Some([status]));
    AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(Object::builder().property("type", kind).property("status", status))
}
