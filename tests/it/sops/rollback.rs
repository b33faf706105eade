//! A version that is older than one that was served, or of the same second and other content.

use std::collections::BTreeSet;
use std::fs;

use jiff::{SignedDuration, Timestamp};
use vanta::adapters::sops::{
    Alarm, Authorship, Leave, RefreshReport, Rollback, SopsStore, StoreOptions,
};
use vanta::domain::history::History;
use vanta::domain::ports::SecretStore;
use vanta::domain::versions::{VersionMark, VersionMarks};

use super::costs::saved_at;
use super::fixtures::{edit, options, text, unnamed, value};
use super::grants::environment;
use super::made::keys::{OURS, SECOND};
use super::workshop::{Workshop, read, reason};

/// A folder whose file is exchanged.
struct Exchanged {
    folder: tempfile::TempDir,
    rollback: Rollback,
    accepted: Vec<String>,
}

impl Exchanged {
    fn new(rollback: Rollback) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), rollback, accepted: Vec::new() }
    }

    fn put(&self, content: &str) {
        fs::write(self.folder.path().join("prod.enc.yaml"), content).unwrap();
    }

    /// A store that was told what was served before.
    fn open(&self, history: History) -> (SopsStore, RefreshReport) {
        let accepted = self.accepted.iter().map(|version| version.parse().unwrap());
        let accepted: BTreeSet<_> = accepted.collect();
        let rollback = self.rollback;
        let authorship = Authorship { rollback, accepted, ..unnamed() };
        let options = StoreOptions { authorship, ..options(self.folder.path()) };
        SopsStore::open_again(options, history)
    }
}

/// When a fixture was saved.
fn saved(text: &str) -> Timestamp {
    let line = text.lines().find(|line| line.trim_start().starts_with("lastmodified:")).unwrap();
    line.split('"').nth(1).unwrap().parse().unwrap()
}

/// A file, and one that was saved before it.
fn newer_and_older() -> (String, String) {
    let (newer, older) = (text("names.enc.yaml"), text("app.enc.yaml"));
    assert!(saved(&newer) > saved(&older));
    (newer, older)
}

#[test]
fn an_older_version_is_served_with_an_alarm_unless_it_is_denied() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Alarm);
    exchanged.put(&newer);
    let (store, _) = exchanged.open(History::default());
    exchanged.put(&older);
    let report = store.refresh();
    let (alarm, said) = report.loaded[0].alarm.clone().unwrap();
    assert_eq!(alarm, Alarm::Rollback);
    let expected = format!("lastmodified went back from {} to {}", saved(&newer), saved(&older));
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
    assert_eq!(store.status()[0].alarm, Some((alarm, said)));
    exchanged.put(&newer);
    assert_eq!(store.refresh().loaded[0].alarm, None);
    assert_eq!(store.status()[0].alarm, None);
}

#[test]
fn a_denied_one_leaves_the_newer_version_serving() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Deny);
    exchanged.put(&newer);
    let (store, _) = exchanged.open(History::default());
    let keys = store.keys(&environment("prod")).unwrap();
    exchanged.put(&older);
    let report = store.refresh();
    assert!(report.loaded.is_empty() && report.failed[0].serves_earlier);
    assert_eq!(report.failed[0].alarm, Alarm::Rollback);
    assert_eq!(store.keys(&environment("prod")).unwrap(), keys);
}

#[test]
fn a_restart_does_not_forget_and_neither_does_a_file_that_was_away() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Deny);
    exchanged.put(&newer);
    let (store, _) = exchanged.open(History::default());
    fs::remove_file(exchanged.folder.path().join("prod.enc.yaml")).unwrap();
    assert_eq!(store.refresh().removed, [environment("prod")]);
    exchanged.put(&older);
    assert_eq!(store.refresh().failed[0].alarm, Alarm::Rollback);
    let kept = store.history().borrow().as_ref().clone();
    assert_eq!(kept.marks[&environment("prod")].last_modified, saved(&newer));
    let (restarted, report) = exchanged.open(kept);
    assert_eq!(report.failed[0].alarm, Alarm::Rollback);
    assert!(read(&restarted, "prod", "word").is_err());
    let (_, report) = exchanged.open(History::default());
    assert!(report.failed.is_empty(), "who remembers nothing cannot tell");
}

