//! Whose a data key is that two files have, whatever becomes of either, and through restarts.

use std::fs;

use vanta::adapters::sops::{Authorship, SopsStore, StoreOptions};

use super::data_keys::{
    copied, is_refused, is_served, look, own_identities, own_options, put, rotated,
};
use super::workshop::{Workshop, read};

#[test]
fn the_copys_file_is_never_served_as_that_of_the_one_that_was_copied() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod, forged) = own_identities(&workshop);
    let keys = tempfile::tempdir().unwrap();
    let options = || own_options(&workshop, &keys, Authorship::default());
    put(&workshop, "dev", &dev);
    let (store, _) = SopsStore::open(options());
    is_served(&store, "dev");
    put(&workshop, "prod", &prod);
    look(&store);
    is_refused(&store, "prod", "dev");
    // Also where both are seen at one look, as at a start.
    let alone = tempfile::tempdir().unwrap();
    fs::write(alone.path().join("dev.enc.yaml"), &dev).unwrap();
    let of_alone = StoreOptions { folder: Some(alone.path().to_owned()), ..options() };
    let before = SopsStore::open(of_alone).0.history().borrow().as_ref().clone();
    put(&workshop, "dev", &forged);
    let (both, _) = SopsStore::open_again(options(), before);
    is_refused(&both, "dev", "prod");
    is_refused(&both, "prod", "dev");
    put(&workshop, "dev", &dev);
    look(&both);
    is_served(&both, "dev");
    // As it was saved before it was rotated, which is in Git.
    let is_kept_out = |store: &SopsStore| {
        put(&workshop, "dev", &forged);
        look(store);
        is_refused(store, "dev", "prod");
        assert_ne!(read(store, "dev", "PASSWORD").ok().as_deref(), Some("of-prod"));
    };
    is_kept_out(&store);
    put(&workshop, "prod", &rotated(&workshop, &prod, "prod"));
    look(&store);
    is_served(&store, "prod");
    is_kept_out(&store);
    put(&workshop, "dev", &dev);
    look(&store);
    is_served(&store, "dev");
    // The version that is known is its own, also after a restart.
    let history = store.history().borrow().as_ref().clone();
    let (store, report) = SopsStore::open_again(options(), history.clone());
    assert!(report.failed.is_empty(), "{report:?}");
    is_kept_out(&store);
    let (store, _) = SopsStore::open_again(options(), history);
    is_kept_out(&store);
}

#[test]
fn what_is_refused_for_its_data_key_does_not_load_by_itself_whatever_becomes_of_the_other_file() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod, forged) = own_identities(&workshop);
    let keys = tempfile::tempdir().unwrap();
    let dev = rotated(&workshop, &dev, "dev");
    put(&workshop, "dev", &dev);
    put(&workshop, "prod", &prod);
    let options = || own_options(&workshop, &keys, Authorship::default());
    let (store, report) = SopsStore::open(options());
    assert!(report.failed.is_empty(), "{report:?}");
    for free in ["garbage", "gone"] {
        match free {
            "garbage" => put(&workshop, "prod", b"a: ["),
            _ => fs::remove_file(workshop.path("prod.enc.yaml")).unwrap(),
        }
        // Before the forged one comes, and while it is there.
        look(&store);
        put(&workshop, "dev", &forged);
        look(&store);
        is_refused(&store, "dev", "prod");
        put(&workshop, "prod", &prod);
        look(&store);
        is_served(&store, "prod");
        is_refused(&store, "dev", "prod");
        assert_eq!(read(&store, "dev", "PASSWORD").unwrap(), "of-dev", "{free}");
        put(&workshop, "dev", &dev);
        look(&store);
    }

    // A restart, before the other file is there, and with it.
    let history = store.history().borrow().as_ref().clone();
    put(&workshop, "dev", &forged);
    fs::remove_file(workshop.path("prod.enc.yaml")).unwrap();
    let (store, _) = SopsStore::open_again(options(), history);
    is_refused(&store, "dev", "prod");
    put(&workshop, "prod", &prod);
    look(&store);
    is_served(&store, "prod");
    is_refused(&store, "dev", "prod");
    put(&workshop, "prod", &rotated(&workshop, &prod, "prod"));
    look(&store);
    is_served(&store, "prod");
    is_refused(&store, "dev", "prod");
}

#[test]
fn of_two_that_are_found_at_once_the_one_is_served_that_was_served_with_the_data_key_before() {
    let Some(workshop) = Workshop::new() else { return };
    let (_, prod, forged) = own_identities(&workshop);
    let keys = tempfile::tempdir().unwrap();
    let options = || own_options(&workshop, &keys, Authorship::default());
    put(&workshop, "prod", &prod);
    let history = SopsStore::open(options()).0.history().borrow().as_ref().clone();
    put(&workshop, "dev", &forged);
    let (store, _) = SopsStore::open_again(options(), history.clone());
    is_served(&store, "prod");
    is_refused(&store, "dev", "prod");

    // Replicas hear of it later than they look.
    let (store, _) = SopsStore::open(options());
    is_refused(&store, "prod", "dev");
    store.remember(history);
    look(&store);
    is_served(&store, "prod");
    is_refused(&store, "dev", "prod");
}

#[test]
fn what_is_served_goes_on_beside_the_owner_that_another_replica_knows_of_and_no_third_is_let_in() {
    let Some(workshop) = Workshop::new() else { return };
    let (dev, prod, forged) = own_identities(&workshop);
    let keys = tempfile::tempdir().unwrap();
    let options = || own_options(&workshop, &keys, Authorship::default());
    put(&workshop, "dev", &dev);
    let (elsewhere, _) = SopsStore::open(options());
    fs::remove_file(workshop.path("dev.enc.yaml")).unwrap();
    put(&workshop, "prod", &prod);
    let (store, _) = SopsStore::open(options());
    is_served(&store, "prod");
    // Both were made with one data key, and the other replica came first.
    store.remember(elsewhere.history().borrow().as_ref().clone());
    put(&workshop, "dev", &dev);
    look(&store);
    is_served(&store, "prod");
    is_refused(&store, "dev", "prod");
    // What is saved anew in prod has to be rotated, too.
    put(&workshop, "prod", &forged);
    look(&store);
    assert_eq!(read(&store, "prod", "PASSWORD").unwrap(), "of-prod");
    let saved = ["set", "prod.enc.yaml", "[\"PASSWORD\"]", "\"new\""];
    put(&workshop, "prod", &workshop.change("prod.enc.yaml", &prod, &saved));
    look(&store);
    is_refused(&store, "prod", "dev");
    assert_eq!(read(&store, "prod", "PASSWORD").unwrap(), "of-prod");
}

#[test]
fn a_data_key_that_one_leaves_does_not_go_on_to_another() {
    let Some(workshop) = Workshop::new() else { return };
    let dev = workshop.named("dev");
    put(&workshop, "dev", &dev);
    let (store, _) = workshop.open(Authorship::default());
    put(&workshop, "dev", &rotated(&workshop, &dev, "dev"));
    put(&workshop, "prod", &copied(&workshop, &dev, "prod"));
    look(&store);
    is_served(&store, "dev");
    is_refused(&store, "prod", "dev");
}
