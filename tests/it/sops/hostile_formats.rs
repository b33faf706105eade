//! What `hostile.rs` tells of YAML, where it is told alike of every other format; what takes the
//! nesting that JSON has is in `hostile_json.rs`.

use vanta::adapters::sops::{
    FileError, Format, Leave, OpenedFile, ReadError, ValueError, Withheld,
};

use super::fixtures::{bad_value, edit, identities, keys, line, open_as, read, refusal_as, text};

/// The flat formats: each with what stands between a key and its value, and what the paths of the
/// keys begin with.
const FLAT: [(Format, &str, &str); 2] = [(Format::Dotenv, "=", ""), (Format::Ini, " = ", "main.")];

fn app(format: Format) -> String {
    text(&format!("app.enc.{}", format.extension()))
}

/// The whole entry of a key in a flat file, and its value.
fn entry<'a>(format: Format, text: &'a str, key: &str) -> (&'a str, &'a str) {
    let line = line(text, key);
    let value = line.split_once('=').expect("the line is an entry").1;
    (line, if format == Format::Ini { value.trim_start() } else { value })
}

#[test]
fn the_values_of_each_format_are_served_by_their_paths() {
    let dotenv = open_as(Format::Dotenv, &app(Format::Dotenv), Leave::ALL).unwrap();
    assert_eq!(
        keys(&dotenv),
        ["lines", "number", "one_unencrypted", "other", "two_unencrypted", "word"]
    );
    assert_eq!(read(&dotenv, "lines"), "one\ntwo");
    let ini = open_as(Format::Ini, &app(Format::Ini), Leave::default()).unwrap();
    assert_eq!(
        keys(&ini),
        ["DEFAULT.top", "main.lines", "main.number", "main.other", "main.word", "second.word"]
    );
    assert_eq!(read(&ini, "main.lines"), "one\ntwo");
    let binary = open_as(Format::Binary, &app(Format::Binary), Leave::default()).unwrap();
    assert_eq!(keys(&binary), ["data"]);
    let value = binary.read(&"data".parse().unwrap()).unwrap();
    assert_eq!(value.expose(), b"any \0 bytes \xff\xfe\n");
}

#[test]
fn a_changed_moved_or_removed_value_is_refused() {
    for (format, _, prefix) in FLAT {
        let original = app(format);
        let (word, sealed) = entry(format, &original, "word");
        let (other, other_sealed) = entry(format, &original, "other");
        let unauthentic = bad_value(&format!("{prefix}word"), ValueError::Unauthentic);
        let swapped = original.replacen(other_sealed, "@", 1);
        let swapped = swapped.replacen(sealed, other_sealed, 1).replacen('@', sealed, 1);
        assert_eq!(refusal_as(format, &swapped), unauthentic, "{format:?}");
        let renamed = edit(&original, other, &other.replacen("other", "renamed", 1));
        assert!(matches!(refusal_as(format, &renamed), FileError::BadValue { .. }));
        let removed = edit(&original, &format!("{word}\n"), "");
        assert_eq!(refusal_as(format, &removed), FileError::WrongMac);
        let plain = edit(&original, sealed, "hunter2");
        let path = format!("{:?}", format!("{prefix}word"));
        assert_eq!(refusal_as(format, &plain), FileError::NotEncrypted { path });
    }
    let binary = app(Format::Binary);
    let changed = edit(&binary, "data:9J", "data:8J");
    assert_eq!(refusal_as(Format::Binary, &changed), bad_value("data", ValueError::Unauthentic));
}

