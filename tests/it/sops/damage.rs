//! Files that are cut, empty, plain or not of any identity: what is told of them is what happened.

use std::fs;

use vanta::adapters::sops::{
    Alarm, EncryptedFile, FileError, Format, Leave, SharedIdentities, SopsStore, StoreOptions,
};
use vanta::domain::ports::FileFault;

use super::fixtures::{edit, identities, options, text};
use super::made::keys::OURS;
use super::workshop::Workshop;

/// What is told of bytes, where they are refused.
fn told(bytes: &[u8], format: Format) -> Option<FileError> {
    EncryptedFile::open(bytes, format, &identities(), Leave::default()).err()
}

#[test]
fn a_file_that_is_cut_anywhere_is_never_told_to_allow_what_it_lost() {
    for format in Format::ALL {
        let whole = text(&format!("app.enc.{}", format.extension()));
        let first = whole.find("ENC[AES256_GCM,").unwrap() + "ENC[AES256_GCM,".len();
        // Nothing tells a file that lost its last line and no more from one that another tool
        // wrote without it.
        let last_line = whole.trim_end().rfind('\n').unwrap() + 1;
        let mut refused = 0;
        for end in 0..whole.trim_end().len() {
            if !whole.is_char_boundary(end) {
                continue;
            }
            let error = told(&whole.as_bytes()[..end], format).expect("it is cut");
            let said = error.to_string();
            if error == FileError::NoVersion {
                assert_eq!(end, last_line, "{format:?}: {said}");
                assert!(said.contains("restore the file where its end is missing"), "{said}");
            } else {
                assert!(!said.contains("no-version"), "{format:?}, up to {end}: {said}");
            }
            // It would be encrypted twice.
            assert!(end < first || !said.contains("sops encrypt"), "{format:?}, {end}: {said}");
            refused += 1;
        }
        assert!(refused > 500, "{format:?}: {refused}");
    }
}

#[test]
fn what_a_cut_file_lacks_is_named() {
    let whole = text("app.enc.yaml");
    let up_to = |mark: &str| told(whole.split(mark).next().unwrap().as_bytes(), Format::Yaml);
    let said = |mark: &str| up_to(mark).unwrap().to_string();
    insta::assert_snapshot!(said("sops:\n"), @"the file seems to be cut, or its `sops` metadata damaged: it lacks `sops` metadata, though its values are encrypted: restore it from Git (`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`) and make the change with `sops set` or `sops edit`");
    insta::assert_snapshot!(said("    lastmodified:"), @"the file seems to be cut, or its `sops` metadata damaged: it lacks a version, lastmodified, a whole mac: restore it from Git (`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`) and make the change with `sops set` or `sops edit`");
    insta::assert_snapshot!(said("    mac:"), @"the file seems to be cut, or its `sops` metadata damaged: it lacks a version, a whole mac: restore it from Git (`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`) and make the change with `sops set` or `sops edit`");
    insta::assert_snapshot!(said("crypted\n    version:"), @"the file seems to be cut, or its `sops` metadata damaged: it lacks a version, and its last line an end: restore it from Git (`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`) and make the change with `sops set` or `sops edit`");
    insta::assert_snapshot!(said("    version:"), @"the `sops` metadata has no version, which sops refuses: restore the file where its end is missing; where another tool writes it so, add a `version` (3.9.0, say) by hand, or allow `no-version` (VANTA_SOPS_ALLOW)");
}

#[test]
fn leave_for_a_missing_version_opens_no_file_that_lacks_more() {
    let whole = text("app.enc.yaml");
    for mark in ["    mac:", "    lastmodified:", "crypted\n    version:"] {
        let cut = whole.split(mark).next().unwrap();
        let opened = EncryptedFile::open(cut.as_bytes(), Format::Yaml, &identities(), Leave::ALL);
        assert!(opened.is_err(), "{mark}");
    }
}

/// What is told of a file by a store that has no identity whatever.
fn without_identity(file: &str, content: &str) -> (Alarm, FileFault, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), content).unwrap();
    let options = StoreOptions { shared: SharedIdentities::None, ..options(folder.path()) };
    let failed = SopsStore::open(options).1.failed.remove(0);
    (failed.alarm, failed.fault, failed.reason)
}

