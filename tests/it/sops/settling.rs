//! A file that is written where it stands: half of it is seen for a moment, which is no alarm; what
//! stays refused is one.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vanta::adapters::sops::{Alarm, Authorship, RefreshReport, Rollback, SopsStore, StoreOptions};

use super::exchange::Ends;
use super::fixtures::{options, path, text, unnamed};
use super::made::keys::OURS;
use super::workshop::{Workshop, alarm, read, reason};
use crate::support::program::until;
use crate::support::sops;
use crate::support::ssh_keygen::SigningKey;

/// Longer than any test takes.
const LONG: Duration = Duration::from_hours(1);

/// Longer than one look takes, and short enough to be waited for.
const SHORT: Duration = Duration::from_millis(300);

/// A folder with a good file, and a store that gives bad ones so much time.
struct Served {
    folder: tempfile::TempDir,
    store: SopsStore,
}

impl Served {
    fn with(settling: Duration, authorship: Authorship) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(path("app.enc.yaml"), folder.path().join("prod.enc.yaml")).unwrap();
        let options = StoreOptions { settling, authorship, ..options(folder.path()) };
        let (store, report) = SopsStore::open(options);
        assert_eq!(report.loaded.len(), 1, "{report:?}");
        Self { folder, store }
    }

    fn new(settling: Duration) -> Self {
        Self::with(settling, unnamed())
    }

    fn write(&self, content: &str) -> RefreshReport {
        fs::write(self.folder.path().join("prod.enc.yaml"), content).unwrap();
        self.store.refresh()
    }

    fn is_well(&self) -> bool {
        let status = self.store.status();
        status[0].error.is_none() && status[0].alarm.is_none()
    }
}

#[test]
fn the_half_of_a_file_is_no_alarm_and_the_whole_is_served() {
    let served = Served::new(LONG);
    let next = text("regex.enc.yaml");
    for half in [0, next.len() / 3, next.len() / 2, next.len() - 10] {
        assert!(served.write(&next[..half]).is_empty());
        assert!(served.is_well());
        assert_eq!(read(&served.store, "prod", "word").unwrap(), "hunter2");
    }
    let report = served.write(&next);
    assert_eq!((report.loaded.len(), report.failed.len()), (1, 0));
    assert_eq!(read(&served.store, "prod", "password").unwrap(), "p");
}

#[test]
fn what_is_refused_for_longer_is_told_once() {
    let served = Served::new(SHORT);
    let began = Instant::now();
    assert!(served.write("a: [").is_empty(), "not at the first look");
    let report =
        until("it is told", || Some(served.store.refresh()).filter(|report| !report.is_empty()));
    assert!(began.elapsed() >= SHORT);
    assert!(report.failed[0].serves_earlier && report.failed[0].alarm == Alarm::Refused);
    assert_eq!(alarm(&served.store, "prod").unwrap().0, Alarm::Refused);
    assert!(reason(&served.store, "prod").is_some());
    assert!(served.store.refresh().is_empty());
    // From then on there is no more time to be had by another bad file.
    assert_eq!(served.write("\n\nb: ]").failed.len(), 1);
    // A good one ends it, and what is bad after that has its time again.
    assert_eq!(served.write(&text("app.enc.yaml")).loaded.len(), 1);
    assert!(served.is_well());
    assert!(served.write("a: [").is_empty());
}

#[test]
fn whoever_changes_a_bad_file_at_each_look_does_not_stay_unheard() {
    let served = Served::new(SHORT);
    let mut turns = ["a: [", "b: ]", ""].iter().cycle();
    let began = Instant::now();
    let report = until("it is told", || {
        let report = served.write(turns.next().unwrap());
        Some(report).filter(|report| !report.failed.is_empty())
    });
    assert!(began.elapsed() >= SHORT && report.failed[0].serves_earlier, "{report:?}");
}

#[test]
fn where_nothing_is_served_it_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prod.enc.yaml"), "a: [").unwrap();
    let (store, report) =
        SopsStore::open(StoreOptions { settling: LONG, ..options(folder.path()) });
    assert_eq!(report.failed.len(), 1);
    fs::write(folder.path().join("dev.enc.yaml"), "a: [").unwrap();
    assert_eq!(store.refresh().failed.len(), 1, "a new one too");
}

