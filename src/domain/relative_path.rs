//! A path that cannot leave the folder that it is below.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::InvalidName;

/// The path of a file below a folder: names joined with `/`, none of them empty, `.` or `..`.
///
/// At most 1024 bytes, and 255 for each name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// The longest path, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelativePath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let refuse = |rule| Err(InvalidName::new("path", text, rule));
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return refuse("a path has 1 to 1024 bytes");
        }
        if text.chars().any(char::is_control) {
            return refuse("a path holds no control character");
        }
        if text.starts_with('/') {
            return refuse("a path is below the secrets folder: leave out the first '/'");
        }
        let impossible = |name: &str| matches!(name, "" | "." | "..") || name.len() > 255;
        if text.split('/').any(impossible) {
            return refuse(
                "a path has names of 1 to 255 bytes between its '/', no '.' and no '..'",
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelativePath {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_its_folder() {
        for good in ["a", "app/.env", "a/b..c/...", "tls.crt"] {
            let path: RelativePath = good.parse().unwrap();
            assert_eq!((path.as_str(), path.to_string().as_str()), (good, good));
            assert_eq!(String::from(path), good);
        }
        for bad in [
            "",
            "/",
            "/a",
            "..",
            "../../x",
            "a/..",
            "a/../b",
            ".",
            "./a",
            "a/",
            "a//b",
            "a\0",
            "a\nb",
            &"a".repeat(256),
            &"a/".repeat(600),
        ] {
            assert!(bad.parse::<RelativePath>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_path_has_at_most_1024_bytes_and_each_name_255() {
        let of = |length: usize| format!("{}{}", "a/".repeat(510), "a".repeat(length - 1020));
        assert!(of(1024).parse::<RelativePath>().is_ok());
        let refusal = of(1025).parse::<RelativePath>().unwrap_err();
        assert!(refusal.to_string().contains("1 to 1024 bytes"), "{refusal}");
        assert!("a".repeat(255).parse::<RelativePath>().is_ok());
    }
}
