//! The OpenAPI document: what is the same for the whole API, and how the document is served.
//!
//! Invariant: each operation is described beside its handler, and served through its description
//! (`router.rs`), so that nothing is served that is not described.

pub(super) mod headers;
pub(super) mod refusals;

use std::sync::LazyLock;

use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Response};
use utoipa::{Modify, OpenApi as _};

use self::headers::{text, title_case};
use super::context::REQUEST_ID;
use super::router::routes;
use crate::contract::api::problem::Problem;

const JSON: &str = "application/json";

/// What every answer has (`context.rs`).
const EVERYWHERE: [(HeaderName, &str); 3] = [
    (REQUEST_ID, "Finds the request in the log and in the audit."),
    (CACHE_CONTROL, "`no-store`"),
    (X_CONTENT_TYPE_OPTIONS, "`nosniff`"),
];

/// What each operation adds itself to.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "VANTA",
        description = "Values of SOPS-encrypted files, one scope at a time, for short-lived tokens.\n\n\
            Every answer is `Cache-Control: no-store` and has an `X-Request-Id`, by which the log \
            and the audit know it. Every error is an `application/problem+json` (RFC 9457). Two are \
            not, since they are answered before there is a request to speak of: 414 and 431, \
            without a body, where the target or the head is too long; nor is 400 to what is no \
            HTTP.\n\n\
            Parameters and fields that are not described are refused. Fields of answers may become \
            more.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "The vault that this is read from")),
    components(schemas(Problem)),
    modifiers(&Credentials, &Outside),
    tags(
        (name = "tokens", description = "Access tokens: issue, revocation, introspection"),
        (name = "secrets", description = "Names and values, for an access token"),
        (name = "access", description = "What a subject may have, who holds what, and why"),
        (name = "audit", description = "What was recorded, for administrators"),
        (name = "description", description = "This document")
    )
)]
struct Api;

/// What callers show.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, api: &mut OpenApi) {
        let described =
            |builder: HttpBuilder, text: &str| -> Http { builder.description(Some(text)).build() };
        let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
        let bearer = || HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
        let components = api.components.get_or_insert_default();
        for (name, scheme) in [
            ("client", described(basic, "A client's name and secret (RFC 7617).")),
            (
                "identity",
                described(
                    bearer(),
                    "An identity token: of a service account, which the API server checks, or an \
                     ID token of an OpenID Connect issuer that the vault knows.",
                ),
            ),
            (
                "accessToken",
                described(bearer(), "An access token that `POST …/tokens/generate` gave."),
            ),
        ] {
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// What is answered where there is no operation.
struct Outside;

impl Modify for Outside {
    fn modify(&self, api: &mut OpenApi) {
        let components = api.components.get_or_insert_default();
        for (name, response) in refusals::outside_of_operations() {
            components.responses.insert(name.to_owned(), response.into());
        }
    }
}

/// A document without operations, for the router to begin with.
pub(super) fn without_operations() -> OpenApi {
    Api::openapi()
}

/// The document, as the code is.
pub fn document() -> String {
    let mut api = routes().into_openapi();
    let components = api.components.get_or_insert_default();
    for (header, description) in EVERYWHERE {
        let described = text(description);
        components.headers.insert(title_case(&header), described.into());
    }
    let outside = components.responses.values_mut();
    let items = api.paths.paths.values_mut().flat_map(operations);
    let inside = items.flat_map(|operation| operation.responses.responses.values_mut());
    for response in outside.chain(inside) {
        if let RefOr::T(response) = response {
            add_headers(response);
        }
    }
    let text = api.to_pretty_json().expect("a document holds only text and numbers");
    format!("{text}\n")
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.delete, &mut item.patch]
        .into_iter()
        .flatten()
}

fn add_headers(response: &mut Response) {
    for (header, _) in EVERYWHERE {
        let name = title_case(&header);
        let described = Ref::new(format!("#/components/headers/{name}"));
        response.headers.insert(name, RefOr::Ref(described));
    }
}

/// `GET /api/v1/openapi.json`
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "describe",
    tag = "description",
    summary = "This document",
    security(()),
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json"),
        refusals::Documenting
    )
)]
pub(super) async fn describe() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> = LazyLock::new(document);
    ([(CONTENT_TYPE, JSON)], DOCUMENT.as_str())
}
