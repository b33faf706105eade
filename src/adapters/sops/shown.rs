//! What is repeated of a text that a stranger wrote into a file.

use super::limits::MAX_SHOWN;
use crate::domain::names::holds_secret;

/// A name of an attacker's choice as an error repeats it: escaped, cut, nothing where it holds what
/// has the form of a secret, and never between the marks that a command stands in.
pub(super) fn shown(name: &str) -> String {
    let name = if holds_secret(name) { "[redacted]" } else { name };
    let plain = |letter| if letter == '`' { '\'' } else { letter };
    let cut: String = name.chars().take(MAX_SHOWN).map(plain).collect();
    let dots = if cut.len() < name.len() { "…" } else { "" };
    format!("{cut:?}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_is_repeated_as_no_secret_and_as_no_command() {
        let pasted = "age-secret-key-1pv8eh7".to_ascii_uppercase();
        assert_eq!(shown(&format!("x {pasted}")), r#""[redacted]""#);
        assert_eq!(shown("run `sh`\n"), r#""run 'sh'\n""#);
        let long = "é".repeat(MAX_SHOWN + 1);
        assert_eq!(shown(&long), format!("{:?}…", "é".repeat(MAX_SHOWN)));
    }
}
