//! The forms of names as regular expressions, for those who check a name before the vault does.
//!
//! They say the same as the types of [`crate::domain`], which are what counts, and are written for
//! every kind of engine: without look-around, with characters of ASCII alone.

use crate::domain::names::Environment;

/// An environment, a namespace or a client ([`crate::domain::names::Label`]); an environment is
/// none of [`Environment::RESERVED`] besides.
pub const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";

/// The name of an object ([`crate::domain::names::ObjectName`]).
pub const OBJECT_NAME: &str = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";

/// A key ([`crate::domain::names::Key`]).
pub const KEY: &str = "^[A-Za-z0-9_-][A-Za-z0-9_.-]*$";

/// What a key pattern ([`crate::domain::pattern::KeyPattern`]) is made of. It holds none of
/// [`refused_in_patterns`] besides.
pub const KEY_PATTERN: &str = r"^([A-Za-z0-9_.*?-]|\[[A-Za-z0-9_.-]+\]|\{([A-Za-z0-9_.*?-]|\[[A-Za-z0-9_.-]+\])+(,([A-Za-z0-9_.*?-]|\[[A-Za-z0-9_.-]+\])+)*\})+$";

/// An access token's identifier ([`crate::domain::claims::TokenId`]).
pub const TOKEN_ID: &str = "^[0-9a-f]{32}$";

/// A range inside a class from a higher to a lower character. Taking the ranges out and comparing
/// their ends would say the same, and costs more than a Kubernetes API server allows.
pub fn descending_range() -> String {
    let letters = ('b'..='z').zip('a'..='y');
    let letters = letters.flat_map(|(high, low)| {
        let upper = (high.to_ascii_uppercase(), low.to_ascii_uppercase());
        [format!("{high}-[a-{low}]"), format!("{}-[A-{}]", upper.0, upper.1)]
    });
    let digits = ('1'..='9').zip('0'..='8').map(|(high, low)| format!("{high}-[0-{low}]"));
    let kinds = ["[a-z]-[A-Z0-9_.-]", "_-[A-Z0-9.-]", "[A-Z]-[0-9.-]", "[0-9]-[.-]", "[.]--"];
    let all: Vec<String> =
        kinds.map(str::to_owned).into_iter().chain(digits).chain(letters).collect();
    format!(r"\[[^\]]*({})", all.join("|"))
}

/// What a key pattern does not hold anywhere: two stars, a range that goes down, one that goes on.
pub fn refused_in_patterns() -> [String; 3] {
    let goes_on = r"\[[^\]]*[A-Za-z0-9_.-]-[A-Za-z0-9_.-]-[A-Za-z0-9_.-]".to_owned();
    [r"\*\*".to_owned(), descending_range(), goes_on]
}

/// An environment, for engines with look-ahead, as ECMA-262's has, whose dialect is that of
/// JSON Schema.
pub fn environment() -> String {
    let reserved = Environment::RESERVED.join("|");
    format!("^(?!({reserved})$){}", unanchored(LABEL))
}

/// A key pattern, for engines with look-ahead.
pub fn key_pattern() -> String {
    let refused = refused_in_patterns().join("|");
    format!("^(?!.*({refused})){}", unanchored(KEY_PATTERN))
}

/// A subject ([`crate::domain::identity::Subject`]).
pub fn subject() -> String {
    let (label, object_name) = (middle(LABEL), middle(OBJECT_NAME));
    format!("^(client:{label}|system:serviceaccount:{label}:{object_name}|oidc:https://[^:]+:.+)$")
}

/// An expression without its beginning's anchor.
fn unanchored(expression: &str) -> &str {
    expression.strip_prefix('^').unwrap_or(expression)
}

/// An expression without both anchors.
fn middle(expression: &str) -> &str {
    let open = unanchored(expression);
    open.strip_suffix('$').unwrap_or(open)
}

#[cfg(test)]
#[cfg(feature = "vault")]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::domain::claims::TokenId;
    use crate::domain::identity::Subject;
    use crate::domain::names::{Key, Label, ObjectName};
    use crate::domain::pattern::KeyPattern;

    fn matches(expression: &str, text: &str) -> bool {
        Regex::new(expression).unwrap().is_match(text)
    }

    fn is<T: FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    proptest! {
        #[test]
        fn an_expression_takes_what_its_type_takes(text in "[a-cyz0-9A-C_.*?\\[\\]{},! -]{0,12}") {
            let refused = refused_in_patterns().iter().any(|refused| matches(refused, &text));
            let pattern = matches(KEY_PATTERN, &text) && !refused;
            prop_assert_eq!(pattern, is::<KeyPattern>(&text), "a key pattern");
            prop_assert_eq!(matches(LABEL, &text), is::<Label>(&text), "a label");
            prop_assert_eq!(matches(OBJECT_NAME, &text), is::<ObjectName>(&text), "an object's name");
            prop_assert_eq!(matches(KEY, &text), is::<Key>(&text), "a key");
        }

        #[test]
        fn so_do_those_of_classes(text in "\\[[a-c.9_-]{0,6}\\]") {
            let refused = refused_in_patterns().iter().any(|refused| matches(refused, &text));
            prop_assert_eq!(matches(KEY_PATTERN, &text) && !refused, is::<KeyPattern>(&text));
        }

        #[test]
        fn so_do_those_of_subjects(
            text in "(client|system:serviceaccount|oidc|oidc:https|x)[:/a.A]{0,8}[:a]{1,4}",
        ) {
            prop_assert_eq!(matches(&subject(), &text), is::<Subject>(&text));
        }

        #[test]
        fn so_do_those_of_identifiers(text in "[0-9a-g]{31,33}") {
            prop_assert_eq!(matches(TOKEN_ID, &text), is::<TokenId>(&text));
        }
    }
}
