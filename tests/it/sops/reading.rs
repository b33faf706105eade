//! What is read of files that nobody tampered with.

use vanta::adapters::sops::{
    EncryptedFile, FileError, Format, Identities, Leave, OpenedFile, ReadError, Withheld,
};

use super::fixtures::{edit, identities, keys, open, path, read, refusal, text, value};
use crate::support::sops;

const SERVED: [&str; 9] = ["count", "d.e", "d.f", "flag", "number", "on", "ratio", "text", "word"];

#[test]
fn every_type_is_served_as_sops_exec_env_prints_it() {
    let file = open(&text("app.enc.yaml"), Leave::ALL).unwrap();
    for (key, value) in [
        ("number", "123"),
        ("flag", "True"),
        ("word", "hunter2"),
        ("count", "42"),
        ("ratio", "2.5"),
        ("on", "true"),
        ("when", "2020-01-02T03:04:05Z"),
        ("d.e", "nested"),
        ("d.f", "deeper"),
        ("list.0", "one"),
        ("list.1", "two"),
        ("maps.0.k", "v"),
        ("text", "line one\nline two\n"),
        ("one_unencrypted", "ab"),
    ] {
        assert_eq!(read(&file, key), value, "{key}");
    }
    assert_eq!(file.read(&"nothing".parse().unwrap()).unwrap_err(), ReadError::NoKey);
    assert_eq!(file.read(&"list.2".parse().unwrap()).unwrap_err(), ReadError::NoKey);
}

#[test]
fn without_leave_plain_values_and_those_below_lists_are_not_served() {
    let file = open(&text("app.enc.yaml"), Leave::default()).unwrap();
    let mut served: Vec<&str> = SERVED.to_vec();
    served.insert(8, "when");
    assert_eq!(keys(&file), served);
    let read = |key: &str| file.read(&key.parse().unwrap()).unwrap_err();
    assert_eq!(read("list.0"), ReadError::Withheld(Withheld::BelowList));
    assert_eq!(read("one_unencrypted"), ReadError::Withheld(Withheld::Plain));
    assert!(read("list.0").to_string().contains("leaves-below-lists"));
    assert!(read("one_unencrypted").to_string().contains("plain-values"));
}

#[test]
fn json_is_read_as_yaml_is() {
    let bytes = text("app.enc.json");
    let file = EncryptedFile::open(bytes.as_bytes(), Format::Json, &identities(), Leave::default());
    let file = file.unwrap();
    assert_eq!(keys(&file), SERVED);
    assert_eq!(read(&file, "d.e"), "nested");
}

#[test]
fn the_keys_of_all_documents_are_served() {
    let file = open(&text("documents.enc.yaml"), Leave::ALL).unwrap();
    assert_eq!(keys(&file), ["first", "same", "second", "third.0"]);
    assert_eq!(read(&file, "second"), "two");
}

#[test]
fn ssh_identities_of_both_kinds_open_a_file() {
    for name in ["throwaway-ssh-ed25519", "throwaway-ssh-rsa"] {
        let identities = Identities::read(&path(name)).unwrap();
        let bytes = text("ssh.enc.yaml");
        let file =
            EncryptedFile::open(bytes.as_bytes(), Format::Yaml, &identities, Leave::default());
        assert_eq!(read(&file.unwrap(), "word"), "hunter2", "{name}");
    }
}

#[test]
fn carriage_returns_and_a_byte_order_mark_change_nothing() {
    let original = text("app.enc.yaml");
    let changed = format!("\u{feff}{}", original.replace('\n', "\r\n"));
    assert_eq!(read(&open(&changed, Leave::default()).unwrap(), "word"), "hunter2");
    let ended = format!("---\n{original}...\n");
    assert_eq!(read(&open(&ended, Leave::default()).unwrap(), "word"), "hunter2");
}

#[test]
fn one_warning_counts_and_names_the_values_that_are_not_served() {
    let of = |leave| open(&text("app.enc.yaml"), leave).unwrap().warnings().join("\n");
    insta::assert_snapshot!(of(Leave::default()), @"5 values are not served: 2 plain (VANTA_SOPS_ALLOW: `plain-values`), 3 below lists (VANTA_SOPS_ALLOW: `leaves-below-lists`): list.0, list.1, maps.0.k, one_unencrypted, two_unencrypted");
    insta::assert_snapshot!(of(Leave { plain_values: true, ..Leave::default() }), @"3 values are not served: 3 below lists (VANTA_SOPS_ALLOW: `leaves-below-lists`): list.0, list.1, maps.0.k");
    assert_eq!(of(Leave::ALL), "");
}

#[test]
fn the_mac_is_bound_to_lastmodified_whatever_its_form() {
    let original = text("app.enc.yaml");
    let time = value(&original, "    lastmodified").trim_matches('"').to_owned();
    let (seconds, _) = time.split_once('Z').unwrap();
    for same in [format!("{seconds}.75Z"), format!("{seconds}+00:00")] {
        assert!(open(&edit(&original, &time, &same), Leave::default()).is_ok(), "{same}");
    }
    let other = edit(&original, &time, "2020-01-01T00:00:00Z");
    assert_eq!(open(&other, Leave::default()).err(), Some(FileError::WrongMac));
    assert_eq!(open(&original, Leave::default()).unwrap().last_modified(), time);
}

