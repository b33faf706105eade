//! The names that VANTA speaks in; a value of one of these types cannot hold a bad name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the name that it was given as.
///
/// The text itself is repeated with its control characters escaped and cut at 64 characters, since
/// it may come from an attacker; and not at all where it holds what has the form of a secret or a
/// token, which is then in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is refused: {rule}")]
pub struct InvalidName {
    what: &'static str,
    given: String,
    rule: &'static str,
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, given: &str, rule: &'static str) -> Self {
        Self { what, given: repeated(given, LONGEST_SHOWN).collect(), rule }
    }
}

/// What somebody wrote, as a message and a log may hold it: printable, cut, and nothing where it
/// holds what has the form of a secret or a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// Shows at most 64 characters of a text, whatever it is.
    pub fn new(text: &str) -> Self {
        Self::up_to(text, LONGEST_SHOWN)
    }

    /// Shows at most so many characters of a text, for names that are longer as a rule.
    pub fn up_to(text: &str, characters: usize) -> Self {
        Self(repeated(text, characters).flat_map(char::escape_debug).take(characters).collect())
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much is repeated of a text, in characters.
const LONGEST_SHOWN: usize = 64;

/// What is repeated of a text that may come from an attacker.
fn repeated(text: &str, characters: usize) -> impl Iterator<Item = char> {
    let text = if holds_secret(text) { "[redacted]" } else { text };
    text.chars().take(characters)
}

/// Whether a client's secret, an age identity or a JWT (RFC 7519) may begin anywhere in a text.
pub(crate) fn holds_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_word = |letter: char| letter.is_ascii_alphanumeric();
    lower.contains("vanta_client_")
        || lower.contains("age-secret-key-")
        || text.split(|letter| !is_word(letter)).any(|word| word.starts_with("eyJ"))
}

/// The first of some names, and how many more there are.
pub fn some_of<T: fmt::Display>(all: impl IntoIterator<Item = T>, most: usize) -> String {
    let mut all = all.into_iter();
    let some: Vec<T> = all.by_ref().take(most).collect();
    and_more(&some, all.count())
}