#[test]
fn what_another_replica_has_served_counts_here() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Deny);
    exchanged.put(&newer);
    let elsewhere = exchanged.open(History::default()).0.history().borrow().as_ref().clone();
    exchanged.put("");
    let (store, _) = exchanged.open(History::default());
    store.remember(elsewhere);
    exchanged.put(&older);
    store.refresh();
    assert!(reason(&store, "prod").unwrap().starts_with("lastmodified went back"));
}

#[test]
fn what_a_state_or_another_replica_says_of_the_future_does_not_make_todays_file_older() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Deny);
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let mark = VersionMark { last_modified: tomorrow, digest: [7; 32] };
    let marks = VersionMarks::from([(environment("prod"), mark)]);
    let future = History { marks, ..History::default() };
    exchanged.put(&older);
    let (store, report) = exchanged.open(future.clone());
    assert!(report.failed.is_empty(), "{report:?}");
    store.remember(future);
    exchanged.put(&newer);
    assert_eq!(store.refresh().loaded[0].alarm, None, "{:?}", reason(&store, "prod"));
    let known = store.history().borrow().marks[&environment("prod")];
    assert_eq!(known.last_modified, saved(&newer));
    exchanged.put(&older);
    assert_eq!(store.refresh().failed[0].alarm, Alarm::Rollback);
}

#[test]
fn the_administrator_takes_an_older_version_by_its_name() {
    let (newer, older) = newer_and_older();
    let mut exchanged = Exchanged::new(Rollback::Deny);
    exchanged.put(&newer);
    let kept = exchanged.open(History::default()).0.history().borrow().as_ref().clone();
    exchanged.put(&older);
    let (_, report) = exchanged.open(kept.clone());
    let said = report.failed[0].reason.clone();
    let name = said.rsplit(' ').next().expect("it says how");
    assert_eq!(name, format!("prod@{}", saved(&older)));
    exchanged.accepted = vec![name.to_owned()];
    let (store, report) = exchanged.open(kept.clone());
    assert!(report.loaded[0].alarm.is_none(), "{report:?}");
    let warning = "it is accepted though lastmodified went back from";
    let warnings = &report.loaded[0].warnings;
    assert!(warnings.iter().any(|said| said.starts_with(warning)), "{warnings:?}");
    let advice = |said: &String| said.contains("VANTA_SOPS_ACCEPT_ROLLBACK");
    assert!(!warnings.iter().any(advice), "what is done is not advised: {warnings:?}");
    assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
    assert_eq!(**store.history().borrow(), kept, "the highest stays what it was");
}

#[test]
fn an_accepted_version_that_takes_nothing_is_told_of_once_at_the_load() {
    let (newer, older) = newer_and_older();
    let mut exchanged = Exchanged::new(Rollback::Deny);
    let needed = format!("prod@{}", saved(&older));
    exchanged.accepted = vec![
        needed.clone(),
        "prod@2020-01-01T00:00:00Z".to_owned(),
        "nowhere@2020-01-01T00:00:00Z".to_owned(),
    ];
    let idle = |report: &RefreshReport| -> Vec<String> {
        let warnings = report.loaded.iter().flat_map(|loaded| &loaded.warnings);
        let of_it = warnings.filter(|said| said.starts_with("VANTA_SOPS_ACCEPT_ROLLBACK names"));
        of_it.map(|said| said.split([' ', ',']).nth(2).unwrap().to_owned()).collect()
    };
    exchanged.put(&newer);
    let (store, report) = exchanged.open(History::default());
    assert_eq!(idle(&report), ["prod@2020-01-01T00:00:00Z".to_owned(), needed]);
    let gone = "there is no file of nowhere: take nowhere@2020-01-01T00:00:00Z out";
    assert_eq!(report.accepts_nothing, [gone]);
    assert!(store.refresh().is_empty(), "it is told of once");
    exchanged.put(&older);
    let report = store.refresh();
    assert_eq!(idle(&report), ["prod@2020-01-01T00:00:00Z"], "{report:?}");
    assert_eq!(report.accepts_nothing, Vec::<String>::new());
}

