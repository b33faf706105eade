//! The store: what a reader sees while the files below it change.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use vanta::adapters::sops::{RefreshReport, SharedIdentities, SopsStore, StoreOptions};
use vanta::domain::grants::Permission;
use vanta::domain::names::Key;
use vanta::domain::policy::Target;
use vanta::domain::ports::{SecretStore, SecretStoreError};

use super::exchange::Ends;
use super::fixtures::{edit, options, path, text};
use super::grants::{decide, environment, grant};

/// A folder of its own and the store upon it.
struct Scenario {
    folder: TempDir,
    store: SopsStore,
}

impl Scenario {
    /// A folder with these files, of which each is a copy of a fixture.
    fn with(files: &[(&str, &str)]) -> (Self, RefreshReport) {
        let folder = tempfile::tempdir().unwrap();
        for (name, fixture) in files {
            fs::copy(path(fixture), folder.path().join(name)).unwrap();
        }
        let (store, report) = SopsStore::open(options(folder.path()));
        (Self { folder, store }, report)
    }

    fn write(&self, name: &str, content: &str) -> RefreshReport {
        fs::write(self.folder.path().join(name), content).unwrap();
        self.store.refresh()
    }

    fn remove(&self, name: &str) -> RefreshReport {
        fs::remove_file(self.folder.path().join(name)).unwrap();
        self.store.refresh()
    }

    fn read(&self, environment: &str, key: &str) -> Result<String, SecretStoreError> {
        let value = self.store.read(&grant(environment, key))?;
        Ok(value.expose_str().unwrap().to_owned())
    }
}

#[test]
fn every_environment_of_the_folder_is_served() {
    let (scenario, report) = Scenario::with(&[
        ("prod.enc.yaml", "app.enc.yaml"),
        ("dev.enc.json", "app.enc.json"),
        ("notes.txt", "README.md"),
    ]);
    let loaded: Vec<&str> = report.loaded.iter().map(|of| of.environment.as_str()).collect();
    assert_eq!(loaded, ["dev", "prod"]);
    assert_eq!(scenario.read("prod", "word").unwrap(), "hunter2");
    assert_eq!(scenario.read("dev", "d.e").unwrap(), "nested");
    let keys = scenario.store.keys(&environment("prod")).unwrap();
    assert_eq!(keys.first().map(Key::as_str), Some("count"));
    assert!(scenario.store.refresh().is_empty(), "nothing has changed since");
}

#[test]
fn a_read_that_gives_no_value_says_why() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let prod = environment("prod");
    assert_eq!(
        scenario.read("nowhere", "word").unwrap_err(),
        SecretStoreError::NoEnvironment(environment("nowhere"))
    );
    assert_eq!(
        scenario.read("prod", "nowhere").unwrap_err(),
        SecretStoreError::NoKey { environment: prod, key: "nowhere".parse().unwrap() }
    );
    let withheld = scenario.read("prod", "one_unencrypted").unwrap_err();
    assert!(withheld.to_string().contains("allow `plain-values`"), "{withheld}");
    let names = decide("prod", Permission::List, Target::Names);
    assert_eq!(scenario.store.read(&names).unwrap_err(), SecretStoreError::NotGranted);
}

#[test]
fn many_values_are_read_of_one_version_and_each_with_its_own_grant() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let prod = environment("prod");
    let wanted = |key: &Key| key.as_str().starts_with("d.").then(|| grant("prod", key.as_str()));
    let values = scenario.store.read_all(&prod, &wanted).unwrap();
    assert_eq!(values.keys().map(Key::as_str).collect::<Vec<&str>>(), ["d.e", "d.f"]);
    let other = |_: &Key| Some(grant("prod", "word"));
    let refused = scenario.store.read_all(&prod, &other).unwrap_err();
    assert_eq!(refused, SecretStoreError::NotGranted);
}

#[test]
fn a_good_change_is_swapped_in_whole() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let report = scenario.write("prod.enc.yaml", &text("regex.enc.yaml"));
    assert_eq!(report.loaded.len(), 1);
    assert_eq!(report.loaded[0].keys, 1);
    assert_eq!(scenario.read("prod", "password").unwrap(), "p");
    assert!(scenario.read("prod", "word").is_err());
}

#[test]
fn a_bad_change_keeps_the_last_good_version_serving() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let original = text("app.enc.yaml");
    let tampered = edit(&original, "one_unencrypted: ab", "one_unencrypted: xy");
    for bad in ["", "a: [", &original[..original.len() / 2], &tampered] {
        let report = scenario.write("prod.enc.yaml", bad);
        assert!(report.loaded.is_empty());
        assert!(report.failed.iter().all(|failed| failed.serves_earlier));
        assert_eq!(scenario.read("prod", "word").unwrap(), "hunter2");
        let status = scenario.store.status();
        assert!(status[0].error.is_some() && status[0].keys.is_some());
        assert!(scenario.store.refresh().is_empty(), "a failure is reported once");
    }
    let report = scenario.write("prod.enc.yaml", &original);
    assert_eq!(report.loaded.len(), 1);
    assert_eq!(scenario.store.status()[0].error, None);
}