/// These names, and how many more there are.
pub fn and_more<T: fmt::Display>(some: &[T], more: usize) -> String {
    let names: Vec<String> = some.iter().map(T::to_string).collect();
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Gives a text-shaped name its conversions, all of them through `FromStr`.
macro_rules! text_name {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

/// One SOPS file's name: an RFC 1123 label of at most 63 characters.
///
/// `tokens` is reserved, since `/api/v1/vault/tokens/…` is a path of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Environment(String);
text_name!(Environment);

impl Environment {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = Label::MAX_LEN;

    /// What is none, though it is a label: the API has paths of its own there.
    pub const RESERVED: [&'static str; 1] = ["tokens"];
}

impl FromStr for Environment {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = |rule| Err(InvalidName::new("environment", text, rule));
        if !is_label(text) {
            return refuse(
                "use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
            );
        }
        if Self::RESERVED.contains(&text) {
            return refuse("the name is reserved for the API's own paths");
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of one secret in an environment; a nested value's is its dotted path.
///
/// 1 to 253 of `A-Z a-z 0-9 _ . -`, without a leading dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);
text_name!(Key);

impl Key {
    /// The longest key, in bytes.
    pub const MAX_LEN: usize = 253;

    pub(crate) fn is_key_byte(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
    }
}

impl FromStr for Key {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = |rule| Err(InvalidName::new("key", text, rule));
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return refuse("a key has 1 to 253 characters");
        }
        if !text.bytes().all(Self::is_key_byte) {
            return refuse("a key holds only A-Z, a-z, 0-9, '_', '.' and '-'");
        }
        if text.starts_with('.') {
            return refuse("a key does not begin with a dot");
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of an object in Kubernetes: an RFC 1123 subdomain of at most 253 characters, of which
/// a part may be longer than a DNS label, since Kubernetes names pods so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);
text_name!(ObjectName);

impl ObjectName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 253;
}

impl FromStr for ObjectName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.len() > Self::MAX_LEN || !text.split('.').all(is_label_of_any_length) {
            return Err(InvalidName::new(
                "object name",
                text,
                "use at most 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a namespace or of a client: an RFC 1123 label of at most 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);
text_name!(Label);

impl Label {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 63;
}

impl FromStr for Label {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if !is_label(text) {
            return Err(InvalidName::new(
                "name",
                text,
                "use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= Label::MAX_LEN && is_label_of_any_length(text)
}

fn is_label_of_any_length(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.bytes().all(|byte| inside(byte) || byte == b'-')
        && text.bytes().next().is_some_and(inside)
        && text.bytes().last().is_some_and(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_names_some_are_told_and_how_many_more_there_are() {
        assert_eq!(some_of(["a", "b"], 2), "a, b");
        assert_eq!(some_of(["a", "b", "c", "d"], 2), "a, b and 2 more");
        assert_eq!(and_more(&["a"], 0), "a");
        assert_eq!(and_more(&["a"], 1), "a and 1 more");
    }

    #[test]
    fn an_environment_is_a_label_and_not_a_reserved_path() {
        for good in ["prod", "a", "eu-1", "0", &"a".repeat(63)] {
            assert_eq!(good.parse::<Environment>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "Prod",
            "-a",
            "a-",
            "a.b",
            "a_b",
            "../a",
            "a/b",
            "a\0",
            "prod\n",
            "pröd",
            "tokens",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Environment>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_key_has_a_small_alphabet_and_no_leading_dot() {
        for good in ["A", "DB_PASS", "db.pass", "a-b", "-", "a..b", &"k".repeat(253)] {
            assert_eq!(good.parse::<Key>().unwrap().as_str(), good);
        }
        for bad in ["", ".a", "..", "a b", "a/b", "a:b", "a\0", "Ä", "a*", &"k".repeat(254)] {
            assert!(bad.parse::<Key>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_object_name_is_what_kubernetes_takes_for_one() {
        for good in ["a", "a.b", "0.1-2", &"a".repeat(253)] {
            assert_eq!(good.parse::<ObjectName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a.-b", "A", "a_b", "a/b", &"a".repeat(254)] {
            assert!(bad.parse::<ObjectName>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_refusal_says_what_was_wrong_and_what_to_do() {
        insta::assert_snapshot!(
            "Prod".parse::<Environment>().unwrap_err(),
            @r#"environment "Prod" is refused: use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#
        );
        insta::assert_snapshot!(
            "a\u{1b}[31m".parse::<Key>().unwrap_err(),
            @r#"key "a\u{1b}[31m" is refused: a key holds only A-Z, a-z, 0-9, '_', '.' and '-'"#
        );
    }

    #[test]
    fn a_refusal_does_not_repeat_a_secret_that_was_given_as_a_name() {
        for secret in [
            "vanta_client_hunter2",
            "VANTA_CLIENT_hunter2",
            " age-secret-key-1hunter2",
            "eyJhunter2",
            "/run/AGE-SECRET-KEY-1hunter2",
            "bearer eyJhunter2",
        ] {
            let error = format!("{secret}!").parse::<Key>().unwrap_err();
            assert!(error.to_string().contains("\"[redacted]\""), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            assert_eq!(Shown::new(secret).to_string(), "[redacted]");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_printable() {
        assert_eq!(Shown::new("/srv/app-1").to_string(), "/srv/app-1");
        for text in ["a".repeat(3_000_000), "\n".repeat(100), "\u{1b}ä".repeat(100)] {
            let shown = Shown::new(&text).to_string();
            assert_eq!(shown.chars().count(), 64, "{shown}");
            assert!(!shown.contains(char::is_control), "{shown}");
            assert_eq!(Shown::up_to(&text, 100).to_string().chars().count(), 100);
        }
    }
}
