//! `_vanta_environment`: an encrypted leaf that says of which environment a file is.
//!
//! Without the file's key it cannot be written, and its value is bound to its place: what could be
//! done to it there, to wrap it in a list say, is refused. It can be taken away, by a plain value of
//! the same text under another name, which the MAC does not tell; so it has to be asked for.

use super::super::format::Format;
use super::super::plaintext::Plaintext;
use super::error::AuthorshipError;
use crate::domain::names::Environment;

/// The leaf's name.
const LEAF: &str = "_vanta_environment";

/// The path of a leaf, and its place, which its value is authenticated with. In an ini file, which
/// has no top, it is in the section that has no name, and is taken there in every format, as the
/// file could be written anew in another one.
const LEAVES: [(&str, &str); 2] = [
    ("_vanta_environment", "_vanta_environment:"),
    ("DEFAULT._vanta_environment", "DEFAULT:_vanta_environment:"),
];

/// What a file says of its environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) enum EnvironmentLeaf {
    /// Nothing.
    #[default]
    Absent,
    /// Its name, where it is one.
    Says(Option<Environment>),
    /// Something that anybody can have written.
    Plain,
    /// Something that is below it, or twice.
    Moved,
}

/// Whether a place is the leaf's or below it, so that it is never served. A path would not tell: in
/// it, unlike in a place, are the lists around a value, which anybody can add.
pub(in super::super) fn is_reserved(place: &str) -> bool {
    LEAVES.iter().any(|(_, leaf)| place.starts_with(leaf))
}

impl EnvironmentLeaf {
    /// With one more value at a reserved place, which has this path: its plaintext, where it is
    /// encrypted.
    pub(in super::super) fn with(
        self,
        (path, place): (&str, &str),
        sealed: Option<Plaintext>,
    ) -> Self {
        if self != Self::Absent || !LEAVES.contains(&(path, place)) {
            return Self::Moved;
        }
        match sealed {
            None => Self::Plain,
            Some(Plaintext::Text(text)) => {
                let name = std::str::from_utf8(&text).ok();
                Self::Says(name.and_then(|name| name.parse().ok()))
            }
            // The label of a type is not authenticated: as a number, `01` would be `1`.
            Some(_) => Self::Says(None),
        }
    }

    /// An error where the file names another environment, or none though it is asked to.
    pub(in super::super) fn check(
        &self,
        environment: &Environment,
        format: Format,
        is_asked: bool,
    ) -> Result<(), AuthorshipError> {
        match self {
            Self::Absent if !is_asked => Ok(()),
            Self::Absent if format == Format::Binary => Err(AuthorshipError::NoNameInBinary),
            Self::Absent => {
                Err(AuthorshipError::NoName { command: leaf_command(environment, format) })
            }
            Self::Says(Some(named)) if named == environment => Ok(()),
            Self::Says(Some(named)) => Err(AuthorshipError::OtherName { named: named.to_string() }),
            Self::Says(None) => {
                Err(AuthorshipError::NotAName { environment: environment.to_string() })
            }
            Self::Plain => Err(AuthorshipError::PlainName),
            Self::Moved => Err(AuthorshipError::MovedName),
        }
    }
}

/// What puts the leaf into a file.
fn leaf_command(environment: &Environment, format: Format) -> String {
    let section = if format == Format::Ini { r#"["DEFAULT"]"# } else { "" };
    let extension = format.extension();
    format!(r#"sops set {environment}.enc.{extension} '{section}["{LEAF}"]' '"{environment}"'"#)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const TOP: (&str, &str) = LEAVES[0];
    const INI: (&str, &str) = LEAVES[1];

    fn text(text: &str) -> Plaintext {
        Plaintext::Text(Zeroizing::new(text.as_bytes().to_vec()))
    }

    fn dev() -> Environment {
        "dev".parse().unwrap()
    }

    #[test]
    fn what_is_at_the_leaf_or_below_it_is_reserved_and_nothing_else() {
        for place in [TOP.1, INI.1, "_vanta_environment:x:", "DEFAULT:_vanta_environment:x:"] {
            assert!(is_reserved(place), "{place}");
        }
        for place in ["_vanta_environments:", "a:_vanta_environment:", "DEFAULT:", "a:DEFAULT:"] {
            assert!(!is_reserved(place), "{place}");
        }
    }

    #[test]
    fn a_file_that_names_its_environment_is_its_own_and_no_others() {
        for leaf in LEAVES {
            let leaf = EnvironmentLeaf::default().with(leaf, Some(text("dev")));
            assert_eq!(leaf.check(&dev(), Format::Yaml, true), Ok(()));
            let refused = leaf.check(&"prod".parse().unwrap(), Format::Yaml, false).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(refused, @"the file says that it is of environment dev: it was copied from there");
            }
        }
        let number = EnvironmentLeaf::default().with(TOP, Some(Plaintext::Int(7)));
        assert!(number.check(&"7".parse().unwrap(), Format::Yaml, true).is_err());
    }

    #[test]
    fn what_could_be_done_to_the_leaf_without_the_key_is_refused() {
        let absent = EnvironmentLeaf::default;
        let refused = |leaf: EnvironmentLeaf| leaf.check(&dev(), Format::Yaml, false).unwrap_err();
        assert_eq!(refused(absent().with(TOP, None)), AuthorshipError::PlainName);
        for (path, place) in [
            ("_vanta_environment.0", TOP.1),
            ("DEFAULT.0._vanta_environment", INI.1),
            ("_vanta_environment.x", "_vanta_environment:x:"),
        ] {
            let moved = absent().with((path, place), Some(text("dev")));
            assert_eq!(refused(moved), AuthorshipError::MovedName, "{path}");
        }
        let twice = absent().with(TOP, Some(text("dev"))).with(INI, Some(text("dev")));
        assert_eq!(refused(twice), AuthorshipError::MovedName);
        let value = refused(absent().with(TOP, Some(text("hunter2 is no name"))));
        assert!(!value.to_string().contains("hunter2"), "{value}");
    }

    #[test]
    fn one_that_has_to_be_there_is_asked_for_with_what_to_run() {
        let refused = |format| EnvironmentLeaf::Absent.check(&dev(), format, true);
        assert_eq!(EnvironmentLeaf::Absent.check(&dev(), Format::Yaml, false), Ok(()));
        insta::assert_snapshot!(refused(Format::Yaml).unwrap_err(), @r#"the file does not say of which environment it is, and has to: run `sops set dev.enc.yaml '["_vanta_environment"]' '"dev"'`"#);
        insta::assert_snapshot!(refused(Format::Ini).unwrap_err(), @r#"the file does not say of which environment it is, and has to: run `sops set dev.enc.ini '["DEFAULT"]["_vanta_environment"]' '"dev"'`"#);
        assert_eq!(refused(Format::Binary), Err(AuthorshipError::NoNameInBinary));
    }
}