#[test]
fn a_time_that_is_beyond_what_can_be_told_is_refused_by_name() {
    let original = text("app.enc.yaml");
    let time = value(&original, "    lastmodified").trim_matches('"').to_owned();
    let refused = |of: &str| refusal(&edit(&original, &time, of));
    for beyond in ["9999-12-30T22:00:01Z", "9999-12-31T00:00:00Z", "9999-12-31T12:00:00+02:00"] {
        let refused = refused(beyond);
        let names = matches!(refused, FileError::BadMetadata { field: "lastmodified", .. });
        assert!(names && refused.to_string().contains("9999-12-30"), "{beyond}: {refused}");
    }
    for told in ["0000-01-01T00:00:00+23:59", "9999-12-30T22:00:00Z", "9999-12-31T00:00:00+02:00"] {
        assert_eq!(refused(told), FileError::WrongMac, "{told}");
    }
}

#[test]
fn a_version_is_read_where_sops_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let original = text("app.enc.yaml");
    let found = value(&original, "    version:").to_owned();
    for sops in sops::generations() {
        for version in [
            "3.9.0",
            "3.9.0-rc.1",
            "3.9.0--1",
            "3.9.0+01",
            "3.3.0-rc.1+build",
            "3.9.0-18446744073709551615",
            "18446744073709551615.0.0",
            "3.9.0-",
            "3.9.0+",
            "3.9.0-!!",
            "3.9.0-01",
            "3.9.0-a..b",
            "3.9.0-99999999999999999999",
            "99999999999999999999.0.0",
            "3.09.0",
            " 3.9.0",
        ] {
            let of = |to: &str| edit(&original, &format!("version: {found}"), to);
            let file = of(&format!("version: \"{version}\""));
            std::fs::write(folder.path().join("app.enc.yaml"), &file).unwrap();
            let mut command = sops::command(sops, folder.path(), &path("age-key.txt"));
            let theirs = command.args(["decrypt", "app.enc.yaml"]).output().unwrap();
            let ours = open(&file, Leave::default());
            let said = String::from_utf8_lossy(&theirs.stderr);
            assert_eq!(ours.is_ok(), theirs.status.success(), "{version}: {said}");
        }
    }
}

#[test]
fn metadata_is_read_whatever_its_types_and_its_names_case() {
    let original = text("app.enc.yaml");
    let suffix = "    unencrypted_suffix: _unencrypted";
    for more in [
        "    mac_only_encrypted: \"false\"",
        "    mac_only_encrypted: 0",
        "    mac_only_encrypted: \"\"",
        "    shamir_threshold: \"3\"",
        "    pgp: null\n    kms: {}\n    hckms: []",
        "    unknown: [1, {a: b}]",
    ] {
        let changed = edit(&original, suffix, &format!("{suffix}\n{more}"));
        assert_eq!(read(&open(&changed, Leave::default()).unwrap(), "word"), "hunter2", "{more}");
    }
    let cased = edit(&original, suffix, "    Unencrypted_Suffix: _unencrypted");
    assert_eq!(read(&open(&cased, Leave::default()).unwrap(), "word"), "hunter2");
    // One mapping stands for a list of it.
    let begin = original.find("    age:\n").unwrap();
    let list = original[begin..].replacen("- ", "  ", 1);
    let single = format!("{}{list}", &original[..begin]);
    assert_eq!(read(&open(&single, Leave::default()).unwrap(), "word"), "hunter2");
}

#[test]
fn one_key_group_is_read_as_the_keys_at_the_top() {
    let original = text("app.enc.yaml");
    let begin = original.find("    age:\n").unwrap();
    let end = original.find("    lastmodified").unwrap();
    let indented = original[begin..end].replace('\n', "\n        ");
    let group = indented.trim_end().replacen("    age:", "    key_groups:\n        - age:", 1);
    let grouped = format!("{}{}\n{}", &original[..begin], group, &original[end..]);
    assert_eq!(read(&open(&grouped, Leave::default()).unwrap(), "word"), "hunter2");
}

#[test]
fn the_examples_environment_opens_with_the_published_key() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/secrets");
    let identities = Identities::read(&folder.join("age-key.txt")).unwrap();
    let bytes = std::fs::read(folder.join("dev.enc.yaml")).unwrap();
    let file = EncryptedFile::open(&bytes, Format::Yaml, &identities, Leave::default()).unwrap();
    assert_eq!(
        keys(&file),
        [
            "APP_API_URL",
            "APP_DB_PASSWORD",
            "APP_DB_USER",
            "GREETING",
            "SHARED_SENTRY_DSN",
            "smtp.host",
            "smtp.port"
        ]
    );
    assert_eq!(read(&file, "smtp.port"), "587");
}

#[test]
fn a_format_is_known_by_the_files_ending() {
    for format in Format::ALL {
        assert_eq!(Format::from_extension(format.extension()), Ok(format));
    }
    assert_eq!(Format::from_extension("yml"), Ok(Format::Yaml));
    insta::assert_snapshot!(Format::from_extension("toml").unwrap_err(), @r#"the format "toml" is not supported: name the file .yaml, .json, .env, .ini or .bin"#);
}

#[test]
fn a_document_prints_as_sops_prints_it() {
    let bytes = text("documents.enc.yaml");
    let opened =
        OpenedFile::open(bytes.as_bytes(), Format::Yaml, &identities(), Leave::ALL).unwrap();
    assert_eq!(*opened.to_json().unwrap(), "{\n\t\"first\": \"one\",\n\t\"same\": \"x\"\n}\n");
}