#[test]
fn what_a_whole_file_says_is_told_at_once() {
    let authorship = Authorship { rollback: Rollback::Deny, ..unnamed() };
    let served = Served::with(LONG, authorship);
    assert_eq!(served.write(&text("names.enc.yaml")).loaded.len(), 1);
    let report = served.write(&text("app.enc.yaml"));
    assert_eq!(report.failed[0].alarm, Alarm::Rollback);
    assert_eq!(alarm(&served.store, "prod").unwrap().0, Alarm::Rollback);
    assert!(report.brief.is_empty(), "{report:?}");
}

#[test]
fn bad_versions_that_are_gone_before_they_are_an_alarm_are_reported_as_one_that_was_brief() {
    let served = Served::new(LONG);
    let good = text("app.enc.yaml");
    for _ in 0..2 {
        assert!(served.write("a: [").is_empty());
        assert!(served.write("b: ]").is_empty());
        let report = served.write(&good);
        assert_eq!((report.loaded.len(), report.failed.len(), report.brief.len()), (1, 0, 1));
        let brief = &report.brief[0];
        assert_eq!((brief.environment.as_str(), brief.alarm), ("prod", Alarm::Refused));
        assert!(brief.reason.contains("YAML"), "{}", brief.reason);
    }
    assert!(served.store.refresh().is_empty());
    assert!(served.write("a: [").is_empty());
    fs::remove_file(served.folder.path().join("prod.enc.yaml")).unwrap();
    let report = served.store.refresh();
    assert_eq!((report.removed.len(), report.brief.len()), (1, 1), "its file may go as well");
}

#[test]
fn what_was_told_is_not_reported_as_brief_as_well() {
    let served = Served::new(SHORT);
    assert!(served.write("a: [").is_empty());
    let report =
        until("it is told", || Some(served.store.refresh()).filter(|report| !report.is_empty()));
    assert_eq!((report.failed.len(), report.brief.len()), (1, 0));
    assert_eq!(served.write(&text("app.enc.yaml")).brief, []);
}

#[test]
fn of_what_was_brief_the_gravest_is_reported_also_where_another_is_told() {
    let (Some(workshop), Some(key)) = (Workshop::new(), SigningKey::new("ed25519", None)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let signers = folder.path().join("signers");
    fs::write(&signers, key.line("ci", "")).unwrap();
    let good = workshop.encrypt("prod.enc.yaml", "A: v0\n", OURS);
    let put = |bytes: &[u8], signed: bool| {
        workshop.put("prod.enc.yaml", bytes);
        let signature = if signed { key.sign("vanta-sops:prod", bytes) } else { b"x".to_vec() };
        workshop.put("prod.enc.yaml.sig", &signature);
    };
    for settling in [LONG, Duration::ZERO] {
        let trusted_signers = Some(signers.clone());
        let authorship = Authorship { trusted_signers, signature_grace: LONG, ..unnamed() };
        put(&good, true);
        let options = StoreOptions { settling, ..workshop.options(authorship) };
        let (store, report) = SopsStore::open(options);
        assert_eq!(report.loaded.len(), 1, "{report:?}");
        put(b"a: [", false);
        assert!(store.refresh().is_empty(), "its signature may come");
        put(b"a: [", true);
        let report = store.refresh();
        let report = if settling.is_zero() {
            assert_eq!(report.failed[0].alarm, Alarm::Refused);
            report
        } else {
            assert!(report.is_empty(), "it may be half a file");
            put(&good, true);
            store.refresh()
        };
        assert_eq!(report.brief[0].alarm, Alarm::Signature, "{report:?}");
    }
}

#[test]
fn sops_that_changes_a_file_where_it_is_served_raises_no_alarm() {
    let (Some(workshop), Some(program)) = (Workshop::new(), sops::find()) else { return };
    let bytes = workshop.encrypt("prod.enc.yaml", "A: v0\n", OURS);
    workshop.put("prod.enc.yaml", &bytes);
    let settling = LONG;
    let (store, report) = SopsStore::open(StoreOptions { settling, ..workshop.options(unnamed()) });
    assert_eq!(report.loaded.len(), 1, "{report:?}");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let report = store.refresh();
                assert!(report.failed.is_empty() && report.removed.is_empty(), "{report:?}");
            }
        });
        let ends = Ends(&done);
        for number in 1..=3 {
            let folder = workshop.served.path();
            let mut command = sops::command(program, folder, &path("age-key.txt"));
            let value = format!("\"v{number}\"");
            let done = command.args(["set", "prod.enc.yaml", "[\"A\"]", &value]).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
        drop(ends);
    });
    store.refresh();
    assert_eq!(read(&store, "prod", "A").unwrap(), "v3");
}
