//! What somebody who can write a file and holds no key can make of it: each row of the table of
//! changes that real sops accepts, and those that it refuses.

use vanta::adapters::sops::{
    EncryptedFile, FileError, Format, Identities, Leave, ReadError, ValueError, Withheld,
};

use super::fixtures::{
    MISFITS, RETAGS, bad_value, edit, identities, keys, line, open, path,
    plain_values_prove_nothing, read, refusal, text, value,
};

fn app() -> String {
    text("app.enc.yaml")
}

#[test]
fn a_retagged_type_changes_no_more_than_the_form_of_the_text() {
    let original = app();
    for (key, from, to, served) in RETAGS {
        let sealed = value(&original, &format!("{key}:").replace("on:", "\"on\":"));
        let retagged = edit(sealed, &format!("type:{from}]"), &format!("type:{to}]"));
        let file = open(&edit(&original, sealed, &retagged), Leave::default()).unwrap();
        assert_eq!(read(&file, key), served, "{key} as {to}");
    }
}

#[test]
fn a_retagged_type_that_does_not_fit_is_refused() {
    let original = app();
    for (to, reason) in MISFITS {
        let sealed = value(&original, "word:");
        let retagged = sealed.replace("type:str]", &format!("type:{to}]"));
        let changed = edit(&original, sealed, &retagged);
        assert_eq!(refusal(&changed), bad_value("word", reason), "{to}");
    }
    // A number in another form is another text, and so another MAC.
    let sealed = value(&original, "when:");
    let retagged = edit(sealed, "type:time]", "type:str]");
    assert!(open(&edit(&original, sealed, &retagged), Leave::default()).is_ok());
}

#[test]
fn a_scalar_that_is_wrapped_in_a_list_is_not_served() {
    let original = app();
    let entry = line(&original, "word:");
    let wrapped = edit(&original, entry, &entry.replace("word: ", "word:\n    - "));
    let file = open(&wrapped, Leave::default()).unwrap();
    assert_eq!(file.read(&"word".parse().unwrap()).unwrap_err(), ReadError::NoKey);
    let below = file.read(&"word.0".parse().unwrap()).unwrap_err();
    assert_eq!(below, ReadError::Withheld(Withheld::BelowList));
    let leave = Leave { leaves_below_lists: true, ..Leave::default() };
    assert_eq!(read(&open(&wrapped, leave).unwrap(), "word.0"), "hunter2");
}

#[test]
fn an_unwrapped_list_of_maps_is_served_under_the_path_that_it_was_encrypted_for() {
    let unwrapped = edit(&app(), "    - k: ", "    k: ");
    assert_eq!(read(&open(&unwrapped, Leave::default()).unwrap(), "maps.k"), "v");
}

#[test]
fn nested_keys_that_are_folded_into_one_are_refused() {
    let original = app();
    let folded = edit(&original, "d:\n    e: ", "\"d:e\": ");
    let folded = edit(&folded, "    f: ", "\"d:f\": ");
    let refused = FileError::ColonInKey { key: "\"d:e\"".to_owned() };
    assert_eq!(refusal(&folded), refused);
    assert_eq!(open(&folded, Leave::ALL).err(), Some(refused), "there is no leave for it");
}

#[test]
fn added_nulls_empty_collections_and_comments_are_absent() {
    let original = app();
    let added = edit(
        &original,
        "nothing: null\n",
        "nothing: ~\nmore: null\nmap: {}\nlist2: []\ndeep: {a: [{}, null]}\n# a comment\n",
    );
    let (before, after) = (open(&original, Leave::default()), open(&added, Leave::default()));
    assert_eq!(keys(&before.unwrap()), keys(&after.unwrap()));
}

