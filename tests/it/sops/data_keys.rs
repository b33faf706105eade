//! Two environments whose files have one data key, as where one file was made by copying the
//! other: `sops set`, `edit` and `updatekeys` keep it.

use std::fs;

use vanta::adapters::sops::{
    Alarm, Authorship, Rollback, SharedIdentities, SopsStore, StoreOptions,
};

use super::fixtures::{line, path, unnamed};
use super::made::keys::{OURS, SECOND};
use super::workshop::{Workshop, alarm, read, reason};

/// The file of another environment, made from this one by a copy.
pub(super) fn copied(workshop: &Workshop, bytes: &[u8], name: &str) -> Vec<u8> {
    let file = format!("{name}.enc.yaml");
    let set = |bytes: &[u8], key: &str, value: &str| {
        let (key, value) = (format!("[\"{key}\"]"), format!("\"{value}\""));
        workshop.change(&file, bytes, &["set", &file, &key, &value])
    };
    let bytes = set(bytes, "PASSWORD", &format!("of-{name}"));
    set(&bytes, "_vanta_environment", name)
}

pub(super) fn rotated(workshop: &Workshop, bytes: &[u8], name: &str) -> Vec<u8> {
    let file = format!("{name}.enc.yaml");
    workshop.change(&file, bytes, &["rotate", "-i", &file])
}

pub(super) fn put(workshop: &Workshop, name: &str, bytes: &[u8]) {
    workshop.put(&format!("{name}.enc.yaml"), bytes);
}

/// Looks again: once at what has changed, and once at what follows from that.
pub(super) fn look(store: &SopsStore) {
    store.refresh();
    store.refresh();
}

/// Fails where an environment is not refused for the data key that it has in common with another.
pub(super) fn is_refused(store: &SopsStore, name: &str, other: &str) {
    let (alarm, said) = alarm(store, name).expect("there is an alarm");
    assert_eq!(alarm, Alarm::Environment, "{said}");
    let expected = format!("its data key is also that of {other}, as where");
    assert!(said.starts_with(&expected), "{said}");
    assert!(
        said.ends_with(&format!("then rotate both, here with `sops rotate -i {name}.enc.yaml`")),
        "{said}"
    );
    assert_eq!(reason(store, name), Some(said));
}

/// That a version of these tests is older, or of the same second, is no matter.
pub(super) fn is_served(store: &SopsStore, name: &str) {
    assert_eq!(read(store, name, "PASSWORD").unwrap(), format!("of-{name}"));
    assert_eq!(reason(store, name), None);
    assert!(alarm(store, name).is_none_or(|(alarm, _)| alarm == Alarm::Rollback));
}

/// The part of a file that lists its recipients.
fn recipients(text: &str) -> &str {
    let (begin, end) = (text.find("    age:\n").unwrap(), text.find("    lastmodified:").unwrap());
    &text[begin..end]
}

/// Environments with identities of their own: dev's file, prod's, which was made from it, and prod's
/// with dev's recipients, for which no key is needed.
pub(super) fn own_identities(workshop: &Workshop) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let dev = workshop.encrypt("dev.enc.yaml", "PASSWORD: of-dev\n", OURS);
    let value = "\"of-prod\"";
    let prod = ["set", "prod.enc.yaml", "[\"PASSWORD\"]", value];
    let prod = workshop.change("prod.enc.yaml", &dev, &prod);
    workshop.beside(".sops.yaml", &format!("creation_rules: [{{age: {SECOND}}}]\n"));
    let prod = workshop.change("prod.enc.yaml", &prod, &["updatekeys", "-y", "prod.enc.yaml"]);
    let [dev_text, prod_text] = [&dev, &prod].map(|bytes| std::str::from_utf8(bytes).unwrap());
    assert!(prod_text.contains(SECOND) && !prod_text.contains(OURS), "{prod_text}");
    let forged = prod_text.replace(recipients(prod_text), recipients(dev_text)).into_bytes();
    (dev, prod, forged)
}

