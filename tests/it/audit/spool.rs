//! What waits for the table is kept until the table has it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use vanta::adapters::audit::{
    AppendError, AuditLog, Observer, OpenError, SpoolOptions, TableOptions, Written,
};
use vanta::domain::record_filter::Order;

use super::table::{all, assert_whole, everything, files, ids, in_folder, open, record, stored};
use crate::support::postgres::Postgres;

async fn try_open(postgres: &Postgres, replica: &str, spool: &Path) -> Result<AuditLog, OpenError> {
    let options = TableOptions {
        url: postgres.url().into(),
        spool: Some(in_folder(spool)),
        replica: replica.to_owned(),
        stream: None,
        observer: Observer::default(),
    };
    AuditLog::in_table(options).await
}

/// A folder that a vault of this name left, with these entries.
async fn left(replica: &str, entries: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), replica).unwrap();
    for id in entries {
        log.append(record(id)).await.unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_is_not_emptied_into_a_table_that_another_chain_was_written_to() {
    // The other chain is as long as the spool's, and longer.
    for others in [&["x", "y"][..], &["x", "y", "z"]] {
        let Some(postgres) = Postgres::start() else { return };
        let spool = left("a", &["one", "two"]).await;
        let log = open(&postgres, "a", None).await;
        for id in others {
            log.append(record(id)).await.unwrap();
        }
        drop(log);
        let why = try_open(&postgres, "a", spool.path()).await.err().expect("it is refused");
        let why = why.to_string();
        assert!(why.contains("does not hold entry 2 of the chain of a"), "{why}");
        let kept = std::fs::read_to_string(&files(spool.path())[0]).unwrap();
        assert_eq!(kept.lines().count(), 2);
        assert_eq!(ids(&stored(&postgres)), others);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_put_back_while_the_vault_writes_to_its_spool_is_told_and_loses_nothing() {
    let Some(mut postgres) = Postgres::start() else { return };
    let spool = tempfile::tempdir().unwrap();
    let log = open(&postgres, "a", Some(spool.path())).await;
    log.append(record("one")).await.unwrap();
    postgres.crash();
    log.append(record("two")).await.unwrap();
    // Somebody else has the table now, who goes on from its beginning further than the spool.
    drop(log);
    postgres.resume();
    postgres.psql("DELETE FROM audit");
    let another = open(&postgres, "a", None).await;
    for id in ["x", "y", "z"] {
        another.append(record(id)).await.unwrap();
    }
    drop(another);
    assert!(try_open(&postgres, "a", spool.path()).await.is_err());
    let kept = std::fs::read_to_string(&files(spool.path())[0]).unwrap();
    assert_eq!(ids(&kept.lines().map(str::to_owned).collect::<Vec<_>>()), ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_takes_no_more_and_what_it_holds_is_moved_once_postgresql_is_back() {
    const MOST: u64 = 2000;
    let Some(mut postgres) = Postgres::start() else { return };
    let spool = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Written::default()));
    let observer = {
        let told = Arc::clone(&told);
        Observer::new(move |written| *told.lock().unwrap() = written)
    };
    let options = TableOptions {
        url: postgres.url().into(),
        spool: Some(SpoolOptions { most_bytes_in_all: MOST, ..in_folder(spool.path()) }),
        replica: "a".to_owned(),
        stream: None,
        observer,
    };
    let on_disk = || {
        let sizes = files(spool.path()).into_iter().map(|file| std::fs::metadata(file).unwrap());
        sizes.map(|found| found.len()).sum::<u64>()
    };
    let log = AuditLog::in_table(options).await.expect("the audit opens");
    log.append(record("first")).await.unwrap();
    postgres.crash();
    let mut taken = vec!["first".to_owned()];
    let refused = loop {
        let id = taken.len().to_string();
        match log.append(record(&id)).await {
            Ok(()) => taken.push(id),
            Err(error) => break error,
        }
        assert_eq!(told.lock().unwrap().spool_bytes, on_disk());
        assert!(on_disk() <= MOST, "it grows without a bound");
    };
    let AppendError::SpoolFull { held, most } = refused.clone() else { panic!("{refused}") };
    assert_eq!((held, most), (on_disk(), MOST));
    assert!(held <= MOST && taken.len() > 3, "{held} in {taken:?}");
    assert!(refused.to_string().contains("VANTA_AUDIT_SPOOL_MAX_MIB"), "{refused}");
    postgres.resume();
    log.append(record("last")).await.unwrap();
    taken.push("last".to_owned());
    assert_eq!(ids(&stored(&postgres)), taken);
    assert_eq!((told.lock().unwrap().spool_bytes, on_disk()), (0, 0));
    assert_whole(&postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_whose_replica_was_called_otherwise_before_is_moved_too() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = left("former", &["one", "two"]).await;
    AuditLog::open(folder.path(), "a").unwrap().append(record("three")).await.unwrap();
    let log = try_open(&postgres, "a", folder.path()).await.unwrap();
    log.append(record("four")).await.unwrap();
    let found = ids(&all(&log, everything(Order::Oldest, 2)).await);
    assert_eq!(found, ["one", "two", "three", "four"]);
    assert_whole(&postgres);
}