#[test]
fn an_added_empty_string_is_refused_unless_it_is_allowed() {
    let added = edit(&app(), "nothing: null\n", "nothing: \"\"\n");
    assert_eq!(refusal(&added), FileError::PlainEmpty { path: "\"nothing\"".to_owned() });
    let leave = Leave { plain_empty_strings: true, ..Leave::default() };
    assert_eq!(read(&open(&added, leave).unwrap(), "nothing"), "");
    // And so is one that sops wrote, since nothing tells it from the other.
    let written = text("empty.enc.yaml");
    assert_eq!(refusal(&written), FileError::PlainEmpty { path: "\"empty\"".to_owned() });
    assert_eq!(keys(&open(&written, leave).unwrap()), ["a", "empty"]);
}

#[test]
fn plain_values_are_served_with_leave_alone_since_their_names_prove_nothing() {
    plain_values_prove_nothing(&app(), open, |key, value| format!("{key}: {value}"));
}

#[test]
fn mac_only_encrypted_is_refused_unless_it_is_allowed() {
    let original = text("mac-only.enc.yaml");
    assert_eq!(refusal(&original), FileError::MacOnlyEncrypted);
    let leave = Leave { mac_only_encrypted: true, ..Leave::default() };
    let edited = edit(&original, "plain_unencrypted: p", "plain_unencrypted: anything");
    for changed in [&original, &edited] {
        assert_eq!(keys(&open(changed, leave).unwrap()), ["secret"]);
    }
    // The setting cannot be added to a file nor taken from one.
    let without = edit(&original, "    mac_only_encrypted: true\n", "");
    assert_eq!(refusal(&without), FileError::WrongMac);
    let with = edit(&app(), "    version:", "    mac_only_encrypted: true\n    version:");
    assert_eq!(open(&with, Leave::ALL).err(), Some(FileError::WrongMac));
}

#[test]
fn duplicate_keys_are_refused_in_every_document() {
    let original = text("documents.enc.yaml");
    let refused = FileError::DuplicateKey { key: "\"x\"".to_owned() };
    for key in ["first", "second"] {
        let entry = line(&original, &format!("{key}:"));
        let twice = edit(&original, entry, &format!("x: null\nx: null\n{entry}"));
        assert_eq!(refusal(&twice), refused, "beside {key}");
    }
    let quoted = format!("x: null\n\"x\": null\n{}", app());
    assert_eq!(refusal(&quoted), refused);
    let metadata = edit(&app(), "    version:", "    version: 3.0.0\n    version:");
    assert_eq!(refusal(&metadata), FileError::DuplicateKey { key: "\"version\"".to_owned() });
}

#[test]
fn duplicate_keys_are_refused_in_json() {
    let twice = edit(&text("app.enc.json"), "\"nothing\": null", "\"nothing\": 1, \"nothing\": 2");
    let file = EncryptedFile::open(twice.as_bytes(), Format::Json, &identities(), Leave::ALL);
    assert_eq!(file.err(), Some(FileError::DuplicateKey { key: "\"nothing\"".to_owned() }));
}

#[test]
fn two_values_with_one_dotted_path_are_refused() {
    let across = FileError::SamePath { path: "\"first\"".to_owned() };
    assert_eq!(refusal(&text("documents-same-path.enc.yaml")), across);
    let within = edit(&app(), "nothing: null\n", "d.e: \"\"\n");
    let refused = FileError::SamePath { path: "\"d.e\"".to_owned() };
    assert_eq!(open(&within, Leave::ALL).err(), Some(refused));
}

#[test]
fn an_invalid_regex_is_refused_where_sops_lets_it_match_nothing() {
    let original = text("regex.enc.yaml");
    assert_eq!(keys(&open(&original, Leave::default()).unwrap()), ["password"]);
    let invalid = edit(&original, "encrypted_regex: ^pass", "encrypted_regex: \"(\"");
    assert_eq!(refusal(&invalid), FileError::InvalidRegex { field: "encrypted_regex" });
    let two = edit(&original, "    version:", "    encrypted_suffix: x\n    version:");
    assert_eq!(refusal(&two), FileError::SeveralRules);
}

