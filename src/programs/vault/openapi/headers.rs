//! The headers of requests and answers.

use axum::http::HeaderName;
use utoipa::IntoParams;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// What a caller has already.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what handlers read from all headers")]
pub(in crate::programs::vault) struct Condition {
    /// The `ETag` of what the caller has.
    #[param(rename = "If-None-Match", value_type = String, required = false)]
    if_none_match: (),
}

/// For how long a caller waits.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes what handlers read from all headers")]
pub(in crate::programs::vault) struct Preference {
    /// `wait=SECONDS` (RFC 7240); all else is ignored.
    #[param(rename = "Prefer", value_type = String, required = false)]
    prefer: (),
}

/// A header that is text.
pub(super) fn text(description: &str) -> Header {
    header(Object::builder().schema_type(Type::String), description)
}

pub(super) fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// As people write a header's name.
pub(super) fn title_case(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}