#[test]
fn the_same_second_with_other_content_is_found_also_where_sops_finds_nothing() {
    let app = text("app.enc.yaml");
    let number = value(&app, "number:");
    let entry = app.lines().find(|line| line.starts_with("word:")).unwrap();
    let changes = [
        edit(&app, number, &edit(number, "type:str]", "type:int]")),
        edit(&app, entry, &entry.replace("word: ", "word:\n    - ")),
        edit(&app, "one_unencrypted:", "three_unencrypted:"),
    ];
    for changed in changes {
        let exchanged = Exchanged::new(Rollback::Deny);
        exchanged.put(&app);
        let (store, _) = exchanged.open(History::default());
        exchanged.put(&changed);
        let failed = store.refresh().failed;
        assert_eq!(failed[0].alarm, Alarm::Rollback, "{changed}");
        assert!(failed[0].reason.contains("though the content is another"), "{}", failed[0].reason);
        assert_eq!(read(&store, "prod", "word").unwrap(), "hunter2");
    }
    let exchanged = Exchanged::new(Rollback::Deny);
    exchanged.put(&app);
    let (store, _) = exchanged.open(History::default());
    exchanged.put(&format!("# a comment\n{app}"));
    assert_eq!(store.refresh().failed, [], "what is not served is no content");
}

#[test]
fn another_recipient_is_no_other_content_and_a_rotation_is_a_newer_version() {
    let Some(workshop) = Workshop::new() else { return };
    let app = text("app.enc.yaml");
    workshop.put("prod.enc.yaml", app.as_bytes());
    let (store, _) = workshop.open(Authorship { rollback: Rollback::Deny, ..unnamed() });
    // `sops updatekeys` leaves `lastmodified` as it is.
    workshop.beside(".sops.yaml", &format!("creation_rules: [{{age: \"{OURS},{SECOND}\"}}]\n"));
    let command = ["updatekeys", "--yes", "prod.enc.yaml"];
    let updated = workshop.change("prod.enc.yaml", app.as_bytes(), &command);
    let updated = String::from_utf8(updated).unwrap();
    assert!(updated.contains(SECOND) && saved(&updated) == saved(&app));
    workshop.put("prod.enc.yaml", updated.as_bytes());
    let report = store.refresh();
    assert!(report.failed.is_empty() && report.loaded[0].alarm.is_none(), "{report:?}");
    // What was put back is put right so.
    let command = ["rotate", "--in-place", "prod.enc.yaml"];
    let rotated = workshop.change("prod.enc.yaml", app.as_bytes(), &command);
    workshop.put("prod.enc.yaml", &rotated);
    let report = store.refresh();
    assert!(report.failed.is_empty() && report.loaded[0].alarm.is_none(), "{report:?}");
    // And now the version before it is an older one.
    workshop.put("prod.enc.yaml", app.as_bytes());
    assert_eq!(store.refresh().failed[0].alarm, Alarm::Rollback);
}

