//! One table, one chain a replica, and PostgreSQL's being away.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use vanta::adapters::audit::{
    AppendError, AuditLog, Observer, Query, QueryError, SpoolOptions, TableOptions,
};
use vanta::domain::chain::{Place, Report, Verifier};
use vanta::domain::record::{Entry, Event, Outcome, Record};
use vanta::domain::record_filter::{Filter, Order};

use crate::support::postgres::Postgres;

pub(super) async fn open(postgres: &Postgres, replica: &str, spool: Option<&Path>) -> AuditLog {
    let options = TableOptions {
        url: postgres.url().into(),
        spool: spool.map(in_folder),
        replica: replica.to_owned(),
        stream: None,
        observer: Observer::default(),
    };
    AuditLog::in_table(options).await.expect("the audit opens")
}

/// A spool of small files.
pub(super) fn in_folder(folder: &Path) -> SpoolOptions {
    SpoolOptions { folder: folder.to_owned(), most_bytes: 1000, most_bytes_in_all: u64::MAX }
}

pub(super) fn record(id: &str) -> Record {
    let mut record = Record::new(Timestamp::now(), Event::ReadAll, Outcome::Granted);
    record.request_id = Some(id.to_owned());
    record.subject = "client:ci".parse().ok();
    record.environment = "dev".parse().ok();
    record.key_pattern = "*".parse().ok();
    record.keys = vec!["A".parse().unwrap(), "B.c".parse().unwrap()];
    record.revision = Some("1".to_owned());
    record
}

pub(super) fn everything(order: Order, limit: usize) -> Query {
    Query { filter: Filter::default(), order, limit, cursor: None }
}

/// All lines that a query gives, page by page.
pub(super) async fn all(log: &AuditLog, mut query: Query) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let page = log.query(query.clone()).await.expect("the audit is readable");
        lines.extend(page.lines);
        let Some(next) = page.next else { return lines };
        query.cursor = Some(next);
    }
}

/// The lines as they are in the table, in the order of their arrival.
pub(super) fn stored(postgres: &Postgres) -> Vec<String> {
    let text = postgres.psql("SELECT line FROM audit ORDER BY position");
    text.lines().map(str::to_owned).collect()
}

pub(super) fn verify(lines: &[String]) -> Report {
    let mut verifier = Verifier::new([]);
    for (number, line) in (1..).zip(lines) {
        verifier.line(&Place { file: "table".into(), line: number }, line);
    }
    verifier.finish()
}

pub(super) fn assert_whole(postgres: &Postgres) {
    let report = verify(&stored(postgres));
    assert!(report.is_whole(), "{report:#?}");
}

pub(super) fn ids(lines: &[String]) -> Vec<String> {
    let entry = |line: &String| serde_json::from_str::<Entry>(line).expect("it is an entry");
    lines.iter().filter_map(|line| entry(line).record.request_id).collect()
}

