//! Many environments: what there is room for, and whose place is whose.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use vanta::adapters::sops::{
    ConfigMapFiles, ConfigMapKey, MAX_ENVIRONMENTS, MAX_ENVIRONMENTS_OF_CONFIG_MAP, RefreshReport,
    SopsStore, StoreOptions,
};
use vanta::domain::ports::{SecretStore, SecretStoreError};

use super::fixtures::{options, text};
use super::grants::{environment, grant};

/// A store over ConfigMaps, which remembers what other stores served.
fn store() -> SopsStore {
    SopsStore::open(StoreOptions { folder: None, ..options(Path::new("unused")) }).0
}

fn add(files: &mut ConfigMapFiles, config_map: &str, key: &str, content: &str) {
    let name = ConfigMapKey { config_map: config_map.to_owned(), key: key.to_owned() };
    files.insert(name, content.as_bytes().into());
}

/// The one good file, and a ConfigMap with as many names as fit in one, others for each round.
fn flood(round: usize) -> ConfigMapFiles {
    let mut files = ConfigMapFiles::new();
    add(&mut files, "prod", "prod.enc.yaml", &text("app.enc.yaml"));
    let mut bytes = 0;
    for at in 0.. {
        let key = format!("{round}-{at}.enc.yaml");
        bytes += key.len() + 1;
        if bytes > 1_000_000 {
            break;
        }
        add(&mut files, "evil", &key, "x");
    }
    files
}

fn read(store: &SopsStore, environment: &str) -> Result<String, SecretStoreError> {
    Ok(store.read(&grant(environment, "word"))?.expose_str().unwrap().to_owned())
}

#[test]
fn of_one_config_map_a_hundred_environments_are_read_and_the_refusal_names_it() {
    let store = store();
    for round in 0..3 {
        let files = flood(round);
        assert!(files.len() > 50_000, "{}", files.len());
        let report = store.take(files);
        let gone = if round == 0 { 0 } else { MAX_ENVIRONMENTS_OF_CONFIG_MAP };
        assert_eq!(report.failed.len(), MAX_ENVIRONMENTS_OF_CONFIG_MAP);
        assert_eq!(report.removed.len(), gone);
        // It is told once for as long as it is so.
        assert_eq!(report.left_out.len(), usize::from(round == 0), "{:?}", report.left_out);
        let problems = store.problems();
        let [problem] = problems.as_slice() else { panic!("it is one: {problems:?}") };
        insta::allow_duplicates! {
            insta::assert_snapshot!(problem, @"there are more environments than are read in ConfigMap evil (100 at most): the rest is left out, and those that were there first stay; take away what is no environment, or split it");
        }
        assert_eq!(store.status().len(), MAX_ENVIRONMENTS_OF_CONFIG_MAP + 1);
        assert_eq!(read(&store, "prod").unwrap(), "hunter2");
        assert!(store.refresh().is_empty(), "nothing has changed since");
    }
    let mut files = ConfigMapFiles::new();
    add(&mut files, "prod", "prod.enc.yaml", &text("app.enc.yaml"));
    store.take(files);
    assert_eq!(*store.problems(), Vec::<String>::new());
}

#[test]
fn a_flood_of_names_within_a_config_map_pushes_out_none_that_is_served() {
    let store = store();
    let mut files = ConfigMapFiles::new();
    add(&mut files, "evil", "zz.enc.yaml", &text("app.enc.yaml"));
    store.take(files.clone());
    for (name, bytes) in flood(0) {
        files.insert(name, bytes);
    }
    store.take(files);
    assert_eq!(read(&store, "zz").unwrap(), "hunter2");
    assert_eq!(store.status().len(), MAX_ENVIRONMENTS_OF_CONFIG_MAP + 1);
}

/// ConfigMaps by these names, with bad files alone, and so many environments each.
fn add_bad(files: &mut ConfigMapFiles, prefix: &str, config_maps: usize, environments: usize) {
    for config_map in 0..config_maps {
        for at in 0..environments {
            let key = format!("{prefix}-{config_map}-{at}.enc.yaml");
            add(files, &format!("{prefix}-{config_map}"), &key, "x");
        }
    }
}