#[test]
fn a_retagged_type_changes_no_more_than_the_form_of_the_text() {
    for (format, _, prefix) in FLAT {
        let original = app(format);
        let retagged = |key: &str, kind: &str| {
            let (line, _) = entry(format, &original, key);
            edit(&original, line, &line.replace("type:str", kind))
        };
        let number = format!("{prefix}number");
        for (kind, served) in [("type:int", "7"), ("type:float", "7.0")] {
            let file = open_as(format, &retagged("number", kind), Leave::default()).unwrap();
            assert_eq!(read(&file, &number), served);
        }
        let word = format!("{prefix}word");
        let wrong = refusal_as(format, &retagged("word", "type:int"));
        assert_eq!(wrong, bad_value(&word, ValueError::WrongType));
        let bytes = refusal_as(format, &retagged("word", "type:bytes"));
        assert_eq!(bytes, bad_value(&word, ValueError::UnknownType));
        let comment = refusal_as(format, &retagged("word", "type:comment"));
        assert_eq!(comment, bad_value(&word, ValueError::Comment));
    }
    let binary = app(Format::Binary);
    for (kind, reason) in [("comment", ValueError::Comment), ("int", ValueError::WrongType)] {
        let data = line(&binary, "\t\"data\"");
        let retagged = edit(&binary, data, &data.replace("type:str", &format!("type:{kind}")));
        assert_eq!(refusal_as(Format::Binary, &retagged), bad_value("data", reason));
    }
}

#[test]
fn a_scalar_that_is_wrapped_in_a_list_is_not_served() {
    let json = app(Format::Json);
    let word = line(&json, "\t\"word\"");
    let sealed = word.split_once(": ").unwrap().1.trim_end_matches(',');
    let wrapped = edit(&json, word, &format!("\t\"word\": [{sealed}],"));
    let file = open_as(Format::Json, &wrapped, Leave::default()).unwrap();
    let withheld = file.read(&"word.0".parse().unwrap()).err();
    assert_eq!(withheld, Some(ReadError::Withheld(Withheld::BelowList)));
    let binary = app(Format::Binary);
    let data = line(&binary, "\t\"data\"");
    let sealed = data.split_once(": ").unwrap().1.trim_end_matches(',');
    let wrapped = edit(&binary, data, &format!("\t\"data\": [{sealed}],"));
    assert_eq!(refusal_as(Format::Binary, &wrapped), FileError::NotBinary);
}

#[test]
fn keys_that_hold_a_colon_are_refused() {
    let colon = |key: &str| FileError::ColonInKey { key: format!("{key:?}") };
    let dotenv = edit(&app(Format::Dotenv), "\nother=", "\na:other=");
    assert_eq!(refusal_as(Format::Dotenv, &dotenv), colon("a:other"));
    let ini = app(Format::Ini);
    let (other, sealed) = entry(Format::Ini, &ini, "other");
    let key = edit(&ini, other, &format!("`a:other` = {sealed}"));
    assert_eq!(refusal_as(Format::Ini, &key), colon("a:other"));
    assert_eq!(refusal_as(Format::Ini, &edit(&ini, "[main]", "[main:a]")), colon("main:a"));
    let json = edit(&app(Format::Json), "\"word\": ", "\"a:word\": ");
    assert_eq!(refusal_as(Format::Json, &json), colon("a:word"));
}

#[test]
fn added_comments_and_empty_sections_are_absent() {
    let leave = Leave::default();
    let dotenv = app(Format::Dotenv);
    let added = format!("# new\n\n{dotenv}#x=y\n");
    assert_eq!(
        keys(&open_as(Format::Dotenv, &added, leave).unwrap()),
        keys(&open_as(Format::Dotenv, &dotenv, leave).unwrap())
    );
    let ini = app(Format::Ini);
    let added = format!("; new\n{ini}\n; last\n[added]\n");
    assert_eq!(
        keys(&open_as(Format::Ini, &added, leave).unwrap()),
        keys(&open_as(Format::Ini, &ini, leave).unwrap())
    );
    let json = app(Format::Json);
    let added = edit(&json, "\t\"word\"", "\t\"n\": null, \"m\": {}, \"l\": [],\n\t\"word\"");
    assert_eq!(
        keys(&open_as(Format::Json, &added, leave).unwrap()),
        keys(&open_as(Format::Json, &json, leave).unwrap())
    );
}

