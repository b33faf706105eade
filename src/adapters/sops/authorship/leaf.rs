//! `_vanta_environment`: an encrypted leaf that says of which environment a file is.
//!
//! Without the file's key it cannot be written, and its value is bound to its place: what could be
//! done to it there, to wrap it in a list say, is refused. It can be taken away, by a plain value of
//! the same text under another name, which the MAC does not tell; so it has to be asked for.

use super::super::format::Format;
use super::super::plaintext::Plaintext;
use super::super::shown::shown;
use super::WhyNamed;
use super::commands::{LEAF, Subject};
use super::error::AuthorshipError;
use crate::domain::names::Environment;

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
    /// Something of its name that is elsewhere, below it, or twice: where.
    Moved {
        /// Its path.
        path: String,
        /// The environments that are named wherever something of its name is, two at the most: one
        /// of two is another one.
        names: Vec<Environment>,
    },
}

/// Whether a place is of a leaf's name or below one, wherever that is, so that it is never served.
/// A path would not tell: in it, unlike in a place, are the lists around a value, which anybody can
/// add.
pub(in super::super) fn is_reserved(place: &str) -> bool {
    place.split(':').any(|key| key == LEAF)
}

impl EnvironmentLeaf {
    /// With one more value at a reserved place, which has this path: its plaintext, where it is
    /// encrypted.
    pub(in super::super) fn with(
        self,
        (path, place): (&str, &str),
        sealed: Option<&Plaintext>,
    ) -> Self {
        let says = sealed.and_then(name);
        if self == Self::Absent && LEAVES.contains(&(path, place)) {
            return if sealed.is_some() { Self::Says(says) } else { Self::Plain };
        }
        let (path, mut names) = match self {
            Self::Moved { path, names } => (path, names),
            Self::Says(before) => (path.to_owned(), before.into_iter().collect()),
            Self::Absent | Self::Plain => (path.to_owned(), Vec::new()),
        };
        names.extend(says.filter(|says| names.len() < 2 && !names.contains(says)));
        Self::Moved { path, names }
    }

    /// Whether it names an environment where it should.
    pub(in super::super) fn names_one(&self) -> bool {
        matches!(self, Self::Says(Some(_)))
    }

    /// An error where the file names another environment, or none though it is asked to; the
    /// version that is served names its own or not.
    pub(in super::super) fn check(
        &self,
        subject: &Subject<'_>,
        asked: Option<WhyNamed>,
        named_before: bool,
    ) -> Result<(), AuthorshipError> {
        let (run, history) = (|| subject.set_leaf(), || subject.history());
        let other_name = |named: &Environment, moved| AuthorshipError::OtherName {
            named: named.to_string(),
            undo: subject.undo("the last good version"),
            adopt: subject.adopt(moved),
        };
        Err(match (self, asked) {
            (Self::Absent, None) => return Ok(()),
            (Self::Says(Some(named)), _) if named == subject.environment => return Ok(()),
            (Self::Absent, Some(why)) if named_before => {
                AuthorshipError::NameTakenOut { why, undo: subject.undo("the last good version") }
            }
            (Self::Absent, Some(why)) if subject.format == Format::Binary => {
                AuthorshipError::NoNameInBinary { why }
            }
            (Self::Absent, Some(why)) => {
                let put_back = subject.put_back();
                AuthorshipError::NoName { why, history: history(), put_back, run: run() }
            }
            (Self::Says(Some(named)), _) => other_name(named, None),
            (Self::Says(None), _) => AuthorshipError::NotAName { history: history(), run: run() },
            (Self::Plain, _) => AuthorshipError::PlainName { history: history() },
            (Self::Moved { path, names }, _) => {
                match names.iter().find(|named| *named != subject.environment) {
                    Some(named) => other_name(named, Some(path)),
                    None => AuthorshipError::MovedName {
                        at: shown(path),
                        history: history(),
                        take_out: subject.unset(path),
                        run: run(),
                    },
                }
            }
        })
    }
}