pub(super) fn own_options(
    workshop: &Workshop,
    keys: &tempfile::TempDir,
    of: Authorship,
) -> StoreOptions {
    fs::copy(path("age-key.txt"), keys.path().join("dev.txt")).unwrap();
    fs::copy(path("other-age-key.txt"), keys.path().join("prod.txt")).unwrap();
    StoreOptions {
        shared: SharedIdentities::None,
        identities_folder: Some(keys.path().to_owned()),
        ..workshop.options(of)
    }
}

#[test]
fn prods_file_with_devs_recipients_is_refused_though_each_has_an_identity_of_its_own() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod, forged) = own_identities(&workshop);
    let keys = tempfile::tempdir().unwrap();
    for leaf in [true, false] {
        // Somebody has rotated dev's file since, and its recipients of before are in Git.
        put(&workshop, "dev", &rotated(&workshop, &dev, "dev"));
        put(&workshop, "prod", &prod);
        let authorship = if leaf { Authorship::default() } else { unnamed() };
        let (store, report) = SopsStore::open(own_options(&workshop, &keys, authorship));
        assert!(report.failed.is_empty() && report.loaded.len() == 2, "{report:?}");
        put(&workshop, "dev", &forged);
        let report = store.refresh();
        if leaf {
            assert!(report.failed[0].serves_earlier && report.loaded.is_empty(), "{report:?}");
            is_refused(&store, "dev", "prod");
            assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-dev");
            is_served(&store, "prod");
            assert!(store.refresh().is_empty(), "it is told once");
        } else {
            // As SECURITY.md says.
            assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-prod");
        }
    }
}

#[test]
fn two_that_are_found_at_once_are_both_refused_until_each_is_rotated() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod, forged) = own_identities(&workshop);
    let keys = tempfile::tempdir().unwrap();
    for (dev, value) in [(dev, "of-dev"), (forged, "of-prod")] {
        put(&workshop, "dev", &dev);
        put(&workshop, "prod", &prod);
        let authorship = Authorship { rollback: Rollback::Deny, ..Authorship::default() };
        let (store, report) = SopsStore::open(own_options(&workshop, &keys, authorship));
        assert!(report.loaded.is_empty() && report.failed.len() == 2, "{report:?}");
        is_refused(&store, "dev", "prod");
        is_refused(&store, "prod", "dev");
        assert!(read(&store, "dev", "PASSWORD").is_err());
        assert!(read(&store, "prod", "PASSWORD").is_err());
        assert!(store.refresh().is_empty(), "it is told once");
        put(&workshop, "prod", &rotated(&workshop, &prod, "prod"));
        look(&store);
        is_served(&store, "prod");
        assert!(read(&store, "dev", "PASSWORD").is_err(), "it does not load by itself");
        fs::remove_file(workshop.path("prod.enc.yaml")).unwrap();
        look(&store);
        assert!(read(&store, "dev", "PASSWORD").is_err(), "nor when the other is away");
        // Whoever rotates it has looked at it, and has a key.
        put(&workshop, "dev", &rotated(&workshop, &dev, "dev"));
        look(&store);
        assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), value);
    }
}

#[test]
fn an_encrypted_name_from_a_file_with_the_same_data_key_is_refused() {
    let Some(workshop) = Workshop::new() else { return };
    let shop = workshop.named("shop");
    let staging = copied(&workshop, &shop, "shop-staging");
    put(&workshop, "shop", &rotated(&workshop, &shop, "shop"));
    put(&workshop, "shop-staging", &staging);
    let (store, report) = workshop.open(Authorship::default());
    assert!(report.failed.is_empty(), "{report:?}");
    // The MAC is over the texts of the values one after the other.
    let [shop, staging] = [&shop, &staging].map(|bytes| std::str::from_utf8(bytes).unwrap());
    let leaf = "_vanta_environment: ";
    let name = format!("{}\ny_unencrypted: \"-staging\"", line(shop, leaf));
    let forged = staging.replace(line(staging, leaf), &name);
    put(&workshop, "shop", forged.as_bytes());
    look(&store);
    is_refused(&store, "shop", "shop-staging");
    assert_eq!(read(&store, "shop", "PASSWORD").unwrap(), "of-shop");
    is_served(&store, "shop-staging");
}

