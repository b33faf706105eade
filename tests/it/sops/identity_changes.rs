//! Files of identities that change while their environments are served.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use vanta::adapters::sops::{Authorship, SharedIdentities, SopsStore, StoreOptions};

use super::fixtures::{options, path, text};
use super::made::keys::OURS;
use super::workshop::{Workshop, read, reason};

/// Two environments, and the file of the identity that they share.
struct Shared {
    folder: tempfile::TempDir,
    _keys: tempfile::TempDir,
    key: PathBuf,
    store: SopsStore,
}

impl Shared {
    fn new() -> Self {
        let (folder, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = keys.path().join("key.txt");
        fs::copy(path("age-key.txt"), &key).unwrap();
        for name in ["dev", "prod"] {
            let file = folder.path().join(format!("{name}.enc.yaml"));
            fs::copy(path("app.enc.yaml"), file).unwrap();
        }
        let shared = SharedIdentities::File(key.clone());
        let (store, report) = SopsStore::open(StoreOptions { shared, ..options(folder.path()) });
        assert_eq!((report.loaded.len(), report.identities.len()), (2, 0), "{report:?}");
        Self { folder, _keys: keys, key, store }
    }

    /// Puts a new version of an environment in place, and says what it is served with then.
    fn next(&self, name: &str, fixture: &str) {
        fs::write(self.folder.path().join(format!("{name}.enc.yaml")), text(fixture)).unwrap();
        self.store.refresh();
        assert_eq!(reason(&self.store, name), None);
    }
}

#[test]
fn identities_that_are_added_are_taken_up_and_told_once() {
    let shared = Shared::new();
    let both = text("age-key.txt") + &text("other-age-key.txt");
    fs::write(&shared.key, both).unwrap();
    let report = shared.store.refresh();
    assert_eq!(report.identities.len(), 1, "{report:?}");
    assert_eq!((&report.identities[0].path, &report.identities[0].outcome), (&shared.key, &Ok(2)));
    assert!(shared.store.refresh().is_empty());
    // Both are needed for it.
    shared.next("prod", "groups.enc.yaml");
    // What is written again as it was is no news, and loads nothing.
    let both = fs::read(&shared.key).unwrap();
    fs::write(&shared.key, both).unwrap();
    assert!(shared.store.refresh().is_empty());
}

#[test]
fn identities_that_cannot_be_read_any_more_leave_the_earlier_ones_in_use() {
    let shared = Shared::new();
    fs::write(&shared.key, "# a comment\nhunter2\n").unwrap();
    let report = shared.store.refresh();
    let told = report.identities[0].outcome.clone().unwrap_err();
    assert!(told.contains("key.txt: line 2 is no age identity") && !told.contains("hunter2"));
    assert!(report.failed.is_empty() && report.loaded.is_empty(), "{report:?}");
    assert_eq!(shared.store.identity_problems(), [told]);
    assert!(shared.store.refresh().is_empty(), "it is told once");
    shared.next("prod", "regex.enc.yaml");
    assert_eq!(read(&shared.store, "prod", "password").unwrap(), "p");

    fs::remove_file(&shared.key).unwrap();
    let report = shared.store.refresh();
    assert!(report.identities[0].outcome.clone().unwrap_err().contains("cannot be read"));
    assert!(report.failed.is_empty(), "{report:?}");
    shared.next("dev", "regex.enc.yaml");

    fs::copy(path("age-key.txt"), &shared.key).unwrap();
    assert_eq!(shared.store.refresh().identities[0].outcome, Ok(1));
    assert!(shared.store.identity_problems().is_empty());
}

#[test]
fn an_identity_that_is_taken_out_opens_no_new_version() {
    let shared = Shared::new();
    fs::copy(path("other-age-key.txt"), &shared.key).unwrap();
    let report = shared.store.refresh();
    assert_eq!(report.identities[0].outcome, Ok(1));
    assert_eq!(report.failed.len(), 2, "{report:?}");
    assert!(report.failed.iter().all(|failed| failed.serves_earlier));
}

/// Whatever the moment is at which the identity appears; where the file was opened with the shared
/// one and judged by the environment's own, most of these rounds served it.
#[test]
fn an_identity_that_appears_while_a_file_is_opened_does_not_spare_it_its_name() {
    let Some(workshop) = Workshop::new() else { return };
    let mut plain = "PASSWORD: of-prod\n".to_owned();
    for at in 0..4000 {
        writeln!(plain, "k{at}_unencrypted: v").unwrap();
    }
    let unnamed = workshop.encrypt("dev.enc.yaml", &plain, OURS);
    workshop.put("dev.enc.yaml", &unnamed);
    for round in 0..8 {
        let own = tempfile::tempdir().unwrap();
        let (beside, place) = (own.path().join("beside"), own.path().join("dev.txt"));
        // It opens nothing of this.
        fs::copy(path("other-age-key.txt"), &beside).unwrap();
        let identities_folder = Some(own.path().to_owned());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(4) * round);
                fs::rename(&beside, &place).unwrap();
            });
            let options = workshop.options(Authorship::default());
            let (store, report) = SopsStore::open(StoreOptions { identities_folder, ..options });
            assert!(report.loaded.is_empty(), "{report:?}");
            assert!(read(&store, "dev", "PASSWORD").is_err());
        });
    }
}
