//! `_vanta_environment`: one environment's file is not another's, also where one identity opens
//! both.

use std::fs;

use vanta::adapters::sops::{Alarm, Authorship, RequireLeaf, SopsStore, StoreOptions};
use vanta::domain::ports::FileFault;

use super::fixtures::path;
use super::made::keys::{OURS, SECOND};
use super::workshop::{Workshop, alarm, read, reason, served};

fn asking(leaf: RequireLeaf) -> Authorship {
    Authorship { leaf, ..Authorship::default() }
}

/// The files of `dev` and `prod`, which name their environments, for one recipient.
pub(super) fn both(workshop: &Workshop) -> (Vec<u8>, Vec<u8>) {
    let of = |name: &str| {
        let bytes = workshop.named(name);
        workshop.put(&format!("{name}.enc.yaml"), &bytes);
        bytes
    };
    (of("dev"), of("prod"))
}

fn kind_of_alarm(store: &SopsStore, of: &str) -> Option<Alarm> {
    Some(alarm(store, of)?.0)
}

#[test]
fn prods_file_copied_over_devs_is_refused_by_the_leaf_where_they_share_an_identity() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod) = both(&workshop);
    for leaf in [RequireLeaf::Never, RequireLeaf::Shared, RequireLeaf::Always] {
        workshop.put("dev.enc.yaml", &dev);
        let (store, report) = workshop.open(asking(leaf));
        assert!(report.failed.is_empty(), "{report:?}");
        assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-dev");
        workshop.put("dev.enc.yaml", &prod);
        let failed = store.refresh().failed;
        assert!(
            failed[0].reason.starts_with(
                "the file says that it is of environment prod: it was copied from there, or renamed. First look at who did that"
            ),
            "{failed:?}"
        );
        assert_eq!((failed[0].alarm, failed[0].serves_earlier), (Alarm::Environment, true));
        assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-dev");
        assert_eq!(read(&store, "prod", "PASSWORD").unwrap(), "of-prod");
        assert_eq!(kind_of_alarm(&store, "dev"), Some(Alarm::Environment));
    }
}

#[test]
fn prods_file_copied_over_devs_is_refused_where_they_have_identities_of_their_own() {
    let Some(workshop) = Workshop::new() else { return };
    let prod = workshop.encrypt("prod.enc.yaml", "PASSWORD: of-prod\n", OURS);
    let dev = workshop.encrypt("dev.enc.yaml", "PASSWORD: of-dev\n", SECOND);
    let own = tempfile::tempdir().unwrap();
    fs::copy(path("age-key.txt"), own.path().join("prod.txt")).unwrap();
    fs::copy(path("other-age-key.txt"), own.path().join("dev.txt")).unwrap();
    workshop.put("prod.enc.yaml", &prod);
    workshop.put("dev.enc.yaml", &dev);
    let (store, report) = SopsStore::open(StoreOptions {
        identities_folder: Some(own.path().to_owned()),
        ..workshop.options(Authorship::default())
    });
    assert!(report.failed.is_empty() && report.loaded[0].warnings.is_empty(), "{report:?}");
    workshop.put("dev.enc.yaml", &prod);
    let report = store.refresh();
    assert_eq!(report.failed[0].fault, FileFault::NoIdentity);
    // It may be the wrong file, which is looked at before a key is added to it.
    let said = &report.failed[0].reason;
    let look = said.find("whether it is this environment's file and not another's").unwrap();
    assert!(look < said.find("--add-age").unwrap(), "{said}");
    assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-dev");
}

#[test]
fn the_leaf_is_never_served_and_counts_as_no_key() {
    let Some(workshop) = Workshop::new() else { return };
    both(&workshop);
    let (store, report) = workshop.open(Authorship::default());
    assert!(report.loaded.iter().all(|loaded| loaded.keys == 1), "{report:?}");
    assert_eq!(served(&store, "dev"), ["PASSWORD".to_owned()].into());
    assert!(read(&store, "dev", "_vanta_environment").is_err());
}

