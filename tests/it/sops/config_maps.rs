//! The store over ConfigMaps that somebody else reads: given whole, each time that they change.

use std::fs;
use std::path::Path;

use vanta::adapters::sops::{
    Alarm, ConfigMapFiles, ConfigMapKey, MAX_FILE_BYTES, RefreshReport, SharedIdentities,
    SopsStore, StoreOptions,
};
use vanta::domain::ports::{FileFault, SecretStore, SecretStoreError};

use super::fixtures::{options, path, text};
use super::grants::{environment, grant};

/// A store without a folder.
fn store() -> SopsStore {
    let (store, report) = SopsStore::open(without_folder());
    assert!(report.is_empty(), "{report:?}");
    store
}

fn without_folder() -> StoreOptions {
    StoreOptions { folder: None, ..options(Path::new("unused")) }
}

/// Gives a store these files, as ConfigMap, key and content.
fn take(store: &SopsStore, files: &[(&str, &str, &str)]) -> RefreshReport {
    let files = files.iter().map(|(config_map, key, content)| {
        let name = ConfigMapKey { config_map: (*config_map).to_owned(), key: (*key).to_owned() };
        (name, content.as_bytes().into())
    });
    store.take(files.collect::<ConfigMapFiles>())
}

fn read(store: &SopsStore, environment: &str, key: &str) -> Result<String, SecretStoreError> {
    Ok(store.read(&grant(environment, key))?.expose_str().unwrap().to_owned())
}

#[test]
fn every_key_that_is_named_as_a_file_is_an_environment() {
    let store = store();
    let (yaml, json) = (text("app.enc.yaml"), text("app.enc.json"));
    let report = take(
        &store,
        &[("a", "prod.enc.yaml", &yaml), ("a", "dev.enc.json", &json), ("a", "README", "read me")],
    );
    assert_eq!((report.loaded.len(), report.ignored.len()), (2, 0), "{report:?}");
    assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
    assert_eq!(read(&store, "dev", "d.e").unwrap(), "nested");
    assert!(store.refresh().is_empty(), "nothing has changed since");
    let same = [("a", "prod.enc.yaml", yaml.as_str()), ("b", "dev.enc.json", &json)];
    assert!(take(&store, &same).is_empty(), "the same bytes in another ConfigMap are no change");
}

#[test]
fn files_of_every_format_are_environments_and_of_two_of_one_the_first_goes_on() {
    let store = store();
    let texts = ["env", "ini", "bin"].map(|ending| text(&format!("app.enc.{ending}")));
    let [dotenv, ini, binary] = &texts;
    let mut files = vec![
        ("a", "one.enc.env", dotenv.as_str()),
        ("a", "two.enc.ini", ini),
        ("a", "three.enc.bin", binary),
    ];
    let report = take(&store, &files);
    assert_eq!((report.loaded.len(), report.ignored.len()), (3, 0), "{report:?}");
    assert_eq!(read(&store, "one", "word").unwrap(), "hunter2");
    assert_eq!(read(&store, "two", "main.word").unwrap(), "hunter2");
    let value = store.read(&grant("three", "data")).unwrap();
    assert_eq!(value.expose(), b"any \0 bytes \xff\xfe\n");
    files.push(("a", "one.enc.ini", ini));
    let report = take(&store, &files);
    let said = &report.loaded[0].alarm.as_ref().unwrap().1;
    assert!(said.contains("another file claims it and is not read"), "{said}");
    assert_eq!(read(&store, "one", "word").unwrap(), "hunter2");
}

#[test]
fn before_anything_was_given_an_environment_is_not_absent_but_awaited() {
    let store = store();
    let error = read(&store, "prod", "word").unwrap_err();
    assert!(
        matches!(error, SecretStoreError::Unreadable { fault: FileFault::Awaited, .. }),
        "{error}"
    );
    take(&store, &[]);
    let gone = SecretStoreError::NoEnvironment(environment("prod"));
    assert_eq!(read(&store, "prod", "word").unwrap_err(), gone);
}

#[test]
fn a_good_change_is_swapped_in_and_a_bad_one_keeps_the_last_good_version_serving() {
    let store = store();
    take(&store, &[("a", "prod.enc.yaml", &text("app.enc.yaml"))]);
    let report = take(&store, &[("a", "prod.enc.yaml", "a: [")]);
    assert!(report.loaded.is_empty() && report.failed[0].serves_earlier);
    assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
    assert!(store.refresh().is_empty(), "a failure is reported once");
    assert!(store.status()[0].error.is_some());
    let report = take(&store, &[("a", "prod.enc.yaml", &text("regex.enc.yaml"))]);
    assert_eq!(report.loaded.len(), 1);
    assert_eq!(read(&store, "prod", "password").unwrap(), "p");
}

