//! One table that several vaults write to: nobody misses a line, and each chain has one writer.

use sqlx::Connection as _;
use vanta::adapters::audit::{AuditLog, Observer, TableOptions};
use vanta::domain::record_filter::{Filter, Order};

use super::table::{all, assert_whole, everything, ids, open, record, stored};
use crate::support::postgres::Postgres;

const INSERT: &str = "INSERT INTO audit (chain, line) \
    SELECT 'slow', replace(line, '\"a\"', '\"slow\"') FROM audit WHERE sequence = 1 LIMIT 1";

/// Why a second vault under a name does not start.
async fn refused(postgres: &Postgres, replica: &str) -> String {
    let options = TableOptions {
        url: postgres.url().into(),
        spool: None,
        replica: replica.to_owned(),
        stream: None,
        observer: Observer::default(),
    };
    AuditLog::in_table(options).await.err().expect("it is refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_waits_for_the_line_of_a_replica_that_is_slow_to_commit() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    log.append(record("before")).await.unwrap();
    let mut slow = sqlx::PgConnection::connect(&postgres.url()).await.unwrap();
    let mut held = slow.begin().await.unwrap();
    sqlx::query(INSERT).execute(&mut *held).await.unwrap();
    log.append(record("after")).await.unwrap();

    let mut query = everything(Order::Oldest, 100);
    let page = log.query(query.clone()).await.unwrap();
    assert_eq!(ids(&page.lines), ["before"]);
    // Of one replica alone nothing is waited for.
    let of_one = Filter { replica: Some("a".to_owned()), ..Filter::default() };
    let of_one = log.query(query_of(of_one)).await.unwrap();
    assert_eq!(ids(&of_one.lines), ["before", "after"]);

    held.commit().await.unwrap();
    query.cursor = page.last;
    let more = all(&log, query).await;
    assert!(more[0].contains("\"slow\""), "{more:?}");
    assert_eq!(ids(&more[1..]), ["after"]);
}

fn query_of(filter: Filter) -> vanta::adapters::audit::Query {
    vanta::adapters::audit::Query { filter, ..everything(Order::Oldest, 100) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_vault_of_a_name_is_refused_also_after_the_first_lost_its_session() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    log.append(record("one")).await.unwrap();
    let why = refused(&postgres, "a").await;
    assert!(why.contains("as a: set VANTA_REPLICA"), "{why}");
    postgres.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'vanta'");
    log.append(record("two")).await.unwrap();
    let why = refused(&postgres, "a").await;
    assert!(why.contains("set VANTA_REPLICA"), "{why}");
    drop(log);
    // Another one may take the name as soon as the first is gone.
    open(&postgres, "a", None).await.append(record("three")).await.unwrap();
    assert_eq!(ids(&stored(&postgres)), ["one", "two", "three"]);
    assert_whole(&postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_out_of_a_dump_of_another_server_is_followed_from_its_beginning() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    for id in ["one", "two"] {
        log.append(record(id)).await.unwrap();
    }
    drop(log);
    postgres.psql("UPDATE audit SET written_by = '999999999999'");
    let log = open(&postgres, "a", None).await;
    log.append(record("three")).await.unwrap();
    let followed = all(&log, everything(Order::Oldest, 1)).await;
    assert_eq!(ids(&followed), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_no_more_than_some_megabytes() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    for _ in 0..4 {
        let mut wide = record("wide");
        wide.reason = Some("x".repeat(3 * 1024 * 1024));
        log.append(wide).await.unwrap();
    }
    let page = log.query(everything(Order::Newest, 100)).await.unwrap();
    assert_eq!((page.lines.len(), page.next), (2, page.last));
    assert_eq!(all(&log, everything(Order::Newest, 100)).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_indexes_for_what_entries_are_found_by() {
    let Some(postgres) = Postgres::start() else { return };
    drop(open(&postgres, "a", None).await);
    for (condition, index) in [
        ("keys @> jsonb_build_array('A'::text)", "audit_by_key"),
        ("replica = 'a' ORDER BY written_by, position", "audit_by_replica"),
        ("chain = 'a' ORDER BY sequence DESC LIMIT 1", "audit_pkey"),
        ("request_id = 'a'", "audit_by_request"),
        ("jti = 'a'", "audit_by_jti"),
        ("(written_by, position) > ('1', 1)", "audit_by_arrival"),
    ] {
        let plan = postgres.psql(&format!(
            "SET enable_seqscan = off; EXPLAIN SELECT line FROM audit WHERE {condition}"
        ));
        assert!(plan.contains(index), "{condition}: {plan}");
    }
}
