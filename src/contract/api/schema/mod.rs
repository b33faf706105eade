//! The schemas of what the API's JSON holds, for its OpenAPI document.
//!
//! The API's own types derive theirs. Those of the domain, which knows of no such thing, get them
//! here: [`text`] has the names, [`objects`] what has fields.

pub mod number;
mod objects;
mod requests;
pub mod text;
mod words;

use utoipa::openapi::{RefOr, Schema};

/// What a type's schema refers to, by name.
type Referred = Vec<(String, RefOr<Schema>)>;

/// Gives a type the schema that an expression is.
macro_rules! described {
    ($($type:ident = $schema:expr;)*) => {
        $(
            impl utoipa::PartialSchema for $type {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    $schema
                }
            }

            impl utoipa::ToSchema for $type {
                fn name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }
            }
        )*
    };
}

use described;
