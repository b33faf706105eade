//! Key patterns: globs over keys, anchored at both ends, tested key by key.
//!
//! Invariant: whether one pattern is "inside" another is never asked; a key is tested against
//! each of them. All that is asked of two is whether they begin so differently that no key can
//! match both, which leaves out what would open nothing.
//!
//! A program that never tests a key (the agent) has the grammar alone: `matching` needs the
//! feature `patterns`.

#[cfg(feature = "patterns")]
mod matching;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{InvalidName, Key};

/// A glob over keys: `*` (crosses dots), `?`, `[a-z]` and `{A,B}`.
///
/// `[!…]`, `[^…]`, `**`, `\`, nested braces and empty classes or alternatives are refused, and
/// so is every character that a key cannot hold. At most 253 characters.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPattern {
    text: String,
    #[cfg(feature = "patterns")]
    matcher: globset::GlobMatcher,
}

impl KeyPattern {
    /// The longest pattern, in bytes.
    pub const MAX_LEN: usize = Key::MAX_LEN;

    /// The pattern that every key matches.
    pub fn any() -> Self {
        "*".parse().expect("'*' is a pattern")
    }

    /// The pattern that one key alone matches.
    pub fn only(key: &Key) -> Self {
        key.as_str().parse().expect("a key holds no metacharacter, so it is a pattern of itself")
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for KeyPattern {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = |rule| InvalidName::new("key pattern", text, rule);
        check(text).map_err(refuse)?;
        Ok(Self {
            text: text.to_owned(),
            #[cfg(feature = "patterns")]
            matcher: matching::compile(text).map_err(refuse)?,
        })
    }
}

/// The grammar, narrower than globset's own, so that what is accepted means one thing.
fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > KeyPattern::MAX_LEN {
        return Err("a pattern has 1 to 253 characters");
    }
    if text.contains("**") {
        return Err("'**' is not supported: '*' crosses dots already");
    }
    let (mut class_at, mut alternative_at, mut in_braces) = (None, None, false);
    for (at, byte) in text.bytes().enumerate() {
        if let Some(opened) = class_at {
            match byte {
                b']' if at == opened + 1 => return Err("a class '[…]' is not empty"),
                b']' => {
                    check_class(&text.as_bytes()[opened + 1..at])?;
                    class_at = None;
                }
                b'!' | b'^' if at == opened + 1 => {
                    return Err("a negated class is not supported: list what is meant");
                }
                _ if Key::is_key_byte(byte) => {}
                _ => return Err("a class holds only A-Z, a-z, 0-9, '_', '.' and '-'"),
            }
            continue;
        }
        match byte {
            b'[' => class_at = Some(at),
            b'{' if in_braces => return Err("braces are not nested"),
            b'{' => (in_braces, alternative_at) = (true, Some(at + 1)),
            b'}' | b',' if in_braces => {
                if alternative_at == Some(at) {
                    return Err("an alternative in '{…}' is not empty");
                }
                (in_braces, alternative_at) = (byte == b',', Some(at + 1));
            }
            b'*' | b'?' => {}
            b'\\' => return Err("'\\' is not supported: no character of a key needs escaping"),
            _ if Key::is_key_byte(byte) => {}
            _ => {
                return Err(
                    "a pattern holds only what a key can hold, and '*', '?', '[a-z]' and '{A,B}'",
                );
            }
        }
    }
    if class_at.is_some() {
        return Err("a class '[' is not closed");
    }
    if in_braces {
        return Err("a brace '{' is not closed");
    }
    Ok(())
}

/// Each `a-c` of a class goes up and ends there. A `-` that has nothing before or behind it stands
/// for itself; one between a range and more would be read by globset as a longer range.
fn check_class(mut class: &[u8]) -> Result<(), &'static str> {
    while let [first, rest @ ..] = class {
        let [b'-', last, behind @ ..] = rest else {
            class = rest;
            continue;
        };
        if last < first {
            return Err("a range goes from a lower to a higher character");
        }
        if matches!(behind, [b'-', _, ..]) {
            return Err("a range does not go on after its end: put '-' last in the class");
        }
        class = behind;
    }
    Ok(())
}

impl PartialEq for KeyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for KeyPattern {}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPattern({:?})", self.text)
    }
}

impl TryFrom<String> for KeyPattern {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<KeyPattern> for String {
    fn from(pattern: KeyPattern) -> Self {
        pattern.text
    }
}

/// Patterns that a key must all match, written with `&` between them: what one SecretAccess and
/// one SecretPolicy allowed together when a token was issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrantedPattern(Vec<KeyPattern>);

impl fmt::Display for GrantedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(KeyPattern::as_str).collect();
        f.write_str(&parts.join("&"))
    }
}

impl TryFrom<String> for GrantedPattern {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.split('&').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl From<GrantedPattern> for String {
    fn from(pattern: GrantedPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            "",
            "**",
            "a**b",
            "[!a]",
            "[^a]",
            "[]",
            "[]a]",
            "[a",
            "a]b[",
            "{a",
            "{}",
            "{a,}",
            "{,a}",
            "{a,{b,c}}",
            "a\\*",
            "a,b",
            "a}",
            "a b",
            "a/b",
            "[b-a]",
            "[0-9b-a]",
            "[e-ca]",
            "[b-z-a]",
            "[a-c-e]",
            "[a--]",
            "ä",
            "a\0",
            "[a/b]",
            &"a".repeat(254),
        ] {
            assert!(bad.parse::<KeyPattern>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_pattern_shows_its_text() {
        let pattern: KeyPattern = "A_*".parse().unwrap();
        assert_eq!(format!("{pattern} {pattern:?}"), r#"A_* KeyPattern("A_*")"#);
        assert_eq!((pattern.as_str(), String::from(pattern.clone())), ("A_*", "A_*".to_owned()));
    }

    #[test]
    fn a_pattern_is_as_long_as_a_key() {
        assert_eq!(check(&"a".repeat(253)), Ok(()));
        assert!(check(&"a".repeat(254)).is_err());
    }

    #[test]
    fn a_refusal_says_which_rule_is_broken() {
        for (bad, rule) in [
            ("", "1 to 253"),
            ("a**", "'**'"),
            ("[]", "not empty"),
            ("[]a]", "not empty"),
            ("[b-a]", "lower to a higher"),
            ("[a-c-e]", "does not go on"),
            ("[!a]", "negated"),
            ("[^a]", "negated"),
            ("[a!]", "a class holds only"),
            ("[a^]", "a class holds only"),
            ("[a", "'[' is not closed"),
            ("{a", "'{' is not closed"),
            ("{a,{b}}", "not nested"),
            ("{}", "alternative"),
            ("{a,}", "alternative"),
            ("{,a}", "alternative"),
            ("\\a", "needs escaping"),
            ("a}", "a pattern holds only"),
            ("a,b", "a pattern holds only"),
            ("a]", "a pattern holds only"),
            ("a/b", "a pattern holds only"),
        ] {
            let said = check(bad).expect_err(bad);
            assert!(said.contains(rule), "{bad:?}: {said}");
        }
    }
}