#[test]
fn a_second_config_map_for_an_environment_is_an_alarm_and_holds_it_back_in_nothing() {
    let store = store();
    let (yaml, json) = (text("app.enc.yaml"), text("app.enc.json"));
    take(&store, &[("b", "prod.enc.yaml", &yaml)]);
    let both =
        |yaml: &str| take(&store, &[("a", "prod.enc.json", &json), ("b", "prod.enc.yaml", yaml)]);
    let report = both(&yaml);
    let (alarm, said) = report.loaded[0].alarm.as_ref().unwrap();
    assert_eq!(*alarm, Alarm::Refused);
    assert_eq!(
        said,
        "another file claims it and is not read: remove all but one of ConfigMap b, key \
         prod.enc.yaml, from which it was served before; ConfigMap a, key prod.enc.json"
    );
    assert!(both(&yaml).is_empty(), "it is told once");
    assert_eq!(read(&store, "prod", "when").unwrap(), "2020-01-02T03:04:05Z");
    both(&text("regex.enc.yaml"));
    assert_eq!(read(&store, "prod", "password").unwrap(), "p", "changes go on");
    assert!(both("a: [").failed[0].serves_earlier);
    both(&yaml);

    // A restart knows it still, and a replica that knows nothing refuses both.
    let history = store.history().borrow().as_ref().clone();
    let files = [("a", "prod.enc.json", json.as_str()), ("b", "prod.enc.yaml", &yaml)];
    let new = self::store();
    let report = take(&new, &files);
    assert_eq!(
        report.failed[0].reason,
        "two files claim it: remove all but one of ConfigMap a, key prod.enc.json; \
         ConfigMap b, key prod.enc.yaml"
    );
    new.remember(history);
    take(&new, &[]);
    take(&new, &files);
    assert_eq!(read(&new, "prod", "when").unwrap(), "2020-01-02T03:04:05Z");

    // What is left is served, and from then on goes before others.
    take(&store, &[("a", "prod.enc.json", &json)]);
    assert!(read(&store, "prod", "when").is_err());
    assert_eq!(store.status()[0].error, None);
    both(&yaml);
    assert!(read(&store, "prod", "when").is_err());

    // So is what was moved as it is, which is no change.
    take(&store, &[("a", "prod.enc.json", &json)]);
    assert!(take(&store, &[("z", "prod.enc.json", &json)]).is_empty());
    take(&store, &[("a", "prod.enc.json", &yaml), ("z", "prod.enc.json", &json)]);
    assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
}

#[test]
fn a_removed_config_map_removes_its_environments() {
    let store = store();
    let yaml = text("app.enc.yaml");
    take(&store, &[("a", "dev.enc.yaml", &yaml), ("b", "prod.enc.yaml", &yaml)]);
    let report = take(&store, &[("a", "dev.enc.yaml", &yaml)]);
    assert_eq!(report.removed, [environment("prod")]);
    assert!(matches!(read(&store, "prod", "word"), Err(SecretStoreError::Gone(_))));
    assert_eq!(read(&store, "dev", "word").unwrap(), "hunter2");
}

#[test]
fn keys_that_only_look_like_a_file_are_reported_once_with_their_config_map() {
    let store = store();
    let misnamed = [("a", "Prod.enc.yaml", ""), ("a", "prod.yaml", ""), ("b", "prod.enc.toml", "")];
    let report = take(&store, &misnamed);
    let reasons: Vec<String> = report.ignored.into_iter().map(|of| of.reason).collect();
    assert_eq!(
        reasons,
        [
            "ConfigMap a: \"prod.yaml\": a file of secrets is named {environment}.enc.yaml, .enc.json, .enc.env, .enc.ini or .enc.bin",
            "ConfigMap a: environment \"Prod\" is refused: use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
            "ConfigMap b: \"prod.enc.toml\": it has to end in .enc.yaml, .enc.json, .enc.env, .enc.ini or .enc.bin",
        ]
    );
    assert!(take(&store, &misnamed).is_empty());
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let store = store();
    let report = take(&store, &[("a", "prod.enc.yaml", &"#".repeat(MAX_FILE_BYTES + 1))]);
    assert!(report.failed[0].reason.starts_with("the file is longer than"), "{report:?}");
}

#[test]
fn an_identity_that_comes_later_opens_what_was_given_before() {
    let keys = tempfile::tempdir().unwrap();
    let (store, _) = SopsStore::open(StoreOptions {
        shared: SharedIdentities::None,
        identities_folder: Some(keys.path().to_path_buf()),
        ..without_folder()
    });
    let report = take(&store, &[("a", "prod.enc.yaml", &text("app.enc.yaml"))]);
    assert_eq!(report.failed[0].fault, FileFault::NoIdentity);
    fs::copy(path("age-key.txt"), keys.path().join("prod.txt")).unwrap();
    assert_eq!(store.refresh().loaded.len(), 1);
    assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
}

#[test]
fn whoever_listens_is_told_which_environment_changed_once_it_has() {
    let store = store();
    let mut changes = store.changes();
    let (one, other) = (text("app.enc.yaml"), text("regex.enc.yaml"));
    take(&store, &[("a", "dev.enc.yaml", &one), ("a", "prod.enc.yaml", &one)]);
    assert!(changes.has_changed().unwrap());
    let before = changes.borrow_and_update().clone();
    take(&store, &[("a", "dev.enc.yaml", &one), ("a", "prod.enc.yaml", &other)]);
    let after = changes.borrow_and_update().clone();
    let (dev, prod) = (environment("dev"), environment("prod"));
    assert!(before.number(&dev).is_some() && before.number(&dev) == after.number(&dev));
    assert_ne!(before.number(&prod), after.number(&prod));
    take(&store, &[("a", "dev.enc.yaml", "bad"), ("a", "prod.enc.yaml", &other)]);
    assert!(!changes.has_changed().unwrap(), "what is served is as it was");
    take(&store, &[("a", "dev.enc.yaml", "bad")]);
    assert_eq!(changes.borrow_and_update().number(&prod), None);
}