/// Waits until so many lines are in the table.
async fn until_stored(postgres: &Postgres, count: usize) {
    let started = Instant::now();
    while stored(postgres).len() < count {
        assert!(started.elapsed() < Duration::from_secs(30), "waited too long for {count} lines");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "jsonl")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_has_a_chain_of_its_own_and_all_are_read_together() {
    let Some(postgres) = Postgres::start() else { return };
    let (a, b) = (open(&postgres, "a", None).await, open(&postgres, "b", None).await);
    for number in 0..10 {
        a.append(record(&format!("a{number}"))).await.unwrap();
        b.append(record(&format!("b{number}"))).await.unwrap();
    }
    assert_whole(&postgres);
    assert_eq!(verify(&stored(&postgres)).chains.len(), 2);
    let newest = all(&a, everything(Order::Newest, 3)).await;
    let mut expected = stored(&postgres);
    expected.reverse();
    assert_eq!(newest, expected);

    let of = |filter| Query { filter, ..everything(Order::Newest, 100) };
    let of_b = Filter { replica: Some("b".to_owned()), ..Filter::default() };
    assert_eq!(all(&a, of(of_b)).await.len(), 10);
    let request = Filter { request_id: Some("a7".to_owned()), ..Filter::default() };
    assert_eq!(ids(&all(&b, of(request)).await), ["a7"]);
    for (key, count) in [("B.c", 20), ("B", 0)] {
        let filter = Filter { key: key.parse().ok(), ..Filter::default() };
        assert_eq!(all(&a, of(filter)).await.len(), count, "{key}");
    }
    let filter = Filter {
        event: Some(Event::ReadAll),
        outcome: Some(Outcome::Granted),
        subject: "client:ci".parse().ok(),
        environment: "dev".parse().ok(),
        since: Some(Timestamp::now() - jiff::SignedDuration::from_mins(1)),
        until: Some(Timestamp::now()),
        ..Filter::default()
    };
    assert_eq!(all(&a, of(filter)).await.len(), 20);
    let holders = b.holders().await.unwrap();
    assert_eq!((holders.len(), holders[0].revision.as_str()), (1, "1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_gets_each_line_once_in_its_order() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    let mut query = everything(Order::Oldest, 7);
    let mut followed = Vec::new();
    for round in 0..3 {
        for number in 0..10 {
            log.append(record(&format!("{round}-{number}"))).await.unwrap();
        }
        let started = Instant::now();
        while followed.len() < (round + 1) * 10 {
            assert!(started.elapsed() < Duration::from_secs(30), "{}", followed.len());
            let page = log.query(query.clone()).await.unwrap();
            query.cursor = page.last;
            followed.extend(page.lines);
        }
    }
    assert_eq!(followed, stored(&postgres));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_goes_on_when_the_log_is_opened_again() {
    let Some(postgres) = Postgres::start() else { return };
    for number in 0..3 {
        let log = open(&postgres, "a", None).await;
        log.append(record(&number.to_string())).await.unwrap();
    }
    assert_eq!(ids(&stored(&postgres)), ["0", "1", "2"]);
    assert_whole(&postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_away_records_go_to_the_spool_and_are_moved_in_their_order() {
    let Some(mut postgres) = Postgres::start() else { return };
    let spool = tempfile::tempdir().unwrap();
    let log = open(&postgres, "a", Some(spool.path())).await;
    log.append(record("before")).await.unwrap();
    postgres.crash();
    for number in 0..5 {
        log.append(record(&format!("away-{number}"))).await.unwrap();
    }
    assert!(files(spool.path()).len() > 1);
    assert!(matches!(log.query(everything(Order::Newest, 1)).await, Err(QueryError::Table(_))));
    postgres.resume();
    // Also where nobody writes any more.
    until_stored(&postgres, 6).await;
    log.append(record("after")).await.unwrap();
    let expected = ["before", "away-0", "away-1", "away-2", "away-3", "away-4", "after"];
    assert_eq!(ids(&stored(&postgres)), expected);
    assert_whole(&postgres);
    for file in files(spool.path()) {
        assert_eq!(std::fs::metadata(file).unwrap().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_nothing_is_recorded_while_postgresql_is_away() {
    let Some(mut postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    log.append(record("before")).await.unwrap();
    postgres.crash();
    assert!(matches!(log.append(record("away")).await, Err(AppendError::Table(_))));
    postgres.resume();
    let started = Instant::now();
    while log.append(record("after")).await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not recover");
    }
    assert_eq!(ids(&stored(&postgres)), ["before", "after"]);
    assert_whole(&postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_left_in_the_spool_is_moved_first() {
    let Some(mut postgres) = Postgres::start() else { return };
    let spool = tempfile::tempdir().unwrap();
    let log = open(&postgres, "a", Some(spool.path())).await;
    log.append(record("before")).await.unwrap();
    postgres.crash();
    log.append(record("away")).await.unwrap();
    drop(log);
    // A crash in the middle of a line, and one after lines were moved and before they were removed.
    let file = files(spool.path()).remove(0);
    let mut left = std::fs::read_to_string(&file).unwrap();
    let whole = left.clone();
    left.push_str("{\"sequence\":3,");
    std::fs::write(&file, left).unwrap();
    postgres.resume();
    let log = open(&postgres, "a", Some(spool.path())).await;
    log.append(record("after")).await.unwrap();
    drop(log);
    std::fs::write(&file, whole).unwrap();
    let log = open(&postgres, "a", Some(spool.path())).await;
    log.append(record("last")).await.unwrap();
    assert_eq!(ids(&stored(&postgres)), ["before", "away", "after", "last"]);
    assert_whole(&postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_held_the_whole_audit_is_moved_into_the_table() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), "a").unwrap();
    for number in 0..1200 {
        // Without waiting, so that it does not take a sync each.
        let log = log.clone();
        let record = record(&number.to_string());
        tokio::spawn(async move { log.append(record).await.unwrap() });
    }
    while log.head().borrow().sequence() < 1200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(log);
    let log = open(&postgres, "a", Some(folder.path())).await;
    log.append(record("more")).await.unwrap();
    assert_eq!(stored(&postgres).len(), 1201);
    assert_whole(&postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_is_not_of_the_chain_is_refused_and_left_alone() {
    let Some(postgres) = Postgres::start() else { return };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(&postgres, "a", Some(one.path())).await);
    open(&postgres, "a", None).await.append(record("in the table")).await.unwrap();
    let log = AuditLog::open(other.path(), "a").unwrap();
    for id in ["another 1", "another 2"] {
        log.append(record(id)).await.unwrap();
    }
    drop(log);
    let options = TableOptions {
        url: postgres.url().into(),
        spool: Some(in_folder(other.path())),
        replica: "a".to_owned(),
        stream: None,
        observer: Observer::default(),
    };
    let refused = AuditLog::in_table(options).await.err().expect("it is refused").to_string();
    assert!(refused.contains("does not go on from the chain of a"), "{refused}");
    assert_eq!(std::fs::read_to_string(&files(other.path())[0]).unwrap().lines().count(), 2);
    assert_eq!(stored(&postgres).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn through_crashes_of_postgresql_under_load_each_recorded_answer_is_in_the_one_chain() {
    for with_spool in [true, false] {
        let Some(mut postgres) = Postgres::start() else { return };
        let spool = tempfile::tempdir().unwrap();
        let log = open(&postgres, "a", with_spool.then_some(spool.path())).await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let recorded = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (log, stopped, recorded) =
                    (log.clone(), stopped.clone(), Arc::clone(&recorded));
                tokio::spawn(async move {
                    for number in 0.. {
                        if *stopped.borrow() {
                            return;
                        }
                        let id = format!("{writer}-{number}");
                        match log.append(record(&id)).await {
                            Ok(()) => drop(recorded.lock().unwrap().insert(id)),
                            Err(error) => assert!(!with_spool, "{error}"),
                        }
                    }
                })
            })
            .collect();
        for crash in 1..=3 {
            let more = async |count: usize| {
                let started = Instant::now();
                while recorded.lock().unwrap().len() < count {
                    assert!(started.elapsed() < Duration::from_mins(1), "crash {crash}");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let before = recorded.lock().unwrap().len();
            more(before + 100).await;
            postgres.crash();
            if with_spool {
                let before = recorded.lock().unwrap().len();
                more(before + 100).await;
            }
            postgres.resume();
        }
        let before = recorded.lock().unwrap().len();
        let started = Instant::now();
        while recorded.lock().unwrap().len() < before + 100 {
            assert!(started.elapsed() < Duration::from_mins(1), "it does not recover");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.send_replace(true);
        for writer in writers {
            writer.await.unwrap();
        }
        let end = usize::try_from(log.head().borrow().sequence()).unwrap();
        until_stored(&postgres, end).await;
        assert_whole(&postgres);
        let stored: BTreeSet<String> = ids(&stored(&postgres)).into_iter().collect();
        let recorded = recorded.lock().unwrap();
        assert!(recorded.is_subset(&stored), "{:?}", recorded.difference(&stored));
    }
}