#[test]
fn another_rule_does_not_turn_ciphertext_into_a_plain_value() {
    let original = app();
    let other = edit(&original, "unencrypted_suffix: _unencrypted", "unencrypted_suffix: word");
    let path = "\"one_unencrypted\"".to_owned();
    assert_eq!(refusal(&other), FileError::NotEncrypted { path });
    let all = edit(&original, "unencrypted_suffix: _unencrypted", "unencrypted_regex: .");
    assert_eq!(open(&all, Leave::ALL).err(), Some(FileError::WrongMac));
}

#[test]
fn a_changed_value_is_refused() {
    let original = app();
    let sealed = value(&original, "word:");
    let data = &sealed["ENC[AES256_GCM,data:".len()..][..4];
    let nonce = &sealed[sealed.find(",iv:").unwrap()..][..8];
    for (from, to) in [
        (format!("data:{data}"), "data:AAAA".to_owned()),
        (nonce.to_owned(), ",iv:AAAA".to_owned()),
        (",tag:".to_owned(), ",tag:AAAA".to_owned()),
    ] {
        let changed = edit(&original, sealed, &edit(sealed, &from, &to));
        assert_eq!(refusal(&changed), bad_value("word", ValueError::Unauthentic), "{to}");
    }
}

#[test]
fn a_value_cannot_be_moved_removed_or_put_in_another_order() {
    let original = app();
    let (number, word) = (line(&original, "number:"), line(&original, "word:"));
    let sealed = value(&original, "word:");
    let moved = edit(&original, number, &format!("number: {sealed}"));
    assert_eq!(refusal(&moved), bad_value("number", ValueError::Unauthentic));
    let removed = edit(&original, &format!("{word}\n"), "");
    assert_eq!(refusal(&removed), FileError::WrongMac);
    let order = edit(&original, &format!("{word}\n"), "");
    let order = edit(&order, number, &format!("{word}\n{number}"));
    assert_eq!(refusal(&order), FileError::WrongMac);
    // The elements of a list are bound to their order by the MAC alone.
    let one = line(&original, "    - ENC[");
    let swapped = edit(&original, &format!("{one}\n"), "");
    let swapped = edit(&swapped, "maps:\n", &format!("{one}\nmaps:\n"));
    assert_eq!(refusal(&swapped), FileError::WrongMac);
    // Nor does the ciphertext of a comment, which the MAC leaves out, fit anywhere else.
    let comment = line(&original, "    #ENC[").trim().trim_start_matches('#');
    let smuggled = edit(&original, "    f: ", &format!("    f: {comment}\n    g: "));
    assert_eq!(refusal(&smuggled), bad_value("d.f", ValueError::Unauthentic));
}

#[test]
fn a_plain_value_in_the_place_of_an_encrypted_one_is_refused() {
    let original = app();
    let entry = line(&original, "word:");
    for plain in [
        "mine",
        "5",
        "true",
        "[mine]",
        "{a: mine}",
        " ENC[",
        "\" ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]\"",
    ] {
        let changed = edit(&original, entry, &format!("word: {plain}"));
        assert!(matches!(refusal(&changed), FileError::NotEncrypted { .. }), "{plain}");
        assert!(open(&changed, Leave::ALL).is_err(), "{plain}");
    }
}

#[test]
fn text_before_a_value_is_refused_and_text_after_it_ignored_as_by_sops() {
    let original = app();
    let sealed = value(&original, "word:");
    let before = edit(&original, sealed, &format!("x{sealed}"));
    assert_eq!(refusal(&before), FileError::NotEncrypted { path: "\"word\"".to_owned() });
    let after = edit(&original, sealed, &format!("{sealed} and more"));
    assert_eq!(read(&open(&after, Leave::default()).unwrap(), "word"), "hunter2");
    let bracket = edit(&original, sealed, &format!("{sealed}]"));
    assert_eq!(refusal(&bracket), bad_value("word", ValueError::UnknownType));
}

