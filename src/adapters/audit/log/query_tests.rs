//! Pages out of files that are rotated, retired and written to.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;
use crate::adapters::audit::log::file_writer::{FileWriter, Rotation};
use crate::domain::record::{Event, Outcome, Record};

/// A folder with so many entries in files of some four, at one a minute.
fn folder(entries: u64) -> (tempfile::TempDir, FolderReader) {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation { most_bytes: 1000, keep: None };
    let mut writer = FileWriter::open(folder.path(), "r", rotation, None).unwrap();
    for number in 1..=entries {
        writer.write(&[record(number)]).unwrap();
    }
    let (_, head) = watch::channel(writer.end().clone());
    let reader = FolderReader::new(folder.path().to_owned(), head);
    (folder, reader)
}

fn minute(number: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(number).unwrap() * 60).unwrap()
}

fn record(number: u64) -> Record {
    let mut record = Record::new(minute(number), Event::Read, Outcome::Granted);
    record.request_id = Some(format!("request-{number}"));
    if number.is_multiple_of(2) {
        record.subject = "client:even".parse().ok();
    }
    record
}

fn query(order: Order, limit: usize) -> Query {
    Query { filter: Filter::default(), order, limit, cursor: None }
}

async fn read(reader: &FolderReader, query: Query) -> Page {
    let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
    reader.query(query, place).await.unwrap()
}

/// All sequences that a query gives, page by page.
async fn all(reader: &FolderReader, mut query: Query) -> Vec<u64> {
    let mut sequences = Vec::new();
    loop {
        let page = read(reader, query.clone()).await;
        assert!(page.lines.len() <= query.limit);
        sequences.extend(page.lines.iter().map(|line| parse(line).unwrap().sequence));
        let Some(next) = page.next else { return sequences };
        query.cursor = Some(next);
    }
}

#[tokio::test]
async fn pages_of_any_size_give_each_entry_once_in_either_order() {
    let (_folder, reader) = folder(50);
    for limit in [1, 3, 4, 7, 50, 100] {
        let oldest = all(&reader, query(Order::Oldest, limit)).await;
        assert_eq!(oldest, (1..=50).collect::<Vec<_>>());
        let newest = all(&reader, query(Order::Newest, limit)).await;
        assert_eq!(newest, (1..=50).rev().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_asked_for_is_found_in_any_file() {
    let (_folder, reader) = folder(300);
    let mut of_one = query(Order::Newest, 10);
    of_one.filter.request_id = Some("request-17".to_owned());
    assert_eq!(all(&reader, of_one).await, [17]);
    for order in [Order::Newest, Order::Oldest] {
        let mut of_time = query(order, 10);
        of_time.filter.since = Some(minute(120));
        of_time.filter.until = Some(minute(131));
        of_time.filter.subject = "client:even".parse().ok();
        let mut found = all(&reader, of_time).await;
        found.sort_unstable();
        assert_eq!(found, [120, 122, 124, 126, 128, 130]);
    }
}

#[tokio::test]
async fn a_follower_goes_on_where_the_last_page_ended() {
    let (folder, reader) = folder(5);
    let page = read(&reader, query(Order::Oldest, 100)).await;
    assert_eq!((page.lines.len(), page.next, page.last), (5, None, Some(5)));
    let rotation = Rotation { most_bytes: 1000, keep: None };
    let mut writer = FileWriter::open(folder.path(), "r", rotation, None).unwrap();
    writer.write(&[record(6)]).unwrap();
    let (_, head) = watch::channel(writer.end().clone());
    let reader = FolderReader::new(folder.path().to_owned(), head);
    let more = Query { cursor: page.last, ..query(Order::Oldest, 100) };
    assert_eq!(all(&reader, more).await, [6]);
}

#[tokio::test]
async fn what_is_not_yet_on_stable_storage_or_in_doubt_is_not_given() {
    let (folder, _) = folder(6);
    let (_, head) = watch::channel(Link::at(5, String::new()));
    let reader = FolderReader::new(folder.path().to_owned(), head);
    // A retired file: its second entry was superseded.
    let files = files(folder.path()).unwrap();
    let first: Vec<String> =
        std::fs::read_to_string(&files[0].path).unwrap().lines().map(str::to_owned).collect();
    let forged = first[1].replace("request-2", "request-X");
    let text = format!("{}\n{}\n", first[0], forged);
    std::fs::write(folder.path().join("audit.retired-1.jsonl"), text).unwrap();
    let rest = format!("{}\n", first[1..].join("\n"));
    std::fs::write(folder.path().join("audit-00000000000000000002.jsonl"), rest).unwrap();
    std::fs::remove_file(&files[0].path).unwrap();
    for order in [Order::Newest, Order::Oldest] {
        let page = read(&reader, query(order, 100)).await;
        assert_eq!(page.lines.len(), 5, "{page:?}");
        assert!(page.lines.iter().all(|line| !line.contains("request-X")));
    }
}

#[tokio::test]
async fn a_page_looks_at_so_much_and_says_where_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = FileWriter::open(folder.path(), "r", Rotation::default(), None).unwrap();
    let mut wide = record(1);
    wide.reason = Some("x".repeat(MOST_GIVEN / 2));
    for _ in 0..5 {
        writer.write(std::slice::from_ref(&wide)).unwrap();
    }
    let (_, head) = watch::channel(writer.end().clone());
    let reader = FolderReader::new(folder.path().to_owned(), head);
    let page = read(&reader, query(Order::Newest, 100)).await;
    assert_eq!((page.lines.len(), page.next), (2, Some(4)));
    assert_eq!(all(&reader, query(Order::Newest, 100)).await, [5, 4, 3, 2, 1]);
}