#[test]
fn an_environment_that_never_loaded_is_there_and_unreadable() {
    let (scenario, report) = Scenario::with(&[("prod.enc.yaml", "groups.enc.yaml")]);
    assert!(!report.failed[0].serves_earlier);
    let error = scenario.read("prod", "word").unwrap_err();
    assert!(matches!(error, SecretStoreError::Unreadable { .. }));
    assert!(error.to_string().contains("2 key groups"), "{error}");
}

#[test]
fn of_two_files_for_one_environment_the_one_goes_on_that_was_served_and_where_none_was_both_are_refused()
 {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let report = scenario.write("prod.enc.json", &text("app.enc.json"));
    assert_eq!(
        report.loaded[0].alarm.as_ref().unwrap().1,
        "another file claims it and is not read: remove all but one of prod.enc.yaml, from which \
         it was served before; prod.enc.json"
    );
    assert_eq!(scenario.read("prod", "when").unwrap(), "2020-01-02T03:04:05Z");
    scenario.remove("prod.enc.yaml");
    assert!(scenario.read("prod", "when").is_err(), "what is left is served");
    assert_eq!(scenario.read("prod", "word").unwrap(), "hunter2");
    let (scenario, _) =
        Scenario::with(&[("prod.enc.yaml", "app.enc.yaml"), ("prod.enc.json", "app.enc.json")]);
    assert_eq!(
        scenario.store.status()[0].error.as_deref(),
        Some("two files claim it: remove all but one of prod.enc.json; prod.enc.yaml")
    );
    assert!(matches!(scenario.read("prod", "word"), Err(SecretStoreError::Unreadable { .. })));
}

#[test]
fn a_removed_file_removes_the_environment() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let report = scenario.remove("prod.enc.yaml");
    assert_eq!(report.removed, [environment("prod")]);
    let gone = SecretStoreError::Gone(environment("prod"));
    assert_eq!(gone.to_string(), "environment prod is not served any more: its file is gone");
    assert_eq!(scenario.read("prod", "word").unwrap_err(), gone);
    assert!(scenario.store.status().is_empty());
    assert_eq!(*scenario.store.gone(), [environment("prod")].into());
    // One that comes back is as any other; one that never was served is not missed.
    assert_eq!(scenario.write("prod.enc.yaml", &text("app.enc.yaml")).loaded.len(), 1);
    scenario.write("dev.enc.yaml", "a: [");
    assert_eq!(scenario.remove("dev.enc.yaml").removed, [environment("dev")]);
    assert!(scenario.store.gone().is_empty());
}

#[test]
fn a_folder_that_is_gone_changes_nothing_and_is_reported_once() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let moved = scenario.folder.path().with_extension("moved");
    fs::rename(scenario.folder.path(), &moved).unwrap();
    assert!(scenario.store.refresh().folder.is_some());
    assert!(scenario.store.refresh().is_empty());
    assert_eq!(scenario.read("prod", "word").unwrap(), "hunter2");
    fs::rename(&moved, scenario.folder.path()).unwrap();
    let back = RefreshReport { folder_is_back: true, ..RefreshReport::default() };
    assert_eq!(scenario.store.refresh(), back);
    assert!(scenario.store.refresh().is_empty());
}