#[test]
fn an_added_empty_string_is_refused_unless_it_is_allowed() {
    let allowed = Leave { plain_empty_strings: true, ..Leave::default() };
    for (format, equals, prefix) in FLAT {
        let original = app(format);
        let (word, _) = entry(format, &original, "word");
        let added = edit(&original, word, &format!("{word}\nadded{equals}"));
        let path = format!("{:?}", format!("{prefix}added"));
        assert_eq!(refusal_as(format, &added), FileError::PlainEmpty { path });
        let file = open_as(format, &added, allowed).unwrap();
        assert_eq!(read(&file, &format!("{prefix}added")), "");
        // Sops leaves one itself.
        let written = text(&format!("empty.enc.{}", format.extension()));
        assert!(matches!(refusal_as(format, &written), FileError::PlainEmpty { .. }));
    }
    let json = edit(&app(Format::Json), "\t\"word\"", "\t\"added\": \"\",\n\t\"word\"");
    assert!(matches!(refusal_as(Format::Json, &json), FileError::PlainEmpty { .. }));
    let binary = edit(&app(Format::Binary), "\t\"data\"", "\t\"added\": \"\",\n\t\"data\"");
    let key = "\"added\"".to_owned();
    assert_eq!(refusal_as(Format::Binary, &binary), FileError::MoreThanBinary { key });
}

#[test]
fn plain_values_are_served_with_leave_alone() {
    for (format, _, prefix) in FLAT {
        let original = app(format);
        // The MAC hashes the values one after the other, and no names.
        let (one, _) = entry(format, &original, "one_unencrypted");
        let (two, _) = entry(format, &original, "two_unencrypted");
        let moved = edit(&original, one, &one.replace("ab", "abc"));
        let moved = edit(&moved, two, &two.replace("two_", "too_").replace("cd", "d"));
        let key = format!("{prefix}one_unencrypted").parse().unwrap();
        let strict = open_as(format, &moved, Leave::default()).unwrap();
        assert_eq!(strict.read(&key).err(), Some(ReadError::Withheld(Withheld::Plain)));
        let lax =
            open_as(format, &moved, Leave { plain_values: true, ..Leave::default() }).unwrap();
        assert_eq!(read(&lax, &format!("{prefix}one_unencrypted")), "abc");
        // What nobody moved is found.
        let changed = edit(&original, one, &one.replace("ab", "ax"));
        assert_eq!(refusal_as(format, &changed), FileError::WrongMac);
    }
}

#[test]
fn mac_only_encrypted_is_refused_unless_it_is_allowed() {
    for format in [Format::Dotenv, Format::Ini, Format::Json] {
        let original = text(&format!("mac-only.enc.{}", format.extension()));
        assert_eq!(refusal_as(format, &original), FileError::MacOnlyEncrypted);
        let allowed = Leave { mac_only_encrypted: true, ..Leave::default() };
        assert!(open_as(format, &original, allowed).is_ok());
        assert!(original.contains("ab"), "there is something to change");
        let changed = original.replacen("ab", "cd", 1);
        let file = OpenedFile::open(changed.as_bytes(), format, &identities(), Leave::ALL);
        assert!(file.is_ok(), "the format cannot tell");
    }
    let dotenv = app(Format::Dotenv) + "sops_mac_only_encrypted=true\n";
    assert_eq!(refusal_as(Format::Dotenv, &dotenv), FileError::MacOnlyEncrypted);
    // A MAC of all values is none of the encrypted ones.
    let lax = open_as(Format::Dotenv, &dotenv, Leave::ALL);
    assert_eq!(lax.err(), Some(FileError::WrongMac));
}

