//! What a refused file costs: how often it is opened again, how many of its keys are tried, and how
//! much is said of it.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use aes_gcm::aead::consts::U32;
use aes_gcm::{AeadInOut, AesGcm, KeyInit, Nonce, Tag};
use age::armor::ArmoredReader;
use age::x25519;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use vanta::adapters::sops::{
    Authorship, EncryptedFile, FileError, Format, Identities, KeyError, Leave, Rollback, SopsStore,
    StoreOptions,
};

use super::fixtures::{edit, identities, options, path, read, text, unnamed};
use super::made::keys::OURS;
use super::workshop::{self, Workshop};
use crate::support::opens::Opens;

/// What follows a name in an encrypted value.
fn part(sealed: &str, name: &str) -> Vec<u8> {
    let begin = sealed.find(name).unwrap() + name.len();
    let end = begin + sealed[begin..].find([',', ']']).unwrap();
    STANDARD.decode(&sealed[begin..end]).unwrap()
}

/// The file as whoever can open it would have written it at another time.
pub(super) fn saved_at(file: &[u8], time: &str) -> Vec<u8> {
    let mut file: Value = serde_json::from_slice(file).unwrap();
    let armored = ArmoredReader::new(file["sops"]["age"][0]["enc"].as_str().unwrap().as_bytes());
    let keys = fs::read_to_string(path("age-key.txt")).unwrap();
    let key = keys.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
    let key: x25519::Identity = key.parse().unwrap();
    let decryptor = age::Decryptor::new(armored).unwrap();
    let mut data_key = Vec::new();
    let identities = std::iter::once(&key as &dyn age::Identity);
    decryptor.decrypt(identities).unwrap().read_to_end(&mut data_key).unwrap();

    let cipher = AesGcm::<aes_gcm::aes::Aes256, U32>::new_from_slice(&data_key).unwrap();
    let mac = file["sops"]["mac"].as_str().unwrap();
    let (mut data, iv, tag) = (part(mac, "data:"), part(mac, "iv:"), part(mac, "tag:"));
    let nonce: &Nonce<U32> = iv.as_slice().try_into().unwrap();
    let tag = Tag::from(<[u8; 16]>::try_from(tag).unwrap());
    let before = file["sops"]["lastmodified"].as_str().unwrap().as_bytes();
    let buffer = data.as_mut_slice().into();
    cipher.decrypt_inout_detached(nonce, before, buffer, &tag).unwrap();
    let buffer = data.as_mut_slice().into();
    let tag = cipher.encrypt_inout_detached(nonce, time.as_bytes(), buffer).unwrap();
    let [data, iv, tag] = [&data, &iv, tag.as_slice()].map(|bytes| STANDARD.encode(bytes));
    let mac = format!("ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:str]");
    file["sops"]["mac"] = mac.into();
    file["sops"]["lastmodified"] = time.into();
    file.to_string().into_bytes()
}

