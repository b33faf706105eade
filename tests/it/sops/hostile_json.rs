//! What `hostile.rs` tells of YAML, told of JSON, where it takes nesting that flat formats have not.

use vanta::adapters::sops::{EncryptedFile, FileError, Format, Leave, ReadError, ValueError};

use super::fixtures::{
    MISFITS, RETAGS, bad_value, edit, line, open_as, plain_values_prove_nothing, read, refusal_as,
    text,
};

fn app() -> String {
    text("app.enc.json")
}

fn open(text: &str, leave: Leave) -> Result<EncryptedFile, FileError> {
    open_as(Format::Json, text, leave)
}

#[track_caller]
fn refusal(text: &str) -> FileError {
    refusal_as(Format::Json, text)
}

/// The line of a key at the top, and its value with its quotes.
fn entry<'a>(text: &'a str, key: &str) -> (&'a str, &'a str) {
    let line = line(text, &format!("\t\"{key}\": "));
    (line, line.split_once(": ").expect("the line is an entry").1.trim_end_matches(','))
}

#[test]
fn a_retagged_type_changes_no_more_than_the_form_of_the_text() {
    let original = app();
    let retagged = |key: &str, from: &str, to: &str| {
        let (_, sealed) = entry(&original, key);
        edit(&original, sealed, &edit(sealed, &format!("type:{from}]"), &format!("type:{to}]")))
    };
    for (key, from, to, served) in RETAGS {
        let file = open(&retagged(key, from, to), Leave::default()).unwrap();
        assert_eq!(read(&file, key), served, "{key} as {to}");
    }
    for (to, reason) in MISFITS {
        assert_eq!(refusal(&retagged("word", "str", to)), bad_value("word", reason), "{to}");
    }
}

#[test]
fn a_value_cannot_be_changed_moved_removed_or_put_in_another_order() {
    let original = app();
    let ((word, sealed), (number, _)) = (entry(&original, "word"), entry(&original, "number"));
    let data = &sealed["\"ENC[AES256_GCM,data:".len()..][..4];
    let nonce = &sealed[sealed.find(",iv:").unwrap()..][..8];
    for (from, to) in [
        (format!("data:{data}"), "data:AAAA"),
        (nonce.to_owned(), ",iv:AAAA"),
        (",tag:".to_owned(), ",tag:AAAA"),
    ] {
        let changed = edit(&original, sealed, &edit(sealed, &from, to));
        assert_eq!(refusal(&changed), bad_value("word", ValueError::Unauthentic), "{to}");
    }
    let moved = edit(&original, number, &format!("\t\"number\": {sealed},"));
    assert_eq!(refusal(&moved), bad_value("number", ValueError::Unauthentic));
    let removed = edit(&original, &format!("{word}\n"), "");
    assert_eq!(refusal(&removed), FileError::WrongMac);
    let order = edit(&removed, number, &format!("{word}\n{number}"));
    assert_eq!(refusal(&order), FileError::WrongMac);
    // The elements of a list are bound to their order by the MAC alone.
    let elements: Vec<&str> =
        original.lines().filter(|line| line.starts_with("\t\t\"ENC[")).collect();
    let [one, other] = elements[..] else { panic!("the list has two elements") };
    let swapped = edit(
        &original,
        &format!("{one}\n{other}"),
        &format!("{other},\n{}", &one[..one.len() - 1]),
    );
    assert_eq!(refusal(&swapped), FileError::WrongMac);
}

#[test]
fn a_plain_value_in_the_place_of_an_encrypted_one_is_refused() {
    let original = app();
    let (_, sealed) = entry(&original, "word");
    for plain in ["\"mine\"", "5", "true", "[\"mine\"]", "{\"a\": \"mine\"}", "\" ENC[\""] {
        let changed = edit(&original, sealed, plain);
        assert!(matches!(refusal(&changed), FileError::NotEncrypted { .. }), "{plain}");
        assert!(open(&changed, Leave::ALL).is_err(), "{plain}");
    }
}

#[test]
fn plain_values_are_served_with_leave_alone_since_their_names_prove_nothing() {
    plain_values_prove_nothing(&app(), open, |key, value| format!("\"{key}\": \"{value}\""));
}

#[test]
fn an_unwrapped_list_of_maps_is_served_under_the_path_that_it_was_encrypted_for() {
    let original = app();
    let path = "maps.k".parse().unwrap();
    let wrapped = open(&original, Leave::default()).unwrap();
    assert_eq!(wrapped.read(&path).err(), Some(ReadError::NoKey));
    let begin = original.find("\t\"maps\": [").unwrap();
    let end = begin + original[begin..].find("\n\t]").unwrap() + "\n\t]".len();
    let list = &original[begin..end];
    let map = list.replacen("[\n", "", 1).replacen("\n\t]", "", 1);
    let unwrapped = edit(&original, list, &map);
    assert_eq!(read(&open(&unwrapped, Leave::default()).unwrap(), "maps.k"), "v");
}

#[test]
fn two_values_with_one_dotted_path_are_refused() {
    let within = edit(&app(), "\"nothing\": null", "\"d.e\": \"\"");
    let refused = FileError::SamePath { path: "\"d.e\"".to_owned() };
    assert_eq!(open(&within, Leave::ALL).err(), Some(refused));
}

#[test]
fn another_rule_does_not_turn_ciphertext_into_a_plain_value() {
    let original = app();
    let suffix = "\"unencrypted_suffix\": \"_unencrypted\"";
    let other = edit(&original, suffix, "\"unencrypted_suffix\": \"word\"");
    let path = "\"one_unencrypted\"".to_owned();
    assert_eq!(refusal(&other), FileError::NotEncrypted { path });
    let all = edit(&original, suffix, "\"unencrypted_regex\": \".\"");
    assert_eq!(open(&all, Leave::ALL).err(), Some(FileError::WrongMac));
}