#[test]
fn duplicates_are_refused() {
    let twice = |key: &str| FileError::DuplicateKey { key: format!("{key:?}") };
    for (format, ..) in FLAT {
        let original = app(format);
        let (word, _) = entry(format, &original, "word");
        let doubled = edit(&original, word, &format!("{word}\n{word}"));
        assert_eq!(refusal_as(format, &doubled), twice("word"));
    }
    let ini = app(Format::Ini);
    assert_eq!(refusal_as(Format::Ini, &format!("{ini}\n[main]\n")), twice("main"));
    assert_eq!(refusal_as(Format::Ini, &format!("{ini}\n[sops]\nmac = x\n")), twice("sops"));
    let dotenv = app(Format::Dotenv);
    assert_eq!(
        refusal_as(Format::Dotenv, &format!("{dotenv}sops_version=3.0.0\n")),
        twice("sops_version")
    );
    let other = format!("{dotenv}sops_version__map_x=3.0.0\n");
    assert!(matches!(refusal_as(Format::Dotenv, &other), FileError::BadFlatMetadata { .. }));
    let binary = edit(&app(Format::Binary), "\t\"data\"", "\t\"data\": \"\",\n\t\"data\"");
    assert_eq!(refusal_as(Format::Binary, &binary), twice("data"));
}

#[test]
fn two_values_with_one_dotted_path_are_refused() {
    let ini = app(Format::Ini);
    let (one, _) = entry(Format::Ini, &ini, "one_unencrypted");
    let (two, _) = entry(Format::Ini, &ini, "two_unencrypted");
    let same = edit(&ini, one, "s.a_unencrypted = ab");
    let same = edit(&same, two, "[main.s]\na_unencrypted = cd");
    let path = "\"main.s.a_unencrypted\"".to_owned();
    assert_eq!(refusal_as(Format::Ini, &same), FileError::SamePath { path });
}

#[test]
fn an_invalid_regex_is_refused_where_sops_lets_it_match_nothing() {
    let refused = FileError::InvalidRegex { field: "encrypted_regex" };
    for (format, from, to) in [
        (Format::Dotenv, "sops_unencrypted_suffix=_unencrypted", "sops_encrypted_regex=("),
        (Format::Ini, "unencrypted_suffix         = _unencrypted", "encrypted_regex = ("),
        (Format::Binary, "\"version\"", "\"encrypted_regex\": \"(\", \"version\""),
        (Format::Json, "\"unencrypted_suffix\": \"_unencrypted\"", "\"encrypted_regex\": \"(\""),
    ] {
        assert_eq!(refusal_as(format, &edit(&app(format), from, to)), refused, "{format:?}");
    }
}

#[test]
fn another_rule_does_not_turn_ciphertext_into_a_plain_value() {
    for (format, from, to) in [
        (Format::Dotenv, "sops_unencrypted_suffix=_unencrypted", "sops_unencrypted_regex=."),
        (Format::Ini, "unencrypted_suffix         = _unencrypted", "unencrypted_regex = ."),
        (Format::Binary, "\"version\"", "\"unencrypted_regex\": \".\", \"version\""),
    ] {
        let changed = edit(&app(format), from, to);
        let lax = open_as(format, &changed, Leave::ALL).err();
        assert_eq!(lax, Some(FileError::WrongMac), "{format:?}");
    }
}

#[test]
fn a_file_without_a_mac_or_a_version_is_refused() {
    for (format, prefix) in [(Format::Dotenv, "sops_"), (Format::Ini, "")] {
        let original = app(format);
        let without = |field: &str| {
            let line = line(&original, &format!("{prefix}{field}"));
            edit(&original, &format!("{line}\n"), "")
        };
        assert_eq!(refusal_as(format, &without("mac")), FileError::NoMac);
        assert_eq!(refusal_as(format, &without("version")), FileError::NoVersion);
    }
    for format in [Format::Json, Format::Binary] {
        let original = app(format);
        let mac = line(&original, "\t\t\"mac\"");
        let without = edit(&original, &format!("{mac}\n"), "");
        assert_eq!(refusal_as(format, &without), FileError::NoMac);
        let without = edit(&original, ",\n\t\t\"version\": \"3.13.3\"", "");
        assert_eq!(refusal_as(format, &without), FileError::NoVersion);
    }
}

#[test]
fn what_follows_the_object_of_a_json_file_is_ignored_as_by_sops() {
    let file = open_as(Format::Json, &(app(Format::Json) + "{}"), Leave::default()).unwrap();
    assert_eq!(read(&file, "word"), "hunter2");
}