#[test]
fn a_copy_takes_what_is_served_down_for_nobody_and_stays_refused_until_its_data_key_is_its_own() {
    let Some(workshop) = Workshop::new() else { return };
    let dev = workshop.named("dev");
    put(&workshop, "dev", &dev);
    let (store, _) = workshop.open(Authorship::default());
    is_served(&store, "dev");
    let copy = copied(&workshop, &dev, "prod");
    put(&workshop, "prod", &copy);
    look(&store);
    is_refused(&store, "prod", "dev");
    is_served(&store, "dev");
    put(&workshop, "prod", &rotated(&workshop, &copy, "prod"));
    look(&store);
    is_served(&store, "prod");
    is_served(&store, "dev");
    // What the copy had is genuine under the common key, so the other needs one of its own too.
    let set = ["set", "dev.enc.yaml", "[\"MORE\"]", "\"more\""];
    let more = workshop.change("dev.enc.yaml", &dev, &set);
    put(&workshop, "dev", &more);
    look(&store);
    is_refused(&store, "dev", "prod");
    assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-dev");
    put(&workshop, "dev", &rotated(&workshop, &more, "dev"));
    look(&store);
    is_served(&store, "dev");
    assert_eq!(read(&store, "dev", "MORE").unwrap(), "more");
}

#[test]
fn a_file_that_is_refused_for_another_reason_takes_nobody_down() {
    let Some(workshop) = Workshop::new() else { return };
    let prod = workshop.named("prod");
    // Whoever can write dev's file has no key, and can copy prod's.
    put(&workshop, "dev", &prod);
    put(&workshop, "prod", &prod);
    let (store, _) = workshop.open(Authorship::default());
    assert!(reason(&store, "dev").unwrap().contains("is of environment prod"));
    is_served(&store, "prod");
}

#[test]
fn two_that_take_one_data_key_at_one_look_are_refused_and_their_earlier_versions_are_served() {
    let Some(workshop) = Workshop::new() else { return };
    for name in ["dev", "prod"] {
        put(&workshop, name, &workshop.named(name));
    }
    let (store, report) = workshop.open(Authorship::default());
    assert!(report.failed.is_empty(), "{report:?}");
    let dev = workshop.named("dev");
    put(&workshop, "dev", &dev);
    put(&workshop, "prod", &copied(&workshop, &dev, "prod"));
    look(&store);
    is_refused(&store, "dev", "prod");
    is_refused(&store, "prod", "dev");
    for name in ["dev", "prod"] {
        assert_eq!(read(&store, name, "PASSWORD").unwrap(), format!("of-{name}"));
    }
}

#[test]
fn of_many_copies_some_are_named_and_each_that_is_rotated_is_served() {
    let Some(workshop) = Workshop::new() else { return };
    let names = ["a", "b", "c", "d", "e"];
    let first = workshop.named("a");
    put(&workshop, "a", &first);
    for name in &names[1..] {
        put(&workshop, name, &copied(&workshop, &first, name));
    }
    let (store, report) = workshop.open(Authorship::default());
    assert_eq!(report.failed.len(), names.len(), "{report:?}");
    is_refused(&store, "a", "b, c, d and 1 more");
    for name in &names[1..] {
        let copy = fs::read(workshop.path(&format!("{name}.enc.yaml"))).unwrap();
        put(&workshop, name, &rotated(&workshop, &copy, name));
        look(&store);
        is_served(&store, name);
    }
    is_refused(&store, "a", "b, c, d and 1 more");
    put(&workshop, "a", &rotated(&workshop, &first, "a"));
    look(&store);
    is_served(&store, "a");
}

#[test]
fn nothing_is_compared_where_no_name_is_ever_asked_for() {
    let Some(workshop) = Workshop::new() else { return };
    let dev = workshop.named("dev");
    put(&workshop, "dev", &dev);
    put(&workshop, "prod", &copied(&workshop, &dev, "prod"));
    let (store, report) = workshop.open(unnamed());
    assert!(report.failed.is_empty(), "{report:?}");
    is_served(&store, "dev");
    is_served(&store, "prod");
}
