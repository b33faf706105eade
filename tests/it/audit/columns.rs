//! What entries in the table are found by is their lines, whoever writes to the table.

use jiff::Timestamp;
use vanta::adapters::audit::{AuditLog, Observer, Query, TableOptions};
use vanta::domain::record_filter::{Filter, Order};

use super::table::{all, everything, ids, open, record, stored, verify};
use crate::support::postgres::Postgres;

#[tokio::test(flavor = "multi_thread")]
async fn no_column_that_a_query_looks_at_says_anything_but_the_line() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    log.append(record("one")).await.unwrap();
    for (column, value) in [
        ("sequence", "7"),
        ("replica", "'b'"),
        ("time", "0"),
        ("event", "'list'"),
        ("outcome", "'refused'"),
        ("subject", "'client:x'"),
        ("environment", "'x'"),
        ("keys", "'[]'"),
        ("jti", "'x'"),
        ("request_id", "'x'"),
    ] {
        let why = postgres.refusal("vanta", &format!("UPDATE audit SET {column} = {value}"));
        assert!(why.contains("can only be updated to DEFAULT"), "{column}: {why}");
    }
    // With its line an entry changes as a whole, and that is found.
    log.append(record("two")).await.unwrap();
    postgres
        .psql("UPDATE audit SET line = replace(line, 'client:ci', 'client:x') WHERE sequence = 1");
    let of_x = Filter { subject: "client:x".parse().ok(), ..Filter::default() };
    let query = Query { filter: of_x, ..everything(Order::Newest, 10) };
    assert_eq!(ids(&all(&log, query).await), ["one"]);
    assert!(!verify(&stored(&postgres)).is_whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_found_by_its_very_time_and_whatever_its_texts_hold() {
    let Some(postgres) = Postgres::start() else { return };
    let log = open(&postgres, "a", None).await;
    let times = [
        "1970-01-01T00:00:00Z",
        "2026-02-28T23:59:59.999999Z",
        "2026-12-31T23:59:59.5Z",
        "2028-02-29T12:34:56.123456789Z",
    ];
    for time in times {
        let mut record = record(time);
        record.time = time.parse().unwrap();
        record.reason = Some("\0 \\u0000 \u{1} \"".to_owned());
        log.append(record).await.unwrap();
    }
    let found: Vec<Timestamp> = postgres
        .psql("SELECT time FROM audit ORDER BY position")
        .lines()
        .map(|time| Timestamp::from_microsecond(time.parse().unwrap()).unwrap())
        .collect();
    let expected: Vec<Timestamp> = times
        .iter()
        .map(|time| time.parse::<Timestamp>().unwrap().as_microsecond())
        .map(|time| Timestamp::from_microsecond(time).unwrap())
        .collect();
    assert_eq!(found, expected);
    assert!(verify(&stored(&postgres)).is_whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_may_be_left_the_right_to_read_and_to_insert_alone() {
    let Some(postgres) = Postgres::start() else { return };
    postgres.psql("CREATE ROLE app LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO app");
    let start = async || {
        let options = TableOptions {
            url: postgres.url_as("app").into(),
            spool: None,
            replica: "a".to_owned(),
            stream: None,
            observer: Observer::default(),
        };
        AuditLog::in_table(options).await.expect("the audit opens")
    };
    start().await.append(record("before")).await.unwrap();
    postgres.psql(
        "CREATE ROLE keeper NOLOGIN; GRANT CREATE ON SCHEMA public TO keeper; \
         ALTER TABLE audit OWNER TO keeper; \
         ALTER FUNCTION audit_entry OWNER TO keeper; ALTER FUNCTION audit_time OWNER TO keeper; \
         GRANT SELECT, INSERT ON audit TO app",
    );
    let log = start().await;
    log.append(record("after")).await.unwrap();
    assert_eq!(ids(&all(&log, everything(Order::Oldest, 10)).await), ["before", "after"]);
    for statement in [
        "UPDATE audit SET line = replace(line, 'client:ci', 'client:x')",
        "UPDATE audit SET written_by = '0'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "ALTER TABLE audit DROP COLUMN event",
        "CREATE OR REPLACE FUNCTION audit_entry(line TEXT) RETURNS JSONB LANGUAGE SQL AS \
         $$ SELECT '{}'::jsonb $$",
    ] {
        let why = postgres.refusal("app", statement);
        assert!(why.contains("permission denied") || why.contains("must be owner"), "{why}");
    }
}