#[test]
fn a_file_of_the_first_year_is_the_oldest_and_one_of_the_last_day_is_none() {
    let Some(workshop) = Workshop::new() else { return };
    let today = workshop.encrypt("prod.enc.json", r#"{"word": "hunter2"}"#, OURS);
    let exchanged = Exchanged::new(Rollback::Deny);
    let put = |time| {
        let file = exchanged.folder.path().join("prod.enc.json");
        fs::write(file, saved_at(&today, time)).unwrap();
    };
    put("9999-12-31T00:00:00Z");
    let (store, report) = exchanged.open(History::default());
    let reason = &report.failed[0].reason;
    assert!(reason.contains("lastmodified") && reason.contains("9999-12-30"), "{reason}");
    assert_eq!(**store.history().borrow(), History::default(), "nothing is kept in mind of it");

    let first = "0000-01-01T00:00:00Z";
    put(first);
    let report = store.refresh();
    assert!(report.failed.is_empty() && report.loaded[0].alarm.is_none(), "{report:?}");
    put("2020-01-01T00:00:00+05:30");
    assert_eq!(store.refresh().loaded[0].alarm, None);
    let mark = store.history().borrow().marks[&environment("prod")];
    assert_eq!(mark.last_modified, "2019-12-31T18:30:00Z".parse().unwrap());
    put(first);
    let report = store.refresh();
    let failed = &report.failed[0];
    assert_eq!(failed.alarm, Alarm::Rollback);
    assert!(failed.reason.contains(&format!("as prod@{first}")), "{}", failed.reason);
}

#[test]
fn a_bad_version_does_not_raise_what_counts_as_highest() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Deny);
    exchanged.put(&older);
    let (store, _) = exchanged.open(History::default());
    let before = store.history().borrow().as_ref().clone();
    exchanged.put(&newer.replace("mac: ENC[AES256_GCM,data:", "mac: ENC[AES256_GCM,data:AAAA"));
    assert_eq!(store.refresh().failed[0].alarm, Alarm::Refused);
    assert_eq!(**store.history().borrow(), before);
    exchanged.put(&older);
    store.refresh();
    assert_eq!(store.status()[0].alarm, None, "what was served before is no older version");
}

#[test]
fn an_older_version_is_an_alarm_for_as_long_as_it_is_served_whatever_comes_after_it() {
    let (newer, older) = newer_and_older();
    let exchanged = Exchanged::new(Rollback::Alarm);
    exchanged.put(&newer);
    let (store, _) = exchanged.open(History::default());
    let alarms = || {
        let status = store.status();
        Alarm::ALL.into_iter().filter(|of| status[0].is_alarmed(*of)).collect::<Vec<_>>()
    };
    assert_eq!(alarms(), []);
    exchanged.put(&older);
    store.refresh();
    assert_eq!(alarms(), [Alarm::Rollback]);
    exchanged.put("garbage");
    assert!(store.refresh().failed[0].serves_earlier);
    assert_eq!(alarms(), [Alarm::Refused, Alarm::Rollback]);
    assert!(store.status()[0].served_alarm.as_ref().unwrap().1.starts_with("lastmodified went"));
    exchanged.put(&newer);
    store.refresh();
    assert_eq!(alarms(), []);
}

#[test]
fn another_leave_makes_no_other_content_of_a_file() {
    let exchanged = Exchanged::new(Rollback::Deny);
    let app = text("app.enc.yaml");
    exchanged.put(&app);
    let open = |leave: Leave, history: History| {
        let authorship = Authorship { rollback: Rollback::Deny, ..unnamed() };
        let folder = options(exchanged.folder.path());
        SopsStore::open_again(StoreOptions { authorship, leave, ..folder }, history)
    };
    let leaves = [
        Leave::default(),
        Leave { plain_values: true, ..Leave::default() },
        Leave { plain_values: true, leaves_below_lists: true, ..Leave::default() },
        Leave { leaves_below_lists: true, ..Leave::default() },
        Leave { plain_empty_strings: true, ..Leave::default() },
    ];
    for first in leaves {
        let history = open(first, History::default()).0.history().borrow().as_ref().clone();
        for then in leaves {
            let (_, report) = open(then, history.clone());
            assert_eq!((report.failed.len(), report.loaded.len()), (0, 1), "{first:?}, {then:?}");
        }
    }
    // A plain list is still no plain mapping with its numbers.
    let list = "plain_unencrypted:\n    - \"x\"\n";
    let Some(workshop) = Workshop::new() else { return };
    let with_list = workshop.encrypt("prod.enc.yaml", &format!("A: a\n{list}"), OURS);
    let with_list = String::from_utf8(with_list).unwrap();
    let plain = with_list.find("plain_unencrypted:").unwrap();
    let entry = with_list[plain..].lines().nth(1).unwrap();
    exchanged.put(&with_list);
    let leave = leaves[1];
    let history = open(leave, History::default()).0.history().borrow().as_ref().clone();
    exchanged.put(&edit(&with_list, entry, &entry.replace("- ", "\"0\": ")));
    let (_, report) = open(leave, history);
    assert_eq!(report.failed[0].alarm, Alarm::Rollback, "{report:?}");
}