/// The environment that a plaintext names. The label of a type is not authenticated: as a number,
/// `01` would be `1`.
fn name(plaintext: &Plaintext) -> Option<Environment> {
    match plaintext {
        Plaintext::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
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

    fn checked(
        leaf: &EnvironmentLeaf,
        environment: &str,
        format: Format,
        asked: Option<WhyNamed>,
    ) -> Result<(), AuthorshipError> {
        let environment = environment.parse().unwrap();
        leaf.check(&Subject { environment: &environment, format, signed: false }, asked, false)
    }

    #[test]
    fn what_is_at_a_leaf_or_below_one_is_reserved_wherever_it_is_and_nothing_else() {
        for place in [
            TOP.1,
            INI.1,
            "_vanta_environment:x:",
            "DEFAULT:_vanta_environment:x:",
            "section:_vanta_environment:",
            "a:b:_vanta_environment:c:",
        ] {
            assert!(is_reserved(place), "{place}");
        }
        for place in ["_vanta_environments:", "a:_vanta_environment_:", "DEFAULT:", "a:DEFAULT:"] {
            assert!(!is_reserved(place), "{place}");
        }
    }

    #[test]
    fn a_file_that_names_its_environment_is_its_own_and_no_others() {
        for leaf in LEAVES {
            let leaf = EnvironmentLeaf::default().with(leaf, Some(&text("dev")));
            assert_eq!(checked(&leaf, "dev", Format::Yaml, Some(WhyNamed::Always)), Ok(()));
            let refused = checked(&leaf, "prod", Format::Yaml, None).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(refused, @r#"the file says that it is of environment dev: it was copied from there, or renamed. First look at who did that (`git log -p -- prod.enc.yaml`), and put the last good version back (`git checkout COMMIT -- prod.enc.yaml`). Only where that is meant, run first `sops rotate -i prod.enc.yaml`, which gives it a data key of its own, and then `sops set prod.enc.yaml '["_vanta_environment"]' '"prod"'`"#);
            }
        }
        let number = EnvironmentLeaf::default().with(TOP, Some(&Plaintext::Int(7)));
        assert!(checked(&number, "7", Format::Yaml, Some(WhyNamed::Always)).is_err());
    }

    #[test]
    fn what_could_be_done_to_the_leaf_without_the_key_is_refused() {
        let absent = EnvironmentLeaf::default;
        let refused = |leaf| checked(&leaf, "dev", Format::Yaml, None).unwrap_err();
        assert!(matches!(refused(absent().with(TOP, None)), AuthorshipError::PlainName { .. }));
        for (path, place) in [
            ("_vanta_environment.0", TOP.1),
            ("DEFAULT.0._vanta_environment", INI.1),
            ("_vanta_environment.x", "_vanta_environment:x:"),
            ("a._vanta_environment", "a:_vanta_environment:"),
        ] {
            let moved = refused(absent().with((path, place), Some(&text("dev"))));
            assert!(matches!(moved, AuthorshipError::MovedName { .. }), "{path}: {moved}");
        }
        let twice = absent().with(TOP, Some(&text("dev"))).with(INI, Some(&text("dev")));
        assert!(matches!(refused(twice), AuthorshipError::MovedName { .. }));
        let value = refused(absent().with(TOP, Some(&text("hunter2 is no name"))));
        assert!(!value.to_string().contains("hunter2"), "{value}");
    }

    #[test]
    fn one_that_is_elsewhere_is_told_where_it_belongs() {
        let moved = |path: &str| {
            let place = path.replace('.', ":") + ":";
            EnvironmentLeaf::default().with((path, &place), Some(&text("dev")))
        };
        let refused = |path, format| checked(&moved(path), "dev", format, None).unwrap_err();
        insta::assert_snapshot!(refused("section._vanta_environment", Format::Ini), @r#"`_vanta_environment` is at "section._vanta_environment", and has to be one text at the top of the file (in ini, in the section DEFAULT): it was moved, or put there by mistake. Look first at who changed what (`git log -p -- dev.enc.ini`). Then take the name out with `sops unset dev.enc.ini '["section"]["_vanta_environment"]'`, and put it in its place with `sops set dev.enc.ini '["DEFAULT"]["_vanta_environment"]' '"dev"'`"#);
        insta::assert_snapshot!(refused("a._vanta_environment", Format::Yaml), @r#"`_vanta_environment` is at "a._vanta_environment", and has to be one text at the top of the file (in ini, in the section DEFAULT): it was moved, or put there by mistake. Look first at who changed what (`git log -p -- dev.enc.yaml`). Then take the name out with `sops unset dev.enc.yaml '["a"]["_vanta_environment"]'`, and put it in its place with `sops set dev.enc.yaml '["_vanta_environment"]' '"dev"'`"#);
        let in_a_list = refused("l.0._vanta_environment", Format::Yaml).to_string();
        let by_hand =
            "Then take out what is at \"l.0._vanta_environment\", with `sops edit dev.enc.yaml`";
        assert!(in_a_list.contains(by_hand), "{in_a_list}");
        insta::assert_snapshot!(refused("a b._vanta_environment", Format::Json), @r#"`_vanta_environment` is at "a b._vanta_environment", and has to be one text at the top of the file (in ini, in the section DEFAULT): it was moved, or put there by mistake. Look first at who changed what (`git log -p -- dev.enc.json`). Then take out what is at "a b._vanta_environment", with `sops edit dev.enc.json`, and put it in its place with `sops set dev.enc.json '["_vanta_environment"]' '"dev"'`"#);
    }

    #[test]
    fn one_that_names_another_environment_says_so_wherever_it_is() {
        let named = |leaves: &[(&str, &str, Option<&str>)]| {
            let with = |leaf: EnvironmentLeaf, (path, place, says): &(&str, &str, Option<&str>)| {
                leaf.with((path, place), says.map(text).as_ref())
            };
            let leaf = leaves.iter().fold(EnvironmentLeaf::Absent, with);
            checked(&leaf, "dev", Format::Yaml, None).unwrap_err()
        };
        let in_a_list = ("_vanta_environment.0", TOP.1, Some("prod"));
        let own = (TOP.0, TOP.1, Some("dev"));
        let plain = ("x_unencrypted._vanta_environment", "x_unencrypted:_vanta_environment:", None);
        for leaves in [&[in_a_list][..], &[own, in_a_list], &[in_a_list, own], &[plain, in_a_list]]
        {
            let refused = named(leaves);
            assert!(matches!(refused, AuthorshipError::OtherName { .. }), "{leaves:?}: {refused}");
        }
        for leaves in [&[plain][..], &[own, plain]] {
            let refused = named(leaves);
            assert!(matches!(refused, AuthorshipError::MovedName { .. }), "{leaves:?}: {refused}");
        }
        insta::assert_snapshot!(named(&[("a._vanta_environment", "a:_vanta_environment:", Some("prod"))]), @r#"the file says that it is of environment prod: it was copied from there, or renamed. First look at who did that (`git log -p -- dev.enc.yaml`), and put the last good version back (`git checkout COMMIT -- dev.enc.yaml`). Only where that is meant, run first `sops rotate -i dev.enc.yaml`, which gives it a data key of its own, then take the name out with `sops unset dev.enc.yaml '["a"]["_vanta_environment"]'`, and then `sops set dev.enc.yaml '["_vanta_environment"]' '"dev"'`"#);
    }

    #[test]
    fn nothing_is_run_on_a_file_before_it_is_looked_at_who_changed_it() {
        let at = |path: &str, place: &str, says: &str| {
            EnvironmentLeaf::Absent.with((path, place), Some(&text(says)))
        };
        for leaf in [
            EnvironmentLeaf::Absent,
            EnvironmentLeaf::Plain,
            at(TOP.0, TOP.1, "no name"),
            at(TOP.0, TOP.1, "prod"),
            at("a._vanta_environment", "a:_vanta_environment:", "dev"),
            at("a._vanta_environment", "a:_vanta_environment:", "prod"),
        ] {
            let said = checked(&leaf, "dev", Format::Yaml, Some(WhyNamed::NoOwnIdentity));
            let said = said.unwrap_err().to_string();
            let (look, run) = (said.find("`git log -p"), said.find("`sops "));
            assert!(look.is_some() && run.is_some() && look < run, "{said}");
        }
    }

    #[test]
    fn one_that_was_there_and_is_not_any_more_is_no_name_that_is_only_missing() {
        let environment = "dev".parse().unwrap();
        let refused = |format| {
            let subject = Subject { environment: &environment, format, signed: false };
            let asked = Some(WhyNamed::NoOwnIdentity);
            EnvironmentLeaf::Absent.check(&subject, asked, true).unwrap_err().to_string()
        };
        insta::assert_snapshot!(refused(Format::Yaml), @"the file no longer says of which environment it is, and has to, since the environment has no identity of its own. The version that is served does: the name was taken out, which takes no key, so that this may be another environment's file. First look at who did that (`git log -p -- dev.enc.yaml`), and put the last good version back (`git checkout COMMIT -- dev.enc.yaml`); where the change was yours, make it anew in that one");
        assert!(refused(Format::Binary).starts_with("the file no longer says"));
    }

    #[test]
    fn one_that_has_to_be_there_is_asked_for_with_what_to_run() {
        let refused =
            |format, why| checked(&EnvironmentLeaf::Absent, "dev", format, Some(why)).unwrap_err();
        assert_eq!(checked(&EnvironmentLeaf::Absent, "dev", Format::Yaml, None), Ok(()));
        insta::assert_snapshot!(refused(Format::Yaml, WhyNamed::NoOwnIdentity), @r#"the file does not say of which environment it is, and has to, since the environment has no identity of its own. If a version before it did (`git log -p -- dev.enc.yaml`), somebody took that out: put that version back (`git checkout COMMIT -- dev.enc.yaml`). Else run `sops set dev.enc.yaml '["_vanta_environment"]' '"dev"'`"#);
        insta::assert_snapshot!(refused(Format::Yaml, WhyNamed::KeysAllowed), @r#"the file does not say of which environment it is, and has to, since VANTA_SOPS_ALLOWED_KEYS allows keys, which open the files of all environments. If a version before it did (`git log -p -- dev.enc.yaml`), somebody took that out: put that version back (`git checkout COMMIT -- dev.enc.yaml`). Else run `sops set dev.enc.yaml '["_vanta_environment"]' '"dev"'`"#);
        insta::assert_snapshot!(refused(Format::Ini, WhyNamed::Always), @r#"the file does not say of which environment it is, and has to, since VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF is always. If a version before it did (`git log -p -- dev.enc.ini`), somebody took that out: put that version back (`git checkout COMMIT -- dev.enc.ini`). Else run `sops set dev.enc.ini '["DEFAULT"]["_vanta_environment"]' '"dev"'`"#);
    }

    #[test]
    fn a_binary_file_is_told_what_it_can_do_and_never_to_name_itself() {
        let refused = |why| {
            let absent = EnvironmentLeaf::Absent;
            checked(&absent, "dev", Format::Binary, Some(why)).unwrap_err().to_string()
        };
        let (own, keys) = (refused(WhyNamed::NoOwnIdentity), refused(WhyNamed::KeysAllowed));
        let always = refused(WhyNamed::Always);
        assert!([&own, &keys, &always].iter().all(|said| !said.contains("sops set")));
        insta::assert_snapshot!(own, @"a binary file cannot say of which environment it is, and has to, since the environment has no identity of its own: give the environment an identity of its own (VANTA_AGE_IDENTITIES_PATH), or write the file in another format");
        insta::assert_snapshot!(keys, @"a binary file cannot say of which environment it is, and has to, since VANTA_SOPS_ALLOWED_KEYS allows keys, which open the files of all environments: write the file in another format, or have it served by a vault that allows no keys");
        insta::assert_snapshot!(always, @"a binary file cannot say of which environment it is, and has to, since VANTA_SOPS_REQUIRE_ENVIRONMENT_LEAF is always: write the file in another format");
    }

    #[test]
    fn a_change_of_a_file_that_has_to_be_signed_is_signed_anew() {
        let environment = "dev".parse().unwrap();
        let subject = Subject { environment: &environment, format: Format::Yaml, signed: true };
        let asked = Some(WhyNamed::NoOwnIdentity);
        let refused =
            EnvironmentLeaf::Absent.check(&subject, asked, false).unwrap_err().to_string();
        assert!(refused.ends_with("'\"dev\"'`, and sign it anew"), "{refused}");
    }
}
