//! What can be done to a file's name of its environment by somebody who has no key and knows what
//! it says, which is no secret.

use std::fs;

use vanta::adapters::sops::{Alarm, Authorship, SopsStore};

use super::fixtures::unnamed;
use super::made::keys::OURS;
use super::workshop::{Workshop, read, reason};

/// A store over dev's file, which is about to be replaced by one in another format.
fn serving_dev(workshop: &Workshop, authorship: Authorship) -> SopsStore {
    let dev = workshop.encrypt("dev.enc.yaml", "A: of-dev\n_vanta_environment: dev\n", OURS);
    workshop.put("dev.enc.yaml", &dev);
    let (store, report) = workshop.open(authorship);
    assert!(report.failed.is_empty(), "{report:?}");
    fs::remove_file(workshop.path("dev.enc.yaml")).unwrap();
    store
}

/// Why dev's newest file is refused, and whether prod's value is served as dev's.
fn looked(store: &SopsStore, key: &str) -> (Option<Alarm>, bool) {
    let failed = store.refresh().failed;
    let served = read(store, "dev", key).is_ok_and(|value| value == "of-prod");
    (failed.first().map(|failed| failed.alarm), served)
}

/// The MAC hashes the texts of the values, one after the other, whether they are encrypted or not.
#[test]
fn a_leaf_replaced_by_a_plain_value_of_its_text_is_missing_and_is_told_where_it_is_asked_for() {
    let refused = (Some(Alarm::Environment), false);
    for (file, plain, key) in [
        ("enc.yaml", "_vanta_environment: prod\nA: of-prod\n", "A"),
        ("enc.json", "{\"A\": \"of-prod\", \"_vanta_environment\": \"prod\"}", "A"),
        ("enc.env", "A=of-prod\n_vanta_environment=prod\n", "A"),
        ("enc.ini", "[DEFAULT]\nA = of-prod\n_vanta_environment = prod\n", "DEFAULT.A"),
    ] {
        let prod = format!("prod.{file}");
        // Where it is asked for, and, as SECURITY.md says, where it is not.
        for (authorship, forgery) in [(Authorship::default(), refused), (unnamed(), (None, true))] {
            let Some(workshop) = Workshop::new() else { return };
            let prod = String::from_utf8(workshop.encrypt(&prod, plain, OURS)).unwrap();
            let name = prod.find("_vanta_environment").unwrap();
            let begin = prod[name..].find("ENC[").unwrap() + name;
            let end = prod[begin..].find("type:str]").unwrap() + begin + "type:str]".len();
            let between = &prod[name + "_vanta_environment".len()..begin];
            let forged = format!("{}x_unencrypted{between}prod{}", &prod[..name], &prod[end..]);
            let store = serving_dev(&workshop, authorship);
            workshop.put(&format!("dev.{file}"), prod.as_bytes());
            assert_eq!(looked(&store, key), refused, "{file}");
            workshop.put(&format!("dev.{file}"), forged.as_bytes());
            assert_eq!(looked(&store, key), forgery, "{forged}");
            // Whoever did that waits for somebody to put the name of dev on it.
            if let Some(said) = reason(&store, "dev") {
                assert!(said.contains("the name was taken out"), "{said}");
                assert!(said.contains("git log -p") && !said.contains("sops set"), "{said}");
            }
        }
    }
}

/// An ini file that sops made, as YAML: what is authenticated is the same in both, and lists add
/// nothing to it.
fn ini_as_yaml(ini: &str, leaf_in_a_list: bool) -> String {
    let of = |key: &str| {
        let line =
            ini.lines().find(|line| line.split_once('=').is_some_and(|(k, _)| k.trim() == key));
        line.unwrap()
            .split_once('=')
            .unwrap()
            .1
            .trim()
            .trim_matches('`')
            .trim_matches('"')
            .to_owned()
    };
    let dash = if leaf_in_a_list { "- " } else { "  " };
    format!(
        "DEFAULT:\n  {dash}_vanta_environment: {}\ns:\n    A: {}\nsops:\n    age:\n      - recipient: {OURS}\n        enc: \"{}\"\n    lastmodified: \"{}\"\n    mac: {}\n    unencrypted_suffix: _unencrypted\n    version: {}\n",
        of("_vanta_environment"),
        of("A"),
        of("age__list_0__map_enc"),
        of("lastmodified"),
        of("mac"),
        of("version"),
    )
}

#[test]
fn a_leaf_of_an_ini_file_that_is_moved_into_a_list_of_another_format_is_moved() {
    let Some(workshop) = Workshop::new() else { return };
    let ini = "[DEFAULT]\n_vanta_environment = prod\n\n[s]\nA = of-prod\n";
    let ini = String::from_utf8(workshop.encrypt("prod.enc.ini", ini, OURS)).unwrap();
    let store = serving_dev(&workshop, unnamed());
    let refused = (Some(Alarm::Environment), false);
    for leaf_in_a_list in [false, true] {
        let forged = ini_as_yaml(&ini, leaf_in_a_list);
        workshop.put("dev.enc.yaml", forged.as_bytes());
        assert_eq!(looked(&store, "s.A"), refused, "{forged}");
        let reason = reason(&store, "dev").unwrap();
        assert!(reason.contains("of environment prod"), "{reason}");
    }
}