#[test]
fn what_is_asked_for_is_put_in_by_the_command_that_the_refusal_names() {
    let Some(workshop) = Workshop::new() else { return };
    for (file, plain) in
        [("dev.enc.yaml", "PASSWORD: p\n"), ("dev.enc.json", "{\"PASSWORD\": \"p\"}\n")]
    {
        let bytes = workshop.encrypt(file, plain, OURS);
        workshop.put(file, &bytes);
        let (store, report) = workshop.open(asking(RequireLeaf::Shared));
        assert_eq!(report.failed[0].alarm, Alarm::Environment);
        let said = &report.failed[0].reason;
        let commands = said.split('`').skip(1).step_by(2);
        let command = commands.into_iter().find(|command| command.starts_with("sops set"));
        let command = command.expect("it names a command");
        let words: Vec<&str> = command.split(' ').map(|word| word.trim_matches('\'')).collect();
        assert_eq!((words[0], words[2]), ("sops", file), "{said}");
        workshop.put(file, &workshop.change(file, &bytes, &words[1..]));
        assert_eq!(store.refresh().loaded.len(), 1, "{:?}", reason(&store, "dev"));
        fs::remove_file(workshop.path(file)).unwrap();
    }
}

#[test]
fn whoever_has_no_identity_of_its_own_has_to_name_itself_unless_that_is_switched_off() {
    let Some(workshop) = Workshop::new() else { return };
    let unnamed = workshop.encrypt("dev.enc.yaml", "PASSWORD: p\n", OURS);
    workshop.put("dev.enc.yaml", &unnamed);
    for (authorship, loads) in [
        (Authorship::default(), false),
        (asking(RequireLeaf::Always), false),
        (asking(RequireLeaf::Never), true),
    ] {
        let said = format!("{authorship:?}");
        let (store, report) = workshop.open(authorship);
        assert_eq!(report.failed.is_empty(), loads, "{said}: {report:?}");
        let expected = (!loads).then_some(Alarm::Environment);
        assert_eq!(kind_of_alarm(&store, "dev"), expected, "{said}");
    }
    // What the refusal says to run is enough.
    let command = ["set", "dev.enc.yaml", "[\"_vanta_environment\"]", "\"dev\""];
    workshop.put("dev.enc.yaml", &workshop.change("dev.enc.yaml", &unnamed, &command));
    let (store, report) = workshop.open(Authorship::default());
    assert!(report.failed.is_empty() && report.loaded[0].warnings.is_empty(), "{report:?}");
    assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "p");
}

#[test]
fn an_identity_of_its_own_is_name_enough_but_for_always() {
    let Some(workshop) = Workshop::new() else { return };
    workshop.put("dev.enc.yaml", &workshop.encrypt("dev.enc.yaml", "PASSWORD: p\n", OURS));
    let own = tempfile::tempdir().unwrap();
    fs::copy(path("age-key.txt"), own.path().join("dev.txt")).unwrap();
    for (leaf, loads) in
        [(RequireLeaf::Never, true), (RequireLeaf::Shared, true), (RequireLeaf::Always, false)]
    {
        let (_, report) = SopsStore::open(StoreOptions {
            identities_folder: Some(own.path().to_owned()),
            ..workshop.options(asking(leaf))
        });
        assert_eq!(report.failed.is_empty(), loads, "{leaf:?}: {report:?}");
    }
}

