//! What is kept of many checkpoints, and how they are read page by page.

use super::*;
use crate::domain::checkpoint::Head;

const DAY: i64 = 24 * 60 * 60;

/// The midnight that the tests end at.
const NOW: i64 = 20_000 * DAY;

/// One checkpoint each so many seconds of so many days, as one statement: the sequence is the
/// second.
async fn fill(database: &Database, replica: &str, days: i64, step: i64) {
    const FILL: &str = "INSERT INTO checkpoints (replica, sequence, hash, signed_at, line) \
        WITH RECURSIVE moments(moment) AS (SELECT $1 UNION ALL \
          SELECT moment + $2 FROM moments WHERE moment + $3 < $4) \
        SELECT $5, moment, 'x', moment, 'x' FROM moments";
    let Database::Sqlite(pools) = database else { panic!("it is a file") };
    let fill = sqlx::query(FILL).bind(NOW - days * DAY).bind(step).bind(step).bind(NOW);
    fill.bind(replica).execute(&pools.writer).await.unwrap();
}

async fn count(database: &Database, condition: &'static str) -> i64 {
    let Database::Sqlite(pools) = database else { panic!("it is a file") };
    let count = sqlx::query_scalar(condition);
    count.fetch_one(&pools.reader).await.unwrap()
}

async fn open() -> (tempfile::TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open_file(&folder.path().join("state.db")).await.unwrap();
    (folder, database)
}

#[tokio::test]
async fn of_a_year_all_of_the_last_day_and_the_highest_of_each_hour_are_left() {
    const ALL: &str = "SELECT count(*) FROM checkpoints";
    const HIGHEST: &str = "SELECT count(*) FROM checkpoints WHERE signed_at % 3600 = 3500";
    let (_folder, database) = open().await;
    fill(&database, "r", 365, 100).await;
    let swept = sweep(&database, i64::MIN, NOW).await.unwrap();
    assert_eq!(swept, NOW - DAY);
    let (hours, of_a_day) = (364 * 24, DAY / 100);
    assert_eq!(count(&database, ALL).await, hours + of_a_day);
    assert_eq!(count(&database, HIGHEST).await, 365 * 24);
    // From where it ended on, wherever in an hour that was.
    for later in [1000, 5000, DAY] {
        let swept = sweep(&database, swept, NOW + later).await.unwrap();
        assert_eq!(swept, NOW + later - DAY);
    }
    assert_eq!(count(&database, ALL).await, 365 * 24);
    assert_eq!(count(&database, HIGHEST).await, 365 * 24);
}

#[tokio::test]
async fn each_replica_keeps_its_own() {
    let (_folder, database) = open().await;
    fill(&database, "a", 2, 600).await;
    fill(&database, "b", 2, 900).await;
    sweep(&database, i64::MIN, NOW).await.unwrap();
    let of_a = count(&database, "SELECT count(*) FROM checkpoints WHERE replica = 'a'").await;
    let of_b = count(&database, "SELECT count(*) FROM checkpoints WHERE replica = 'b'").await;
    assert_eq!((of_a, of_b), (24 + 144, 24 + 96));
}

#[tokio::test]
async fn pages_of_any_size_give_each_once() {
    let (_folder, database) = open().await;
    for (replica, sequence, hash) in
        [("b", 2, "1"), ("a", 1, "1"), ("a", 3, "1"), ("b", 2, "2"), ("a", 2, "1")]
    {
        let (replica, hash) = (replica.to_owned(), hash.repeat(64));
        let time = jiff::Timestamp::UNIX_EPOCH;
        let head = Head { replica, sequence, hash, time };
        let checkpoint = Checkpoint { head, public_key: String::new(), signature: String::new() };
        store(&database, &checkpoint).await.unwrap();
    }
    let in_order = [("a", 1), ("a", 2), ("a", 3), ("b", 2), ("b", 2)];
    for (replica, expected) in [(None, &in_order[..]), (Some("a"), &in_order[..3])] {
        for limit in 1..=6 {
            let replica = replica.map(str::to_owned);
            let mut query = CheckpointQuery { replica, after: None, limit };
            let mut all = Vec::new();
            loop {
                let page = list(&database, &query).await.unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                query.after = Some(last.place());
                all.extend(page);
            }
            let told: Vec<_> =
                all.iter().map(|one| (one.head.replica.as_str(), one.head.sequence)).collect();
            assert_eq!(told, expected);
        }
    }
}
