//! Names and words: each with its form, its longest length and an example.

use serde::de::DeserializeOwned;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use super::described;
use super::words::words;
use crate::contract::api::audit::LONGEST_TEXT;
use crate::contract::grammar;
use crate::domain::checkpoint::CheckpointPlace;
use crate::domain::claims::TokenId;
use crate::domain::grants::{FileFormat, Permission};
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key, Label, ObjectName};
use crate::domain::pattern::{GrantedPattern, KeyPattern};
use crate::domain::record::{Event, Outcome};
use crate::domain::record_filter::Order;
use crate::domain::relative_path::RelativePath;

/// A replica's name or a request id, which have no form of their own.
pub struct Printable;

described! {
    Printable = Object::builder()
        .schema_type(Type::String)
        .pattern(Some("^[ -~]*$"))
        .max_length(Some(LONGEST_TEXT))
        .into();
    CheckpointPlace = text(
        "8640.5f2d0a3c9b1d4c5e8f6a7b8c9d0e1f2a5f2d0a3c9b1d4c5e8f6a7b8c9d0e1f2a.vanta-vault",
        "Where a page of checkpoints ended: `SEQUENCE.HASH.REPLICA`.",
        |schema| schema.pattern(Some(CheckpointPlace::pattern())),
    );
    Environment = name(
        &grammar::environment(), Environment::MAX_LEN, "dev",
        "An environment: one SOPS file's name.",
    );
    Key = name(
        grammar::KEY, Key::MAX_LEN, "APP_DB_PASSWORD",
        "The name of one secret in an environment; a nested value's is its dotted path.",
    );
    KeyPattern = name(
        &grammar::key_pattern(), KeyPattern::MAX_LEN, "APP_*",
        "A glob over keys: `*` (crosses dots), `?`, `[a-z]` and `{A,B}`. Without these it is the \
         key that it names.",
    );
    Label = name(
        grammar::LABEL, Label::MAX_LEN, "default", "The name of a namespace or of a client.",
    );
    ObjectName = name(
        grammar::OBJECT_NAME, ObjectName::MAX_LEN, "app", "The name of an object in Kubernetes.",
    );
    TokenId = text(
        "4f0e7a3c9b1d4c5e8f6a7b8c9d0e1f2a",
        "An access token's identifier (`jti`), which may be logged.",
        |schema| schema.pattern(Some(grammar::TOKEN_ID)),
    );
    Subject = text(
        "client:dev",
        "Whom a grant is for: `system:serviceaccount:NAMESPACE:NAME`, `client:NAME` or \
         `oidc:ISSUER:SUBJECT`, where colons after the issuer's `https://` are written `%3A`.",
        |schema| schema.pattern(Some(grammar::subject())),
    );
    GrantedPattern = text(
        "APP_*",
        "Key patterns with `&` between them, each of which a key must match.",
        |schema| schema.min_length(Some(1)),
    );
    RelativePath = text(
        "app/.env",
        "The path of a file below the secrets folder.",
        |schema| schema.min_length(Some(1)).max_length(Some(RelativePath::MAX_LEN)),
    );
    Permission = one_of::<Permission>("What may be done with keys: read values, list names.");
    FileFormat = one_of::<FileFormat>("The text form of a file of secrets.");
    Event = one_of::<Event>("What was attempted.");
    Outcome = one_of::<Outcome>("What the vault decided.");
    Order = one_of::<Order>("The order of the answer.");
}

fn text(
    example: &str,
    description: &str,
    bounds: impl FnOnce(ObjectBuilder) -> ObjectBuilder,
) -> RefOr<Schema> {
    let builder = Object::builder().schema_type(Type::String);
    let builder = builder.description(Some(description)).examples([example]);
    bounds(builder).into()
}

fn name(pattern: &str, longest: usize, example: &str, description: &str) -> RefOr<Schema> {
    text(example, description, |schema| {
        schema.pattern(Some(pattern)).min_length(Some(1)).max_length(Some(longest))
    })
}

fn one_of<T: DeserializeOwned>(description: &str) -> RefOr<Schema> {
    let builder = Object::builder().schema_type(Type::String);
    builder.description(Some(description)).enum_values(Some(words::<T>().iter().copied())).into()
}