#[test]
fn a_file_of_the_future_is_opened_once_and_again_when_it_changes() {
    let Some(workshop) = Workshop::new() else { return };
    let today = workshop.encrypt("dev.enc.json", r#"{"k": "v"}"#, OURS);
    workshop.put("dev.enc.json", &saved_at(&today, "2126-01-01T00:00:00Z"));
    let opens = Opens::of(workshop.served.path());
    let deny = Authorship { rollback: Rollback::Deny, ..unnamed() };
    let (store, report) = workshop.open(deny);
    assert!(report.failed[0].reason.contains("2126-01-01T00:00:00Z, which is yet to come"));
    for _ in 0..20 {
        assert!(store.refresh().is_empty());
    }
    assert_eq!(opens.count(), 1);
    workshop.put("dev.enc.json", &today);
    assert_eq!(store.refresh().loaded.len(), 1, "a change ends the rest");
    assert_eq!(workshop::read(&store, "dev", "k").unwrap(), "v");
}

/// The entry of an age key for RSA, among those of a file.
fn rsa(text: &str) -> (usize, usize) {
    let begin = text.match_indices("        - enc: |\n").nth(1).unwrap().0;
    (begin, text.find("    lastmodified").unwrap())
}

fn open(text: &str, identities: &Identities) -> Result<EncryptedFile, FileError> {
    EncryptedFile::open(text.as_bytes(), Format::Yaml, identities, Leave::default())
}

#[test]
fn so_many_keys_may_be_broken_that_an_identity_is_for_and_no_more() {
    let identities = Identities::read(&path("throwaway-ssh-rsa")).unwrap();
    let original = text("ssh.enc.yaml");
    let (begin, end) = rsa(&original);
    // One byte of what is encrypted with RSA.
    let broken = edit(&original[begin..end], "RHl5RHVjRjht", "RHl5RHVjRjhu");
    let with = |count: usize| {
        let (before, after) = original.split_at(begin);
        open(&format!("{before}{}{after}", broken.repeat(count)), &identities)
    };
    assert_eq!(read(&with(16).unwrap(), "word"), "hunter2");
    let refused = with(17).err().unwrap();
    assert_eq!(refused, FileError::MasterKey(KeyError::TooManyBroken { limit: 16 }));
    insta::assert_snapshot!(refused, @"more than 16 of the file's age keys are broken, though there is an identity for them: restore the file (`git checkout -- FILE`; once the change is committed, `git checkout COMMIT -- FILE` with the last good one of `git log -- FILE`)");
    let alone = format!("{}{broken}{}", &original[..begin], &original[end..]);
    let refused = open(&alone, &identities).err().unwrap().to_string();
    assert!(refused.contains("what is wrapped for \"ssh-rsa "), "{refused}");
}

/// A fixture with this many entries of age more, before its own.
fn with_recipients(count: usize) -> String {
    let nobody = "        - recipient: nobody\n          enc: x\n".repeat(count);
    text("app.enc.yaml").replacen("    age:\n", &format!("    age:\n{nobody}"), 1)
}

#[test]
fn a_file_has_a_hundred_recipients_of_age_and_no_more() {
    assert_eq!(read(&open(&with_recipients(99), &identities()).unwrap(), "word"), "hunter2");
    let refused = open(&with_recipients(100), &identities()).err().unwrap();
    insta::assert_snapshot!(refused, @"the `sops` metadata is too long: age has more than 100 recipients: make it shorter");
}

/// A file with this many groups, each of which nobody can open for three reasons and more.
fn grouped(groups: usize, keys: usize) -> String {
    // Six characters of what is said for two bytes.
    let name = "\\u0080".repeat(100);
    let key = format!("{{recipient: \"{name}\", enc: x}}, ");
    let group = format!("    - age: [{}]\n", key.repeat(keys));
    let head = "version: 3.9.0\n  lastmodified: \"2026-01-01T00:00:00Z\"\n  mac: ENC[x]";
    format!("word: x\nsops:\n  {head}\n  key_groups:\n{}", group.repeat(groups))
}

#[test]
fn a_file_has_32_groups_and_no_more() {
    assert!(matches!(
        open(&grouped(32, 1), &identities()).err(),
        Some(FileError::TooFewGroups { groups: 32, .. })
    ));
    let refused = open(&grouped(33, 1), &identities()).err().unwrap();
    insta::assert_snapshot!(refused, @"the `sops` metadata is too long: key_groups has more than 32 groups: make it shorter");
}

fn reason(folder: &Path, content: &str) -> String {
    fs::write(folder.join("dev.enc.yaml"), content).unwrap();
    let (_, report) = SopsStore::open(StoreOptions { ..options(folder) });
    report.failed[0].reason.clone()
}

#[test]
fn a_few_groups_are_named_with_a_few_reasons_each() {
    let short = grouped(20, 5).replace(&"\\u0080".repeat(100), "a");
    insta::assert_snapshot!(open(&short, &identities()).err().unwrap(), @r#"the data key is split among 20 key groups, of which 2 are needed and 0 can be opened: group 1: no identity for "a", no identity for "a", no identity for "a", 2 more; group 2: no identity for "a", no identity for "a", no identity for "a", 2 more; group 3: no identity for "a", no identity for "a", no identity for "a", 2 more; group 4: no identity for "a", no identity for "a", no identity for "a", 2 more; group 5: no identity for "a", no identity for "a", no identity for "a", 2 more; 15 more: look first whether it is this environment's file and not another's (`git log -p -- FILE`); if it is, configure an identity for each group, or change the groups (`sops groups`)"#);
    let folder = tempfile::tempdir().unwrap();
    let long = reason(folder.path(), &grouped(32, 3));
    assert!(long.len() <= 2048 + "…".len() && long.ends_with('…'), "{}", long.len());
}

#[test]
fn a_few_names_that_are_no_keys_are_warned_of_by_name() {
    let Some(workshop) = Workshop::new() else { return };
    let plain: Vec<String> = (0..30).map(|at| format!("no key {at:02}: x\n")).collect();
    workshop.put("dev.enc.yaml", &workshop.encrypt("dev.enc.yaml", &plain.concat(), OURS));
    let (_, report) = workshop.open(unnamed());
    let warnings = &report.loaded[0].warnings;
    assert_eq!(warnings.len(), 11, "{warnings:?}");
    assert!(warnings[9].starts_with("\"no key 09\" is not served"), "{warnings:?}");
    assert_eq!(warnings[10], "20 more are not served: they are not names of keys");
}

#[test]
fn what_is_hoped_for_is_not_hoped_for_at_each_look() {
    use vanta::adapters::sops::AuthorshipError;
    let future = |seconds| {
        let wait = Duration::from_secs(seconds);
        AuthorshipError::Future { found: String::new(), save: String::new(), wait }.rest()
    };
    assert_eq!(future(7), Duration::from_secs(7));
    assert_eq!(future(u64::MAX), Duration::from_mins(1), "the clock may be set meanwhile");
}
