//! The kinds of text and numbers in the objects, as the API server checks them.
//!
//! Each is what a field's `schemars(with = …)` names. The rules say the same as the types of
//! [`crate::domain`] that the fields are parsed into; `tests/it/crd.rs` compares them. They are
//! CEL rules and no patterns, since a rule has a message of its own; every text has a longest
//! length, without which the API server refuses the rules for what they could cost.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::contract::grammar::{KEY, KEY_PATTERN, LABEL, OBJECT_NAME, descending_range};
use crate::domain::names::{Environment, Key, Label, ObjectName};
use crate::domain::pattern::KeyPattern;
use crate::domain::relative_path::RelativePath;

/// The most permissions: each once.
pub(super) const MAX_PERMISSIONS: usize = 2;

/// The most key patterns of a policy.
pub(super) const MAX_PATTERNS: usize = 64;

/// The most groups of subjects of a policy.
pub(super) const MAX_GROUPS: usize = 32;

/// The most names of one kind in a group of subjects.
pub(super) const MAX_NAMES: usize = 64;

/// The most keys that are renamed.
pub(super) const MAX_RENAMED: usize = 128;

/// The longest text of an issuer or of its subject, in bytes.
pub(super) const MAX_OIDC_LEN: usize = 1024;

/// Gives a kind of text its schema: its longest length, and rules, each with its message.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $longest:expr, $rules:expr) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                text_schema($longest, &$rules)
            }
        }
    };
}

fn text_schema(longest: usize, rules: &[(String, &str)]) -> Schema {
    let mut schema = json_schema!({"type": "string", "minLength": 1, "maxLength": longest});
    let rules = rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message}));
    let rules: Vec<Value> = rules.collect();
    if !rules.is_empty() {
        schema.insert("x-kubernetes-validations".to_owned(), rules.into());
    }
    schema
}

/// A rule that the whole text matches an expression, whose backslashes CEL's literals double.
fn matches(expression: &str) -> String {
    format!("self.matches('{}')", expression.replace('\\', r"\\"))
}

const LABEL_RULE: &str =
    "use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
const OBJECT_NAME_RULE: &str = "use at most 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit";

text!(
    /// A namespace or a client.
    LabelText,
    Label::MAX_LEN,
    [(matches(LABEL), LABEL_RULE)]
);

text!(
    /// The name of an object.
    ObjectNameText,
    ObjectName::MAX_LEN,
    [(matches(OBJECT_NAME), OBJECT_NAME_RULE)]
);

text!(
    /// The name of a service account, or `*`.
    AccountText,
    ObjectName::MAX_LEN,
    [(
        format!("self == '*' || {}", matches(OBJECT_NAME)),
        "name a service account exactly, or use '*' alone for all of the namespace"
    )]
);

text!(
    /// An environment.
    EnvironmentText,
    Environment::MAX_LEN,
    [
        (matches(LABEL), LABEL_RULE),
        (format!("self != '{}'", Environment::RESERVED[0]), "the name is reserved for the API's own paths"),
    ]
);

text!(
    /// A key.
    KeyText,
    Key::MAX_LEN,
    [(
        matches(KEY),
        "a key holds only A-Z, a-z, 0-9, '_', '.' and '-', and does not begin with a dot"
    )]
);

text!(
    /// A key pattern.
    KeyPatternText,
    KeyPattern::MAX_LEN,
    [
        ("!self.contains('**')".to_owned(), "'**' is not supported: '*' crosses dots already"),
        (
            r"!self.contains('\\')".to_owned(),
            r"'\' is not supported: no character of a key needs escaping"
        ),
        (
            "!self.contains('[!') && !self.contains('[^')".to_owned(),
            "a negated class is not supported: list what is meant"
        ),
        (
            format!(r"self.contains('\\') || self.contains('[!') || self.contains('[^') || {}", matches(KEY_PATTERN)),
            "a pattern holds what a key can hold (A-Z, a-z, 0-9, '_', '.', '-'), '*', '?', classes such as [a-z] and alternatives such as {A,B}; classes and alternatives are closed, not empty, and not nested"
        ),
        (
            format!("!{}", matches(&descending_range())),
            "a range goes from a lower to a higher character"
        ),
    ]
);

text!(
    /// A path below a folder.
    PathText,
    RelativePath::MAX_LEN,
    [
        (
            r"!self.matches('\\p{Cc}')".to_owned(),
            "a path holds no control character"
        ),
        (
            "!self.startsWith('/')".to_owned(),
            "a path is below the secrets folder: leave out the first '/'"
        ),
        (
            "self.startsWith('/') || self.split('/').all(name, name != '' && name != '.' && name != '..' && name.size() <= 255)".to_owned(),
            "a path has names of 1 to 255 bytes between its '/', no '.' and no '..'"
        ),
    ]
);

text!(
    /// The URL of an issuer.
    IssuerText,
    MAX_OIDC_LEN,
    [(
        "self.startsWith('https://') && self.size() > 8".to_owned(),
        "the issuer is an https URL"
    )]
);

text!(
    /// What an issuer calls somebody.
    OidcSubjectText,
    MAX_OIDC_LEN,
    []
);

/// Adds a rule to the schema of an object or a map.
pub(super) fn rule(rule: &str, message: &str) -> kube::core::Rule {
    kube::core::Rule::new(rule).message(message)
}