#[test]
fn a_thousand_environments_are_read_in_all_and_new_ones_push_out_none() {
    let store = store();
    let mut files = ConfigMapFiles::new();
    add(&mut files, "prod", "prod.enc.yaml", &text("app.enc.yaml"));
    add_bad(&mut files, "there", 5, 100);
    assert_eq!(store.take(files.clone()).left_out, Vec::<String>::new());
    // By name they come before what is there.
    add_bad(&mut files, "a", 10, 100);
    let report = store.take(files);
    assert_eq!((report.failed.len(), report.removed.len()), (MAX_ENVIRONMENTS - 501, 0));
    assert_eq!(store.status().len(), MAX_ENVIRONMENTS);
    assert_eq!(read(&store, "prod").unwrap(), "hunter2");
    insta::assert_snapshot!(report.left_out.join("\n"), @"there are more than 1000 environments in all, the most that are read: some of ConfigMap a-0, ConfigMap a-1, ConfigMap a-2, ConfigMap a-3, ConfigMap a-4 and 5 more are left out, and those that were there first stay; take away what is no environment, or run another vault for the rest");
}

#[test]
fn where_all_are_new_each_config_map_has_its_first_ones_read() {
    let mut files = ConfigMapFiles::new();
    add_bad(&mut files, "a", 30, 100);
    add(&mut files, "prod", "prod.enc.yaml", &text("app.enc.yaml"));
    let store = store();
    store.take(files);
    assert_eq!(store.status().len(), MAX_ENVIRONMENTS);
    assert_eq!(read(&store, "prod").unwrap(), "hunter2");
}

#[test]
fn what_was_served_before_the_start_goes_before_what_never_was() {
    let mut files = ConfigMapFiles::new();
    add(&mut files, "z", "zz.enc.yaml", &text("app.enc.yaml"));
    let before = store();
    before.take(files.clone());
    let served_before = before.history().borrow().as_ref().clone();
    for at in 0..99 {
        add(&mut files, "z", &format!("a{at}.enc.yaml"), "x");
    }
    add_bad(&mut files, "a", 30, 100);
    let new = store();
    new.remember(served_before);
    new.take(files);
    assert_eq!(read(&new, "zz").unwrap(), "hunter2");
}

#[test]
fn a_folder_gives_a_thousand_environments_and_what_is_served_stays() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
    write("prod.enc.yaml", &text("app.enc.yaml"));
    let (store, _) = SopsStore::open(options(folder.path()));
    for at in 0..MAX_ENVIRONMENTS + 20 {
        write(&format!("a{at}.enc.yaml"), "x");
    }
    let report = store.refresh();
    assert_eq!(store.status().len(), MAX_ENVIRONMENTS);
    assert_eq!(read(&store, "prod").unwrap(), "hunter2");
    let name = folder.path().display().to_string();
    assert!(report.left_out[0].contains(&name), "{:?}", report.left_out);
    assert!(matches!(
        read(&store, "a999").unwrap_err(),
        SecretStoreError::Unreadable { .. } | SecretStoreError::NoEnvironment(_)
    ));
    assert_eq!(report.removed, []);
}

#[test]
fn of_many_misnamed_keys_some_are_named_and_the_rest_is_said_to_be_there() {
    let mut files = ConfigMapFiles::new();
    for at in 0..1000 {
        add(&mut files, "evil", &format!("{at}.yaml"), "x");
    }
    add(&mut files, "other", "prod.yaml", "x");
    let report: RefreshReport = store().take(files);
    assert_eq!(report.ignored.len(), 12, "{:?}", report.ignored);
    let more = "ConfigMap evil: more names are not those of an environment's file";
    assert!(report.ignored.iter().any(|of| of.reason == more), "{:?}", report.ignored);
    let of_other = report.ignored.iter().find(|of| &*of.origin == "ConfigMap other").unwrap();
    assert!(of_other.reason.starts_with("ConfigMap other: "), "{of_other:?}");
}

#[test]
fn a_folder_that_cannot_be_listed_is_a_problem_until_it_can_and_what_was_served_is() {
    let site = tempfile::tempdir().unwrap();
    let (folder, away) = (site.path().join("secrets"), site.path().join("away"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("prod.enc.yaml"), text("app.enc.yaml")).unwrap();
    let (store, _) = SopsStore::open(options(&folder));
    assert_eq!(*store.problems(), Vec::<String>::new());
    fs::rename(&folder, &away).unwrap();
    let report = store.refresh();
    let problems: Arc<Vec<String>> = store.problems();
    assert_eq!(report.folder.as_ref(), problems.first());
    assert!(problems[0].contains(&folder.display().to_string()), "{problems:?}");
    assert!(store.refresh().is_empty(), "it is told once");
    assert_eq!(store.problems().len(), 1, "and is so for as long as it lasts");
    assert_eq!(read(&store, "prod").unwrap(), "hunter2");
    fs::rename(&away, &folder).unwrap();
    assert!(store.refresh().folder_is_back);
    assert_eq!(*store.problems(), Vec::<String>::new());
    assert_eq!(store.status()[0].environment, environment("prod"));
}
