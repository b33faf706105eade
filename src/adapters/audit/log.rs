//! The log: many callers, one writer, one sync for all that wait.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot, watch};

use super::error::AuditError;
use super::file_writer::{FileWriter, Rotation};
use super::folder::{StoredFile, files};
use super::holders::{Holder, Holders};
use super::lines::Forward;
use super::query::{FolderReader, Page, Query};
use super::stream::Stream;
use crate::domain::record::{Entry, Link, Record};

/// How many records may wait for the writer. More callers wait for a place.
const QUEUE: usize = 1024;

/// How many bytes of the newest files tell who holds what when the log is opened.
const LEARNT_BYTES: u64 = 64 * 1024 * 1024;

/// What a log is made of.
pub struct LogOptions {
    /// The folder, which must exist.
    pub folder: PathBuf,
    /// The name of the replica whose chain it is.
    pub replica: String,
    /// How the files are rotated.
    pub rotation: Rotation,
    /// Where the lines go besides.
    pub stream: Option<Stream>,
}

struct Pending {
    record: Record,
    done: oneshot::Sender<Result<(), AuditError>>,
}

struct Shared {
    replica: String,
    head: watch::Receiver<Link>,
    holders: Arc<Mutex<Holders>>,
    reader: FolderReader,
}

/// The audit of one replica.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Pending>,
    shared: Arc<Shared>,
}

impl AuditLog {
    /// Opens the log in a folder as [`Self::start`] does, with nothing special.
    pub fn open(folder: &Path, replica: &str) -> Result<Self, AuditError> {
        Self::start(LogOptions {
            folder: folder.to_owned(),
            replica: replica.to_owned(),
            rotation: Rotation::default(),
            stream: None,
        })
    }

    /// Opens the log in a folder and starts its writer, a thread that ends with the last handle.
    pub fn start(options: LogOptions) -> Result<Self, AuditError> {
        let writer = FileWriter::open(&options.folder, &options.replica, options.rotation)?;
        let mut holders = Holders::default();
        learn(&mut holders, &options.folder)?;
        let holders = Arc::new(Mutex::new(holders));
        let (head, receiver) = watch::channel(writer.end().clone());
        let (queue, pending) = mpsc::channel(QUEUE);
        let known = Arc::clone(&holders);
        let stream = options.stream;
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || run(writer, pending, &head, &known, stream.as_ref()))
            .map_err(AuditError::from)?;
        let reader = FolderReader::new(options.folder, receiver.clone());
        let shared = Shared { replica: options.replica, head: receiver, holders, reader };
        Ok(Self { queue, shared: Arc::new(shared) })
    }

    /// Whether the writer is there; without it nothing can be answered.
    pub fn is_writing(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Appends a record; done once it is on stable storage.
    pub async fn append(&self, record: Record) -> Result<(), AuditError> {
        let gone = || AuditError::Write("the writer has ended".to_owned());
        let (done, answer) = oneshot::channel();
        self.queue.send(Pending { record, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The replica's name.
    pub fn replica(&self) -> &str {
        &self.shared.replica
    }

    /// The end of the chain: what it names is on stable storage.
    pub fn head(&self) -> watch::Receiver<Link> {
        self.shared.head.clone()
    }

    /// The lines that are asked for, of those on stable storage.
    pub async fn query(&self, query: Query) -> Result<Page, AuditError> {
        self.shared.reader.query(query).await
    }

    /// Who was last given what, the newest first. Of long ago there may be nothing: the newest
    /// files tell it, and so many holders are known.
    #[expect(clippy::unused_async, reason = "where many replicas share a database, it is asked")]
    pub async fn holders(&self) -> Result<Vec<Holder>, AuditError> {
        let holders = self.shared.holders.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(holders.list())
    }
}

fn run(
    mut writer: FileWriter,
    mut queue: mpsc::Receiver<Pending>,
    head: &watch::Sender<Link>,
    holders: &Mutex<Holders>,
    stream: Option<&Stream>,
) {
    let mut batch = Vec::new();
    while queue.blocking_recv_many(&mut batch, QUEUE) > 0 {
        let (records, waiting): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|pending| (pending.record, pending.done)).unzip();
        let result = writer.write(&records).map(|lines| {
            head.send_replace(writer.end().clone());
            if let Some(stream) = stream {
                stream.send(&lines);
            }
            let mut holders = holders.lock().unwrap_or_else(PoisonError::into_inner);
            records.iter().for_each(|record| holders.learn(record));
        });
        for done in waiting {
            // A caller that has gone away needs no answer.
            let _ = done.send(result.clone());
        }
    }
}

/// Learns from the newest files who holds what.
fn learn(holders: &mut Holders, folder: &Path) -> Result<(), AuditError> {
    let mut left = LEARNT_BYTES;
    let mut from = Vec::new();
    for StoredFile { path, .. } in files(folder)?.into_iter().rev() {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let read = length.min(left);
        file.seek(SeekFrom::Start(length - read))?;
        left -= read;
        from.push(file);
        if left == 0 {
            break;
        }
    }
    for file in from.into_iter().rev() {
        for line in Forward::new(file) {
            let line = line?;
            // The first one may be cut: it is no entry then.
            let entry = line.finished().and_then(|line| serde_json::from_str::<Entry>(line).ok());
            if let Some(entry) = entry {
                holders.learn(&entry.record);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
