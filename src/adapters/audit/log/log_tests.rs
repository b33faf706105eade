//! The log, on real files.

use jiff::Timestamp;

use super::*;
use crate::domain::record::{Entry, Event, Outcome, line_hash};

fn record() -> Record {
    Record::new(Timestamp::now(), Event::Read, Outcome::Granted)
}

fn lines(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_chain_goes_on_when_the_log_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let log = AuditLog::open(folder.path(), "r").unwrap();
        log.append(record()).await.unwrap();
    }
    let lines = lines(folder.path());
    let second: Entry = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!((second.sequence, second.previous), (2, line_hash(&lines[0])));
}

#[tokio::test]
async fn an_unfinished_line_is_cut_off_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"sequence\":2,\"pre");
    std::fs::write(&path, text).unwrap();
    AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
    let lines = lines(folder.path());
    let recovery: Entry = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(recovery.record.event, Event::Recover);
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn the_chain_goes_on_after_a_retired_file() {
    let folder = tempfile::tempdir().unwrap();
    AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
    let first = lines(folder.path()).remove(0);
    let path = folder.path().join("audit.jsonl");
    std::fs::rename(&path, folder.path().join("audit.retired-1.jsonl")).unwrap();
    AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
    let next: Entry = serde_json::from_str(&lines(folder.path())[0]).unwrap();
    assert_eq!((next.sequence, next.previous), (2, line_hash(&first)));
}

#[tokio::test]
async fn a_long_last_line_is_found_from_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut wide = record();
    wide.reason = Some("x".repeat(300_000));
    let log = AuditLog::open(folder.path(), "r").unwrap();
    log.append(record()).await.unwrap();
    log.append(wide).await.unwrap();
    drop(log);
    AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
    let third: Entry = serde_json::from_str(&lines(folder.path())[2]).unwrap();
    assert_eq!(third.sequence, 3);
}

#[tokio::test]
async fn a_second_vault_does_not_write_to_the_same_audit() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), "r").unwrap();
    let second = AuditLog::open(folder.path(), "r").err().unwrap();
    assert_eq!(
        second.to_string(),
        "the folder of the audit cannot be used: another vault writes to this audit"
    );
    log.append(record()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_audit_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("audit.jsonl"), "something else\n").unwrap();
    assert!(AuditLog::open(folder.path(), "r").is_err());
    assert_eq!(lines(folder.path()), ["something else"]);
}

fn given(client: &str, revision: &str) -> Record {
    let mut record = Record::new(Timestamp::now(), Event::ReadAll, Outcome::Granted);
    record.subject = format!("client:{client}").parse().ok();
    record.environment = "dev".parse().ok();
    record.key_pattern = "*".parse().ok();
    record.keys = vec!["A".parse().unwrap()];
    record.revision = Some(revision.to_owned());
    record
}

#[tokio::test]
async fn who_holds_what_is_known_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), "r").unwrap();
    for (client, revision) in [("a", "1"), ("b", "1"), ("a", "2")] {
        log.append(given(client, revision)).await.unwrap();
    }
    let before = log.holders().await.unwrap();
    let told: Vec<_> = before.iter().map(|holder| holder.revision.as_str()).collect();
    assert_eq!(told, ["2", "1"]);
    drop(log);
    let log = AuditLog::open(folder.path(), "r").unwrap();
    assert_eq!(log.holders().await.unwrap(), before);
}

/// Lets a writer do its work on five records of which two go in a batch; gives the answers.
fn run_on_large_records(work: Work) -> Vec<oneshot::Receiver<Result<(), AppendError>>> {
    let (queue, pending) = mpsc::channel(QUEUE);
    let wait = |_| {
        let (done, answer) = oneshot::channel();
        let mut record = record();
        record.reason = Some("x".repeat(1536 * 1024));
        assert!(queue.try_send(Pending { record, done }).is_ok());
        answer
    };
    let answers = (0..5).map(wait).collect();
    drop(queue);
    work.run(pending);
    answers
}

#[test]
fn what_is_too_large_for_one_batch_is_written_in_several_and_each_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let written = Arc::new(Mutex::new(Vec::new()));
    let observer = {
        let written = Arc::clone(&written);
        Observer::new(move |told: Written| written.lock().unwrap().push(told.lines))
    };
    let writer = FileWriter::open(folder.path(), "r", Rotation::default(), None).unwrap();
    let (head, _) = watch::channel(writer.end().clone());
    let work = Work::new(Writer::Folder(Box::new(writer)), head, None, observer);
    for answer in run_on_large_records(work) {
        answer.blocking_recv().unwrap().unwrap();
    }
    assert_eq!(*written.lock().unwrap(), [Some(2), Some(2), Some(1)]);
    assert_eq!(lines(folder.path()).len(), 5);
}

#[test]
fn where_a_batch_fails_all_that_wait_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let rotation = Rotation { most_bytes: 1, keep: None };
    let mut writer = FileWriter::open(folder.path(), "r", rotation, None).unwrap();
    writer.write(&[record()]).unwrap();
    // The next file cannot be begun.
    std::fs::create_dir(folder.path().join("audit-00000000000000000001.jsonl")).unwrap();
    let (head, _) = watch::channel(writer.end().clone());
    let work = Work::new(Writer::Folder(Box::new(writer)), head, None, Observer::default());
    for answer in run_on_large_records(work) {
        assert!(answer.blocking_recv().unwrap().is_err());
    }
}