#[test]
fn the_symbolic_links_of_a_mounted_config_map_are_followed() {
    let (scenario, _) = Scenario::with(&[]);
    let folder = scenario.folder.path();
    for (version, fixture) in [("..v1", "app.enc.yaml"), ("..v2", "regex.enc.yaml")] {
        fs::create_dir(folder.join(version)).unwrap();
        fs::copy(path(fixture), folder.join(version).join("prod.enc.yaml")).unwrap();
    }
    symlink("..v1", folder.join("..data")).unwrap();
    symlink("..data/prod.enc.yaml", folder.join("prod.enc.yaml")).unwrap();
    assert_eq!(scenario.store.refresh().loaded.len(), 1);
    assert_eq!(scenario.read("prod", "word").unwrap(), "hunter2");
    symlink("..v2", folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    assert_eq!(scenario.store.refresh().loaded.len(), 1);
    assert_eq!(scenario.read("prod", "password").unwrap(), "p");
    // Between two steps of a removal the link dangles.
    fs::remove_dir_all(folder.join("..v2")).unwrap();
    assert!(scenario.store.refresh().failed[0].serves_earlier);
    assert_eq!(scenario.read("prod", "password").unwrap(), "p");
}

#[test]
fn what_is_not_a_regular_file_of_bounded_length_is_refused() {
    let (scenario, _) = Scenario::with(&[]);
    let folder = scenario.folder.path();
    fs::create_dir(folder.join("folder.enc.yaml")).unwrap();
    symlink("/dev/zero", folder.join("device.enc.yaml")).unwrap();
    let pipe = nix::unistd::mkfifo(&folder.join("pipe.enc.yaml"), nix::sys::stat::Mode::S_IRWXU);
    pipe.unwrap();
    let long = fs::File::create(folder.join("long.enc.yaml")).unwrap();
    long.set_len(50 * 1024 * 1024).unwrap();
    let report = scenario.store.refresh();
    let reasons: Vec<&str> = report.failed.iter().map(|failed| failed.reason.as_str()).collect();
    let irregular = "it is not a regular file";
    assert_eq!(
        reasons,
        [
            irregular,
            irregular,
            "the file is longer than 8388608 bytes: split it into several environments",
            irregular
        ]
    );
}

#[test]
fn files_that_only_look_like_an_environment_are_reported_once() {
    let (scenario, report) = Scenario::with(&[
        ("Prod.enc.yaml", "app.enc.yaml"),
        ("prod.enc.yml", "app.enc.yaml"),
        ("ini.enc.toml", "app.enc.yaml"),
    ]);
    assert_eq!(report.ignored.len(), 3, "{:?}", report.ignored);
    assert!(scenario.store.refresh().is_empty());
}

#[test]
fn an_environments_own_identity_takes_precedence() {
    let (scenario, _) =
        Scenario::with(&[("prod.enc.yaml", "app.enc.yaml"), ("dev.enc.yaml", "app.enc.yaml")]);
    let own = tempfile::tempdir().unwrap();
    let key = own.path().join("prod.txt");
    fs::copy(path("other-age-key.txt"), &key).unwrap();
    let options = StoreOptions {
        shared: SharedIdentities::File(path("age-key.txt")),
        identities_folder: Some(own.path().to_path_buf()),
        ..options(scenario.folder.path())
    };
    let (store, report) = SopsStore::open(options);
    assert_eq!(report.loaded[0].environment, environment("dev"));
    assert!(report.failed[0].reason.starts_with("no key opens the file"));
    // A key that is put right is taken up without a change of the file.
    fs::copy(path("age-key.txt"), &key).unwrap();
    assert_eq!(store.refresh().loaded[0].environment, environment("prod"));
}

#[test]
fn a_shared_identity_that_comes_later_is_taken_up() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key.txt");
    let options = StoreOptions {
        shared: SharedIdentities::File(key.clone()),
        ..options(scenario.folder.path())
    };
    let (store, report) = SopsStore::open(options);
    assert!(report.failed[0].reason.contains("cannot be read"), "{}", report.failed[0].reason);
    assert!(store.refresh().is_empty());
    fs::copy(path("age-key.txt"), &key).unwrap();
    assert_eq!(store.refresh().loaded.len(), 1);
}

#[test]
fn an_environment_without_any_identity_says_so() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let options =
        StoreOptions { shared: SharedIdentities::None, ..options(scenario.folder.path()) };
    let (_, report) = SopsStore::open(options);
    let reason = &report.failed[0].reason;
    assert!(reason.starts_with("no key opens the file: no identity is configured for"), "{reason}");
}

#[test]
fn names_that_are_no_keys_are_left_out_with_a_warning() {
    let (scenario, report) = Scenario::with(&[("prod.enc.yaml", "names.enc.yaml")]);
    assert_eq!(
        report.loaded[0].warnings,
        ["\"with space\" is not served: it is not the name of a key"]
    );
    assert_eq!(scenario.store.keys(&environment("prod")).unwrap().len(), 1);
}

#[test]
fn readers_see_one_version_or_the_other_while_files_are_swapped() {
    let (scenario, _) = Scenario::with(&[("prod.enc.yaml", "app.enc.yaml")]);
    let versions = [text("regex.enc.yaml"), text("app.enc.yaml")];
    let done = AtomicBool::new(false);
    let all = |key: &Key| Some(grant("prod", key.as_str()));
    std::thread::scope(|scope| {
        let ends = Ends(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let values = scenario.store.read_all(&environment("prod"), &all).unwrap();
                assert!(matches!(values.len(), 1 | 10), "{} values", values.len());
            }
        });
        for version in versions.iter().cycle().take(20) {
            let new = scenario.folder.path().join("new");
            fs::write(&new, version).unwrap();
            fs::rename(new, scenario.folder.path().join("prod.enc.yaml")).unwrap();
            assert_eq!(scenario.store.refresh().loaded.len(), 1);
        }
        drop(ends);
    });
}
