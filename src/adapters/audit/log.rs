//! The log: many callers, one writer, one sync for all that wait.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::file::{AuditFile, WriteError};
use crate::domain::record::{Event, Link, Outcome, Record};

/// How many records may wait for the writer. More callers wait for a place.
const QUEUE: usize = 1024;

/// The audit cannot be written, so nothing may be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit cannot be written: {0}")]
pub struct AuditError(String);

impl From<io::Error> for AuditError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

struct Pending {
    record: Record,
    done: oneshot::Sender<Result<(), AuditError>>,
}

/// The audit of one replica.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Pending>,
}

impl AuditLog {
    /// Opens the log in a folder and starts its writer, a thread that ends with the last handle.
    ///
    /// The folder must exist.
    pub fn open(folder: &Path, replica: &str) -> Result<Self, AuditError> {
        let file = AuditFile::open(folder)?;
        let mut writer = Writer {
            folder: folder.to_owned(),
            replica: replica.to_owned(),
            end: file.end.clone(),
            cut_off: file.cut_off,
            file: Some(file),
        };
        writer.record_recovery()?;
        let (queue, pending) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run(pending))
            .map_err(AuditError::from)?;
        Ok(Self { queue })
    }

    /// Whether the writer is there; without it nothing can be answered.
    pub fn is_writing(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Appends a record; done once it is on stable storage.
    pub async fn append(&self, record: Record) -> Result<(), AuditError> {
        let gone = || AuditError("the writer has ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.queue.send(Pending { record, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Writer {
    folder: PathBuf,
    replica: String,
    end: Link,
    cut_off: u64,
    /// Absent after a failure, until a new file can be opened.
    file: Option<AuditFile>,
}

impl Writer {
    fn record_recovery(&mut self) -> Result<(), AuditError> {
        if self.cut_off == 0 {
            return Ok(());
        }
        let mut record = Record::new(Timestamp::now(), Event::Recover, Outcome::Granted);
        record.reason = Some(format!("{} bytes of an unfinished line were cut off", self.cut_off));
        self.cut_off = 0;
        self.write(&[record])
    }

    fn run(mut self, mut queue: mpsc::Receiver<Pending>) {
        let mut batch = Vec::new();
        while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
            let (records, waiting): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|pending| (pending.record, pending.done)).unzip();
            let result = self.write(&records);
            for done in waiting {
                // A caller that has gone away needs no answer.
                let _ = done.send(result.clone());
            }
        }
    }

    /// Opens a file after one was given up. Where that could not be set aside it is still there,
    /// and may hold lines that were never answered on.
    fn open_again(&self) -> Result<AuditFile, AuditError> {
        let file = AuditFile::open(&self.folder)?;
        if file.continues(&self.end) {
            return Ok(file);
        }
        file.retire()?;
        drop(file);
        Ok(AuditFile::open(&self.folder)?)
    }

    fn write(&mut self, records: &[Record]) -> Result<(), AuditError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open_again()?,
        };
        let (mut lines, mut end) = (String::new(), self.end.clone());
        for record in records {
            let (line, next) = end.join(&self.replica, record.clone());
            lines.push_str(&line);
            lines.push('\n');
            end = next;
        }
        match file.write_synced(&lines) {
            Ok(()) => {
                self.end = end;
                self.file = Some(file);
                Ok(())
            }
            Err(WriteError::TakenBack(error)) => {
                self.file = Some(file);
                Err(error.into())
            }
            Err(WriteError::InDoubt(error)) => {
                // The chain goes on in a new file from the last line that is known to be good.
                file.retire()?;
                Err(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::record::{Entry, line_hash};

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
    async fn the_chain_goes_on_after_a_file_that_was_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
        let first = lines(folder.path()).remove(0);
        let path = folder.path().join("audit.jsonl");
        std::fs::rename(&path, folder.path().join("audit.retired-1.jsonl")).unwrap();
        AuditLog::open(folder.path(), "r").unwrap().append(record()).await.unwrap();
        let next: Entry = serde_json::from_str(&lines(folder.path())[0]).unwrap();
        assert_eq!((next.sequence, next.previous), (2, line_hash(&first)));
    }

    #[test]
    fn a_file_with_lines_that_were_never_answered_on_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (known, end) = Link::start().join("r", record());
        let (in_doubt, _) = end.join("r", record());
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, format!("{known}\n{in_doubt}\n")).unwrap();
        let (folder_path, replica) = (folder.path().to_owned(), "r".to_owned());
        let mut writer = Writer { folder: folder_path, replica, end, cut_off: 0, file: None };
        writer.write(&[record()]).unwrap();
        let next: Entry = serde_json::from_str(&lines(folder.path())[0]).unwrap();
        assert_eq!((next.sequence, next.previous), (2, line_hash(&known)));
        assert!(folder.path().join("audit.retired-1.jsonl").exists());
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
            "the audit cannot be written: another vault writes to this audit"
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
}
