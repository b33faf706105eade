//! Files made with real sops, and edits of them by somebody who holds no key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vanta::adapters::sops::{
    Authorship, EncryptedFile, FileError, Format, Identities, Leave, RequireLeaf, SharedIdentities,
    StoreOptions, ValueError,
};
use vanta::domain::names::Key;

/// The path of a fixture.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sops").join(name)
}

/// The text of a fixture.
pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect("the fixture is in the repository")
}

/// The identities that open the fixtures.
pub(crate) fn identities() -> Identities {
    Identities::read(&path("age-key.txt")).expect("the fixture's key is valid")
}

/// The identities of both groups of `groups.enc.yaml`.
pub(crate) fn both_identities() -> Identities {
    let other = Identities::read(&path("other-age-key.txt")).expect("the fixture's key is valid");
    identities().and(other)
}

/// `groups.enc.yaml` in parts: what comes before its groups, each of the two, and the rest.
pub(crate) fn groups() -> [String; 4] {
    let whole = text("groups.enc.yaml");
    let begins: Vec<usize> = whole.match_indices("        - age:").map(|(at, _)| at).collect();
    let [first, second] = begins[..] else { panic!("there are two groups") };
    let end = whole.find("    lastmodified").expect("the file was saved");
    [&whole[..first], &whole[first..second], &whole[second..end], &whole[end..]].map(str::to_owned)
}

/// A store over a folder, with these identities and nothing asked for.
pub(crate) fn options(folder: &Path) -> StoreOptions {
    StoreOptions {
        folder: Some(folder.to_path_buf()),
        shared: SharedIdentities::Given(Arc::new(identities())),
        identities_folder: None,
        leave: Leave::default(),
        authorship: unnamed(),
        settling: Duration::ZERO,
        key_service: None,
    }
}

/// What is asked of fixtures, many of which are the files of several environments: not to name one.
pub(crate) fn unnamed() -> Authorship {
    Authorship { leaf: RequireLeaf::Never, ..Authorship::default() }
}

/// Opens a text as a format, with the identity of the tests.
pub(crate) fn open_as(
    format: Format,
    text: &str,
    leave: Leave,
) -> Result<EncryptedFile, FileError> {
    EncryptedFile::open(text.as_bytes(), format, &identities(), leave)
}

/// Opens a text as YAML, with the identity of the tests.
pub(crate) fn open(text: &str, leave: Leave) -> Result<EncryptedFile, FileError> {
    open_as(Format::Yaml, text, leave)
}

/// Opens a text as a format, and gives the reason why it is refused without any leave.
#[track_caller]
pub(crate) fn refusal_as(format: Format, text: &str) -> FileError {
    open_as(format, text, Leave::default()).err().expect("the file was accepted")
}

/// Opens a text as YAML, and gives the reason why it is refused without any leave.
#[track_caller]
pub(crate) fn refusal(text: &str) -> FileError {
    refusal_as(Format::Yaml, text)
}

/// That a value gives no plaintext.
pub(crate) fn bad_value(path: &str, reason: ValueError) -> FileError {
    FileError::BadValue { path: format!("{path:?}"), reason }
}

/// Keys of `app.enc.yaml` and `app.enc.json` whose type can be changed to another, and what is then
/// served.
pub(crate) const RETAGS: [(&str, &str, &str, &str); 5] = [
    ("number", "str", "int", "123"),
    ("number", "str", "float", "123.0"),
    ("flag", "str", "bool", "true"),
    ("count", "int", "str", "42"),
    ("on", "bool", "str", "True"),
];

/// Types that the value of their `word` cannot be changed to.
pub(crate) const MISFITS: [(&str, ValueError); 7] = [
    ("int", ValueError::WrongType),
    ("float", ValueError::WrongType),
    ("bool", ValueError::WrongType),
    ("time", ValueError::WrongType),
    ("bytes", ValueError::UnknownType),
    ("secret", ValueError::UnknownType),
    ("comment", ValueError::Comment),
];

/// The value of a key as text.
pub(crate) fn read(file: &EncryptedFile, key: &str) -> String {
    let value = file.read(&key.parse().expect("a key")).expect("the key can be read");
    value.expose_str().expect("the value is text").to_owned()
}

/// A text with one edit, which has to be there to be made.
pub(crate) fn edit(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} is there once");
    text.replace(from, to)
}

/// The line that begins with this, without its end.
pub(crate) fn line<'a>(text: &'a str, begins: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(begins)).expect("the line is there")
}

/// What follows the colon of a line.
pub(crate) fn value<'a>(text: &'a str, begins: &str) -> &'a str {
    line(text, begins).split_once(": ").expect("the line is an entry").1
}

/// The names of the keys that are served.
pub(crate) fn keys(file: &EncryptedFile) -> Vec<&str> {
    file.keys().map(Key::as_str).collect()
}

/// Fails where plain values of the fixture `app` are served without leave, or are refused with it
/// though the file's MAC cannot tell what became of them. `entry` writes one in its format.
pub(crate) fn plain_values_prove_nothing(
    original: &str,
    open: fn(&str, Leave) -> Result<EncryptedFile, FileError>,
    entry: fn(&str, &str) -> String,
) {
    let renamed = edit(original, "one_unencrypted", "password_unencrypted");
    let with = |text: &str, key: &str, from: &str, to: &str| {
        edit(text, &entry(key, from), &entry(key, to))
    };
    // The MAC hashes the values one after the other.
    let moved = with(original, "one_unencrypted", "ab", "abc");
    let moved = with(&moved, "two_unencrypted", "cd", "d");
    for changed in [&renamed, &moved] {
        let file = open(changed, Leave::default()).unwrap();
        assert!(!keys(&file).iter().any(|key| key.ends_with("_unencrypted")));
    }
    let leave = Leave { plain_values: true, ..Leave::default() };
    assert_eq!(read(&open(&moved, leave).unwrap(), "one_unencrypted"), "abc");
    let changed = with(original, "one_unencrypted", "ab", "xy");
    assert_eq!(open(&changed, leave).err(), Some(FileError::WrongMac));
}
