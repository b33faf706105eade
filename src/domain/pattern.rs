//! Key patterns: globs over keys, anchored at both ends, tested key by key.
//!
//! Invariant: whether one pattern is "inside" another is never asked; a key is tested against
//! each of them. All that is asked of two is whether they begin so differently that no key can
//! match both, which leaves out what would open nothing.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "patterns")]
use globset::{GlobBuilder, GlobMatcher};
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
    matcher: GlobMatcher,
}

impl KeyPattern {
    /// The pattern that every key matches.
    pub fn any() -> Self {
        "*".parse().expect("'*' is a pattern")
    }

    /// The pattern that one key alone matches.
    pub fn only(key: &Key) -> Self {
        key.as_str().parse().expect("a key holds no metacharacter, so it is a pattern of itself")
    }

    /// Whether the whole key matches.
    pub fn matches(&self, key: &Key) -> bool {
        self.matcher.is_match(key.as_str())
    }

    /// The key that this pattern names, where it holds no metacharacter.
    pub fn as_key(&self) -> Option<Key> {
        self.text.parse().ok()
    }

    /// Whether some key might match both: no for a key that the other does not match, and for two
    /// patterns whose beginnings differ. A yes promises nothing.
    pub fn may_meet(&self, other: &Self) -> bool {
        match (self.as_key(), other.as_key()) {
            (Some(key), _) => other.matches(&key),
            (None, Some(key)) => self.matches(&key),
            (None, None) => {
                let (one, other) = (self.beginning(), other.beginning());
                one.starts_with(other) || other.starts_with(one)
            }
        }
    }

    /// What every key that matches begins with.
    fn beginning(&self) -> &str {
        self.text.split(['*', '?', '[', '{']).next().unwrap_or_default()
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
        let glob = GlobBuilder::new(text)
            .literal_separator(false)
            .backslash_escape(false)
            .build()
            .map_err(|_| refuse("a range goes from a lower to a higher character"))?;
        Ok(Self { text: text.to_owned(), matcher: glob.compile_matcher() })
    }
}

/// The grammar, narrower than globset's own, so that what is accepted means one thing.
fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > Key::MAX_LEN {
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
                b']' => class_at = None,
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

impl GrantedPattern {
    /// The keys that match both, or `None` where plainly none does.
    ///
    /// `*`, a repeated pattern and a pattern that matches the other's one key add nothing and are
    /// left out; the parts are in order, so that who gave which makes no difference.
    pub fn both(access: &KeyPattern, policy: &KeyPattern) -> Option<Self> {
        if !access.may_meet(policy) {
            return None;
        }
        for (one, other) in [(access, policy), (policy, access)] {
            if one.as_key().is_some() || one == other || other.as_str() == "*" {
                return Some(Self(vec![one.clone()]));
            }
        }
        let mut parts = vec![access.clone(), policy.clone()];
        parts.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        Some(Self(parts))
    }

    /// Whether the key matches every part.
    pub fn matches(&self, key: &Key) -> bool {
        self.0.iter().all(|pattern| pattern.matches(key))
    }
}

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

    fn matches(pattern: &str, key: &str) -> bool {
        pattern.parse::<KeyPattern>().unwrap().matches(&key.parse().unwrap())
    }

    #[test]
    fn a_pattern_is_anchored_at_both_ends() {
        for (pattern, key, expected) in [
            ("DB_*", "DB_PASS", true),
            ("DB_*", "DB_", true),
            ("DB_*", "XDB_PASS", false),
            ("DB", "DB_PASS", false),
            ("DB", "DB", true),
            ("db", "DB", false),
            ("*", "a.b-c", true),
            ("a*z", "a.b.z", true),
            ("a?c", "a.c", true),
            ("a?c", "ac", false),
            ("a?c", "abbc", false),
            ("[a-c]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("{A,B}_*", "B_1", true),
            ("{A,B}_*", "C_1", false),
            ("{A*,B}", "Axy", true),
            ("a.b", "axb", false),
            ("a[.]x", "a.x", true),
            ("a[.]x", "abx", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} against {key}");
        }
    }

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
            "ä",
            "a\0",
            "[a/b]",
            &"a".repeat(254),
        ] {
            assert!(bad.parse::<KeyPattern>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_granted_pattern_is_the_meeting_of_its_parts() {
        let both = |a: &str, b: &str| {
            GrantedPattern::both(&a.parse().unwrap(), &b.parse().unwrap())
                .map(|met| met.to_string())
        };
        for (one, other, expected) in [
            ("A_*", "*", Some("A_*")),
            ("A_*", "A_*", Some("A_*")),
            ("A_*", "*_X", Some("*_X&A_*")),
            ("A_*", "A_X", Some("A_X")),
            ("A_*", "B_X", None),
            ("A", "B", None),
            ("A", "A", Some("A")),
            ("*", "A", Some("A")),
            ("*", "*", Some("*")),
        ] {
            assert_eq!(both(one, other).as_deref(), expected, "{one} and {other}");
            assert_eq!(both(other, one).as_deref(), expected, "{other} and {one}");
        }
        let met = GrantedPattern::try_from("*_X&A_*".to_owned()).unwrap();
        assert_eq!(GrantedPattern::try_from(met.to_string()).unwrap(), met);
        assert!(met.matches(&"A_X".parse().unwrap()));
        assert!(!met.matches(&"A_Y".parse().unwrap()));
        assert!(GrantedPattern::try_from("A&&B".to_owned()).is_err());
    }

    #[test]
    fn patterns_meet_unless_they_begin_differently() {
        let meet = |one: &str, other: &str| {
            let (one, other): (KeyPattern, KeyPattern) =
                (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.may_meet(&other), other.may_meet(&one), "{one} and {other}");
            one.may_meet(&other)
        };
        for (one, other) in
            [("A_*", "*"), ("A_*", "A_B*"), ("*X", "A*"), ("A", "A"), ("A?", "AB"), ("{A,B}", "B*")]
        {
            assert!(meet(one, other), "{one} and {other}");
        }
        for (one, other) in
            [("A_*", "B_*"), ("A", "B"), ("A", "B*"), ("A_?", "A"), ("AB[x]", "AC*")]
        {
            assert!(!meet(one, other), "{one} and {other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn patterns_that_a_key_matches_meet(key in "[ab._]{1,6}", one in "[ab._*?]{1,6}", other in "[ab._*?]{1,6}") {
            if let (Ok(key), Ok(one), Ok(other)) = (key.parse::<Key>(), one.parse::<KeyPattern>(), other.parse::<KeyPattern>()) {
                let both = one.matches(&key) && other.matches(&key);
                proptest::prop_assert!(!both || one.may_meet(&other));
            }
        }

        #[test]
        fn a_key_is_a_pattern_of_itself_alone(a in "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,12}", b in "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,12}") {
            let (a, b): (Key, Key) = (a.parse().unwrap(), b.parse().unwrap());
            proptest::prop_assert!(KeyPattern::only(&a).matches(&a));
            proptest::prop_assert_eq!(KeyPattern::only(&a).matches(&b), a == b);
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[\\[\\]{},*?!^a-c.\\\\-]{0,16}") {
            if let Ok(pattern) = text.parse::<KeyPattern>() {
                pattern.matches(&"a".parse().unwrap());
            }
        }
    }
}