#[test]
fn what_can_be_done_to_the_leaf_without_the_key_is_refused() {
    let Some(workshop) = Workshop::new() else { return };
    let (_, prod) = both(&workshop);
    let text = String::from_utf8(prod).unwrap();
    let leaf = text.lines().find(|line| line.starts_with("_vanta_environment")).unwrap();
    let value = leaf.split_once(": ").unwrap().1;
    let wrapped = text.replace(leaf, &format!("_vanta_environment:\n    - {value}"));
    let folded = text.replace(leaf, &format!("\"_vanta_environment:\": {value}"));
    let retagged = text.replace(leaf, &leaf.replace("type:str]", "type:comment]"));
    let plain = text.replace(leaf, "_vanta_environment: dev");
    let without = text.replace(&format!("{leaf}\n"), "");
    let commented = text.replace(leaf, &format!("#{leaf}"));
    for (changed, alarm) in [
        (wrapped, Alarm::Environment),
        (folded, Alarm::Refused),
        (retagged, Alarm::Refused),
        (plain, Alarm::Refused),
        (without, Alarm::Refused),
        (commented, Alarm::Refused),
    ] {
        assert_ne!(changed, text);
        workshop.put("dev.enc.yaml", changed.as_bytes());
        let (_, report) = workshop.open(asking(RequireLeaf::Never));
        assert_eq!(report.failed[0].alarm, alarm, "{changed}: {report:?}");
    }
}

#[test]
fn a_leaf_that_the_files_rule_leaves_plain_proves_nothing() {
    let Some(workshop) = Workshop::new() else { return };
    workshop.beside(
        ".sops.yaml",
        &format!("creation_rules:\n  - {{age: {OURS}, encrypted_regex: PASSWORD}}\n"),
    );
    let bytes = workshop.named("dev");
    let rule = String::from_utf8(bytes.clone()).unwrap();
    assert!(rule.contains("_vanta_environment: dev"), "{rule}");
    workshop.put("dev.enc.yaml", &bytes);
    let (store, _) = workshop.open(asking(RequireLeaf::Never));
    assert!(reason(&store, "dev").unwrap().starts_with("`_vanta_environment` is not encrypted"));
}

#[test]
fn the_leaf_is_found_in_each_format_and_in_another_one_that_it_is_written_anew_in() {
    let Some(workshop) = Workshop::new() else { return };
    let leaf = "_vanta_environment";
    for (file, plain, keys) in [
        ("prod.enc.json", format!("{{\"A\": \"a\", \"{leaf}\": \"prod\"}}\n"), ["A"]),
        ("prod.enc.env", format!("A=a\n{leaf}=prod\n"), ["A"]),
        ("prod.enc.ini", format!("{leaf} = prod\n\n[s]\nA = a\n"), ["s.A"]),
    ] {
        let bytes = workshop.encrypt(file, &plain, OURS);
        workshop.put(file, &bytes);
        let (store, report) = workshop.open(asking(RequireLeaf::Always));
        assert!(report.failed.is_empty(), "{report:?}");
        assert_eq!(served(&store, "prod"), keys.map(str::to_owned).into());
        fs::remove_file(workshop.path(file)).unwrap();
        let elsewhere = file.replace("prod", "dev");
        workshop.put(&elsewhere, &bytes);
        let (store, _) = workshop.open(asking(RequireLeaf::Never));
        assert_eq!(kind_of_alarm(&store, "dev"), Some(Alarm::Environment), "{file}");
        fs::remove_file(workshop.path(&elsewhere)).unwrap();
    }
    // What is a section of an ini file is a mapping of a YAML file, value by value.
    let yaml = workshop.encrypt(
        "prod.enc.yaml",
        &format!("DEFAULT:\n    {leaf}: prod\ns:\n    A: a\n"),
        OURS,
    );
    workshop.put("dev.enc.yaml", &yaml);
    let (store, _) = workshop.open(asking(RequireLeaf::Never));
    assert_eq!(kind_of_alarm(&store, "dev"), Some(Alarm::Environment));
    let binary = workshop.encrypt("dev.enc.bin", "binary", OURS);
    fs::remove_file(workshop.path("dev.enc.yaml")).unwrap();
    workshop.put("dev.enc.bin", &binary);
    let (store, _) = workshop.open(asking(RequireLeaf::Always));
    assert!(reason(&store, "dev").unwrap().starts_with("a binary file cannot say"));
    assert!(workshop.open(asking(RequireLeaf::Never)).1.failed.is_empty());
}
