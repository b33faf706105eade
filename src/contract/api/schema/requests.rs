//! What is one of several things: forms and questions whose fields exclude each other.

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, Object, ObjectBuilder, OneOfBuilder, Type,
};
use utoipa::openapi::{AllOfBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Referred;
use crate::contract::api::explanation::ExplainRequest;
use crate::contract::api::tokens::{IntrospectedToken, Introspection, RevokeRequest};
use crate::domain::claims::TokenId;
use crate::domain::grants::Permission;
use crate::domain::identity::Subject;
use crate::domain::names::{Environment, Key};
use crate::domain::pattern::KeyPattern;

/// Adds a type's schema, and what that refers to.
fn refer<T: ToSchema>(referred: &mut Referred) -> Ref {
    referred.push((T::name().into_owned(), T::schema()));
    T::schemas(referred);
    Ref::from_schema_name(T::name())
}

fn to<T: ToSchema>() -> Ref {
    Ref::from_schema_name(T::name())
}

/// An object of these fields and no others.
fn closed(title: &str) -> ObjectBuilder {
    let none = AdditionalProperties::FreeForm(false);
    Object::builder().schema_type(Type::Object).title(Some(title)).additional_properties(Some(none))
}

fn string(description: &str) -> ObjectBuilder {
    Object::builder().schema_type(Type::String).description(Some(description))
}

fn boolean(description: &str) -> ObjectBuilder {
    Object::builder().schema_type(Type::Boolean).description(Some(description))
}

impl PartialSchema for RevokeRequest {
    fn schema() -> RefOr<Schema> {
        let hinted = |title: &str| {
            let hint = string("There is one kind of token, so it is not looked at.");
            closed(title).property("token_type_hint", hint)
        };
        let token = string("The token itself, which needs no other credentials.");
        let block = boolean(
            "Whether the subject gets no new tokens either, until it is said again with `false`.",
        );
        OneOfBuilder::new()
            .item(hinted("One's own token").property("token", token).required("token"))
            .item(
                hinted("A token by its identifier")
                    .property("jti", to::<TokenId>())
                    .required("jti"),
            )
            .item(
                hinted("All tokens of a subject")
                    .property("subject", to::<Subject>())
                    .required("subject")
                    .property("block", block),
            )
            .into()
    }
}

impl ToSchema for RevokeRequest {
    fn schemas(referred: &mut Referred) {
        refer::<TokenId>(referred);
        refer::<Subject>(referred);
    }
}

impl PartialSchema for ExplainRequest {
    fn schema() -> RefOr<Schema> {
        // Each may be `null` as well, which says as much as its absence.
        let nothing = || Object::builder().schema_type(Type::Null);
        let asked = |title: &str| {
            let subject = OneOfBuilder::new().item(to::<Subject>()).item(nothing());
            closed(title)
                .property("subject", subject)
                .property("environment", to::<Environment>())
                .required("environment")
                .property("permission", to::<Permission>())
        };
        AnyOfBuilder::new()
            .item(asked("Of names").property("key", nothing()).property("key_pattern", nothing()))
            .item(
                asked("Of one key")
                    .property("key", to::<Key>())
                    .required("key")
                    .property("key_pattern", nothing()),
            )
            .item(
                asked("Of what a token would be asked for")
                    .property("key_pattern", to::<KeyPattern>())
                    .required("key_pattern")
                    .property("key", nothing()),
            )
            .into()
    }
}

impl ToSchema for ExplainRequest {
    fn schemas(referred: &mut Referred) {
        refer::<Subject>(referred);
        refer::<Environment>(referred);
        refer::<Permission>(referred);
        refer::<Key>(referred);
        refer::<KeyPattern>(referred);
    }
}

impl PartialSchema for Introspection {
    fn schema() -> RefOr<Schema> {
        let active = |whether: bool| {
            let fact = boolean("Whether the token is good.").enum_values(Some([whether]));
            Object::builder().schema_type(Type::Object).property("active", fact).required("active")
        };
        let good = AllOfBuilder::new().item(to::<IntrospectedToken>()).item(active(true));
        let none = AdditionalProperties::FreeForm(false);
        let bad = active(false).additional_properties(Some(none));
        OneOfBuilder::new().item(Schema::from(good.build())).item(bad).into()
    }
}

impl ToSchema for Introspection {
    fn schemas(referred: &mut Referred) {
        refer::<IntrospectedToken>(referred);
    }
}
