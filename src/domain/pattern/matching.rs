//! Keys tested against patterns, and patterns met with each other.

use globset::{GlobBuilder, GlobMatcher};

use super::{GrantedPattern, KeyPattern};
use crate::domain::names::Key;

/// The matcher of a pattern of the grammar.
pub(super) fn compile(text: &str) -> Result<GlobMatcher, &'static str> {
    let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(false).build();
    Ok(glob.map_err(|_| "it is more than can be matched: make it simpler")?.compile_matcher())
}

impl KeyPattern {
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
}

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
            ("[a-c-]", "-", true),
            ("[a-c-]", "d", false),
            ("[-a]", "-", true),
            ("[a-cx-z]", "y", true),
            ("[a-cx-z]", "d", false),
        ] {
            assert_eq!(matches(pattern, key), expected, "{pattern} against {key}");
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

        /// What globset takes beyond that is a range that goes on after its end.
        #[test]
        fn a_class_that_the_grammar_takes_is_one_that_can_be_matched(class in "[a-c01.-]{1,6}") {
            let text = format!("[{class}]");
            let (taken, compiled) = (super::super::check(&text), compile(&text).is_ok());
            let goes_on = taken.is_err_and(|rule| rule.contains("does not go on"));
            proptest::prop_assert!(compiled || taken.is_err());
            proptest::prop_assert!(taken.is_ok() || goes_on || !compiled);
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "[\\[\\]{},*?!^a-c.\\\\-]{0,16}") {
            if let Ok(pattern) = text.parse::<KeyPattern>() {
                pattern.matches(&"a".parse().unwrap());
            }
        }
    }
}