#[test]
fn a_file_without_a_mac_or_with_another_is_refused() {
    let original = app();
    let mac = line(&original, "    mac:");
    assert_eq!(refusal(&edit(&original, &format!("{mac}\n"), "")), FileError::NoMac);
    assert_eq!(refusal(&edit(&original, mac, "    mac: \"\"")), FileError::NoMac);
    let other = text("regex.enc.yaml");
    let sealed = value(&original, "word:").to_owned();
    for wrong in [
        line(&other, "    mac:").to_owned(),
        format!("    mac: {sealed}"),
        "    mac: x".to_owned(),
        mac.replace("type:str", "type:comment"),
    ] {
        assert_eq!(refusal(&edit(&original, mac, &wrong)), FileError::WrongMac, "{wrong}");
    }
}

#[test]
fn a_wrong_identity_is_told_which_recipients_are_wanted() {
    let other = Identities::read(&path("other-age-key.txt")).unwrap();
    let file = EncryptedFile::open(app().as_bytes(), Format::Yaml, &other, Leave::default()).err();
    insta::assert_snapshot!(file.unwrap(), @r#"no key opens the file: no identity for "age19gpefxdz8y8spxjz2tnu04nag34hqg577xa574eql4xwu0vkpyysr2kv2k": look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is, configure the identity of one of its recipients (VANTA_AGE_IDENTITIES_PATH, SOPS_AGE_KEY_FILE), or encrypt the file for one of yours too (`sops rotate -i --add-age RECIPIENT FILE`)"#);
}

#[test]
fn malformed_metadata_is_refused() {
    let original = app();
    let version = line(&original, "    version:");
    let begin = original.find("sops:\n").unwrap();
    assert!(matches!(refusal(&original[..begin]), FileError::Cut { .. }));
    assert_eq!(refusal("a: b\n"), FileError::NoMetadata);
    assert_eq!(refusal(""), FileError::Empty);
    for (from, to) in [
        (version, "    version: \"3\""),
        (version, "    version: [3]"),
        (line(&original, "    lastmodified:"), "    lastmodified: yesterday"),
        (line(&original, "    unencrypted_suffix:"), "    unencrypted_suffix: {}"),
        (line(&original, "    unencrypted_suffix:"), "    mac_only_encrypted: perhaps"),
    ] {
        let changed = edit(&original, from, to);
        assert!(matches!(refusal(&changed), FileError::BadMetadata { .. }), "{to}");
    }
}

#[test]
fn a_file_without_a_version_needs_leave() {
    let original = app();
    let version = line(&original, "    version:");
    let allowed = Leave { no_version: true, ..Leave::default() };
    for none in ["    version: \"\"", "    version: null", "    other: 1"] {
        let changed = edit(&original, version, none);
        assert_eq!(refusal(&changed), FileError::NoVersion, "{none}");
        assert_eq!(read(&open(&changed, allowed).unwrap(), "word"), "hunter2");
    }
    let bad = edit(&original, version, "    version: new");
    assert!(matches!(open(&bad, allowed), Err(FileError::BadMetadata { .. })));
}

#[test]
fn no_error_repeats_a_value_or_the_file() {
    let original = app();
    let sealed = value(&original, "word:");
    let secret = "hunter2-in-the-clear";
    for changed in [
        edit(&original, sealed, secret),
        edit(&original, sealed, &format!("[{secret}")),
        edit(&original, sealed, &format!("&{secret} [*{secret}]")),
        edit(&original, sealed, &format!("!!int {secret}")),
        edit(&original, sealed, &format!("x{sealed}")),
        edit(&original, line(&original, "    mac:"), &format!("    mac: {secret}")),
        edit(&original, "    version: 3.13.3", &format!("    version: {secret}")),
        edit(&original, "one_unencrypted: ab", &format!("one_unencrypted: {secret}")),
        format!("- {secret}\n"),
        format!("{{\"a\": \"{secret}\" \"b\""),
    ] {
        let error = refusal(&changed);
        let text = format!("{error} {error:?}");
        assert!(!text.contains(secret) && !text.contains("ENC["), "{text}");
    }
}
