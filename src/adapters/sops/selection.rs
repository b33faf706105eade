//! Which values of a file are encrypted: one of six rules (sops `Tree.shouldBeEncrypted`).

use super::go_regex::{GoRegex, TooHard};

/// Used where the file has no rule (sops `DefaultUnencryptedSuffix`).
pub(super) const DEFAULT_UNENCRYPTED_SUFFIX: &str = "_unencrypted";

/// The one rule of a file.
pub(super) struct Rule {
    pub(super) matching: Matching,
    /// What is done with what matches; the opposite is done with all else.
    pub(super) encrypts: bool,
}

/// What a rule looks at.
pub(super) enum Matching {
    /// The end of any key on the path.
    Suffix(String),
    /// Any key on the path, unanchored.
    Keys(GoRegex),
    /// Any comment before the value or before a collection that it is in.
    Comments(GoRegex),
}

impl Rule {
    /// Whether matching takes more time than a comparison.
    pub(super) fn is_regex(&self) -> bool {
        !matches!(self.matching, Matching::Suffix(_))
    }

    /// Whether a key on the path decides.
    pub(super) fn matches_key(&self, key: &str) -> Result<bool, TooHard> {
        match &self.matching {
            Matching::Suffix(suffix) => Ok(key.ends_with(suffix.as_str())),
            Matching::Keys(regex) => regex.is_match(key),
            Matching::Comments(_) => Ok(false),
        }
    }

    /// Whether a comment decides.
    pub(super) fn matches_comment(&self, comment: &str) -> Result<bool, TooHard> {
        match &self.matching {
            Matching::Suffix(_) | Matching::Keys(_) => Ok(false),
            Matching::Comments(regex) => regex.is_match(comment),
        }
    }

    /// Whether a value is encrypted, given whether anything matched.
    pub(super) fn encrypts(&self, matched: bool) -> bool {
        matched == self.encrypts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> GoRegex {
        GoRegex::compile(pattern).unwrap()
    }

    #[test]
    fn a_suffix_is_at_the_end_and_a_regex_anywhere() {
        let plain = Rule { matching: Matching::Suffix("_unencrypted".to_owned()), encrypts: false };
        assert_eq!(plain.matches_key("a_unencrypted"), Ok(true));
        assert_eq!(plain.matches_key("a_unencrypted_b"), Ok(false));
        assert!(plain.encrypts(false) && !plain.encrypts(true));
        let secret = Rule { matching: Matching::Keys(regex("pass")), encrypts: true };
        assert_eq!(secret.matches_key("my_password"), Ok(true));
        assert_eq!(secret.matches_comment("password"), Ok(false));
        assert!(secret.encrypts(true) && !secret.encrypts(false));
    }

    #[test]
    fn a_rule_on_comments_is_deaf_to_keys() {
        let rule = Rule { matching: Matching::Comments(regex("secret")), encrypts: true };
        assert_eq!(rule.matches_comment(" a secret"), Ok(true));
        assert_eq!(rule.matches_key("secret"), Ok(false));
    }
}