#[test]
fn a_file_is_read_before_an_identity_is_missed() {
    for (file, content, said) in [
        ("dev.enc.yaml", "", "the file is empty"),
        ("dev.enc.bin", " \n", "the file is empty"),
        (
            "dev.enc.yaml",
            "PASSWORD: p\n",
            "the file has no `sops` metadata, so it is not encrypted",
        ),
        (
            "dev.enc.bin",
            "\x07 any bytes",
            "the file has no `sops` metadata, so it is not encrypted",
        ),
        ("dev.enc.yaml", "a: [\n", "line 1 is not valid YAML"),
        ("dev.enc.json", "{\"a\"", "the file is not valid JSON at line 1"),
        ("dev.enc.env", "A=1\nB\n", "line 2 is neither KEY=value nor a comment"),
    ] {
        let (alarm, fault, reason) = without_identity(file, content);
        assert!(reason.starts_with(said), "{file}: {reason}");
        assert_eq!((alarm, fault), (Alarm::Refused, FileFault::Refused), "{file}: {reason}");
    }
}

#[test]
fn a_file_that_no_identity_is_there_for_says_for_whom_it_is() {
    let whole = text("app.enc.yaml");
    let (_, fault, reason) = without_identity("dev.enc.yaml", &whole);
    assert_eq!(fault, FileFault::NoIdentity);
    insta::assert_snapshot!(reason, @r#"no key opens the file: no identity is configured for "age19gpefxdz8y8spxjz2tnu04nag34hqg577xa574eql4xwu0vkpyysr2kv2k": look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is, configure the identity of one of its recipients (VANTA_AGE_IDENTITIES_PATH, SOPS_AGE_KEY_FILE), or encrypt the file for one of yours too (`sops rotate -i --add-age RECIPIENT FILE`)"#);
    let keys = &whole[whole.find("    age:\n").unwrap()..whole.find("    lastmodified").unwrap()];
    let pgp =
        "    pgp:\n        - fp: FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4\n          enc: x\n";
    let (_, fault, reason) = without_identity("dev.enc.yaml", &edit(&whole, keys, pgp));
    assert_eq!(fault, FileFault::NoIdentity);
    insta::assert_snapshot!(reason, @r#"no key opens the file: the file's key "pgp:FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4" is not opened, since no key is allowed: look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is, allow a key in VANTA_SOPS_ALLOWED_KEYS (docs/keys.md), or encrypt the file for an age recipient too (`sops rotate -i --add-age RECIPIENT FILE`)"#);
}

#[test]
fn a_key_that_sops_made_a_comment_of_is_told_as_that_and_is_none_once_it_has_a_name() {
    let Some(workshop) = Workshop::new() else { return };
    let plain = "[s]\nA = a\n- = b\n";
    let made = workshop.encrypt("dev.enc.ini", plain, OURS);
    // Not even sops reads it.
    workshop.mend("dev.enc.ini", &made, "! sops decrypt FILE 2>/dev/null");
    let error = told(&made, Format::Ini).unwrap();
    assert_eq!(error, FileError::SealedComment { line: 3 });
    insta::assert_snapshot!(error, @"line 3 is a comment that holds an encrypted value, without which the MAC is another: somebody changed the file (look at `git log -p -- FILE`), or it was a key `-`, of which sops makes such a comment that it cannot read back either. Put back what nobody of yours changed, or give that key a name before you encrypt the file");
    let named = workshop.encrypt("dev.enc.ini", &plain.replace('-', "name"), OURS);
    assert_eq!(told(&named, Format::Ini), None);
    // A comment of that form that sops wrote is one.
    let comment = workshop.encrypt("dev.enc.ini", &plain.replace('-', "#1"), OURS);
    assert_eq!(told(&comment, Format::Ini), None);
    let changed = String::from_utf8(comment).unwrap().replacen("data:", "data:AAAA", 1);
    assert!(!matches!(
        told(changed.as_bytes(), Format::Ini),
        Some(FileError::SealedComment { .. })
    ));
}

#[test]
fn a_name_of_flat_metadata_is_told_as_the_file_has_it() {
    for (file, format, name) in [
        ("app.enc.env", Format::Dotenv, "\"sops_age__list_1__map_"),
        ("app.enc.ini", Format::Ini, "\"age__list_1__map_"),
    ] {
        let said = told(text(file).replace("__list_0__", "__list_1__").as_bytes(), format);
        let said = said.unwrap().to_string();
        assert!(said.contains(name), "{said}");
    }
}

/// Sops writes such a file and reads it back.
#[test]
fn a_key_that_is_not_utf_8_is_to_be_written_so_before_it_is_encrypted() {
    let Some(workshop) = Workshop::new() else { return };
    let encrypt = format!("sops encrypt --age {OURS} -i FILE");
    let made = workshop.mend("dev.enc.env", b"caf\xe9=x\n", &encrypt);
    let said = told(&made, Format::Dotenv).unwrap().to_string();
    assert!(said.ends_with("where its keys never were, write them so before you encrypt the file"));
    let converted = workshop.mend("dev.enc.env", "caf\u{e9}=x\n".as_bytes(), &encrypt);
    assert_eq!(told(&converted, Format::Dotenv), None);
}
