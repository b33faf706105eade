//! The log: many callers, one writer, one sync for all that wait.

mod batch;
mod checkpoints;
mod error;
mod file;
mod file_writer;
mod holders;
mod holding;
mod observer;
mod query;
mod stream;
mod table;
mod table_query;
mod table_session;
mod table_writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::signing::SigningKey;
use crate::adapters::postgres::connect_options;
use crate::domain::held::Held;
use crate::domain::record::{Link, Record};

pub use checkpoints::Checkpointer;
pub use error::{AppendError, OpenError, QueryError, SpoolError, TableError};
pub use file_writer::Rotation;
pub use observer::{Observer, Written};
pub use query::{Page, Query};
pub use stream::Stream;

use file_writer::FileWriter;
use holders::{Holders, learn_from};
use query::FolderReader;
use table::{STATEMENT_TIMEOUT, Table};
use table_session::Session;
use table_writer::{Spool, TableWriter};

/// How many records may wait for the writer. More callers wait for a place.
const QUEUE: usize = 1024;

/// How many pages are made at once; others wait.
const MOST_AT_ONCE: usize = 2;

/// How often it is tried to move the spool where nobody writes.
const CATCH_UP_PERIOD: Duration = Duration::from_secs(1);

/// What a log in a folder is made of.
pub struct LogOptions {
    /// The folder, which must exist.
    pub folder: PathBuf,
    /// The name of the replica whose chain it is.
    pub replica: String,
    /// How the files are rotated.
    pub rotation: Rotation,
    /// What the removal of the oldest files is signed with; nobody believes one that is not.
    pub key: Option<SigningKey>,
    /// Where the lines go besides.
    pub stream: Option<Stream>,
    /// Who is told of each batch.
    pub observer: Observer,
}

/// What a log in a PostgreSQL that replicas share is made of.
pub struct TableOptions {
    /// The database's URL, which may hold a password.
    pub url: SecretString,
    /// For what cannot be written there while it is away. Without it nothing is answered meanwhile.
    pub spool: Option<SpoolOptions>,
    /// The name of the replica whose chain it is: of this vault alone.
    pub replica: String,
    /// Where the lines go besides.
    pub stream: Option<Stream>,
    /// Who is told of each batch.
    pub observer: Observer,
}

/// Where lines wait for the table.
pub struct SpoolOptions {
    /// The folder, which must exist.
    pub folder: PathBuf,
    /// How large its files get, in bytes.
    pub most_bytes: u64,
    /// How large it gets as a whole, in bytes: beyond it nothing is recorded until PostgreSQL is
    /// back. Where the volume is limited, writing on would end the vault with all that waits.
    pub most_bytes_in_all: u64,
}

struct Pending {
    record: Record,
    done: oneshot::Sender<Result<(), AppendError>>,
}

enum Writer {
    Folder(Box<FileWriter>),
    Table(Box<TableWriter>, Handle),
}

enum Reader {
    Folder { reader: FolderReader, holders: Arc<Mutex<Holders>> },
    Table(Table),
}

struct Shared {
    replica: String,
    head: watch::Receiver<Link>,
    reader: Reader,
    places: Arc<Semaphore>,
    stream: Option<Stream>,
}

/// The audit of one replica.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<Pending>,
    shared: Arc<Shared>,
}

impl AuditLog {
    /// Opens the log in a folder as [`Self::start`] does, with nothing special.
    pub fn open(folder: &Path, replica: &str) -> Result<Self, OpenError> {
        Self::start(LogOptions {
            folder: folder.to_owned(),
            replica: replica.to_owned(),
            rotation: Rotation::default(),
            key: None,
            stream: None,
            observer: Observer::default(),
        })
    }

    /// Opens the log in a folder and starts its writer, a thread that ends with the last handle.
    pub fn start(options: LogOptions) -> Result<Self, OpenError> {
        let LogOptions { folder, replica, rotation, key, stream, observer } = options;
        let writer = FileWriter::open(&folder, &replica, rotation, key)?;
        let holders = Arc::new(Mutex::new(learn_from(&folder)?));
        let (head, receiver) = watch::channel(writer.end().clone());
        let reader = FolderReader::new(folder, receiver.clone());
        let reader = Reader::Folder { reader, holders: Arc::clone(&holders) };
        let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
        let shared = Shared { replica, head: receiver, reader, places, stream };
        let work = Work::new(Writer::Folder(Box::new(writer)), head, Some(holders), observer);
        Self::with(work, shared)
    }

    /// Opens the log in a table and starts its writer, a thread that ends with the last handle.
    /// What an earlier run left in the spool is moved first.
    pub async fn in_table(options: TableOptions) -> Result<Self, OpenError> {
        let TableOptions { url, spool, replica, stream, observer } = options;
        let connect = |name| connect_options(url.expose_secret(), name, STATEMENT_TIMEOUT);
        let (to_write, to_read) =
            (connect("vanta-vault audit")?, connect("vanta-vault audit reader")?);
        let table = Table::open(&to_read).await?;
        let session = Session::open(to_write, &replica).await?;
        let spool = spool.map(|SpoolOptions { folder, most_bytes, most_bytes_in_all }| {
            let files = FileWriter::open_spool(&folder, &replica, most_bytes)?;
            Ok::<_, OpenError>(Spool { files, most_bytes: most_bytes_in_all })
        });
        let spool = spool.transpose()?;
        let writer = TableWriter::open(session, &replica, spool).await?;
        let (head, receiver) = watch::channel(writer.end().clone());
        let (reader, places) = (Reader::Table(table), Arc::new(Semaphore::new(MOST_AT_ONCE)));
        let shared = Shared { replica, head: receiver, reader, places, stream };
        let writer = Writer::Table(Box::new(writer), Handle::current());
        Self::with(Work::new(writer, head, None, observer), shared)
    }

    fn with(work: Work, shared: Shared) -> Result<Self, OpenError> {
        let (queue, pending) = mpsc::channel(QUEUE);
        let work = Work { stream: shared.stream.clone(), ..work };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || work.run(pending))
            .map_err(OpenError::Thread)?;
        Ok(Self { queue, shared: Arc::new(shared) })
    }

    /// Whether the writer is there; without it nothing can be answered.
    pub fn is_writing(&self) -> bool {
        !self.queue.is_closed()
    }

    /// Appends a record; done once it is on stable storage.
    pub async fn append(&self, record: Record) -> Result<(), AppendError> {
        let (done, answer) = oneshot::channel();
        self.queue.send(Pending { record, done }).await.map_err(|_| AppendError::Ended)?;
        answer.await.map_err(|_| AppendError::Ended)?
    }

    /// The replica's name.
    pub fn replica(&self) -> &str {
        &self.shared.replica
    }

    /// Where the lines go besides.
    pub fn stream(&self) -> Option<Stream> {
        self.shared.stream.clone()
    }

    /// The end of the chain: what it names is on stable storage.
    pub fn head(&self) -> watch::Receiver<Link> {
        self.shared.head.clone()
    }

    /// The lines that are asked for, of those on stable storage: of this replica where they are in
    /// a folder, of all where they are in a table.
    pub async fn query(&self, query: Query) -> Result<Page, QueryError> {
        let place = Arc::clone(&self.shared.places).acquire_owned().await;
        let place = place.expect("the semaphore is never closed");
        match &self.shared.reader {
            Reader::Folder { reader, .. } => reader.query(query, place).await,
            Reader::Table(table) => Ok(table.query(&query).await?),
        }
    }

    /// Whether other replicas write to it too.
    pub fn is_shared(&self) -> bool {
        matches!(self.shared.reader, Reader::Table(_))
    }

    /// Who was last given what, the newest first. Of long ago there may be nothing: the newest
    /// entries tell it, and so many holders are known.
    pub async fn holders(&self) -> Result<Vec<Held>, TableError> {
        match &self.shared.reader {
            Reader::Folder { holders, .. } => {
                Ok(holders.lock().unwrap_or_else(PoisonError::into_inner).list())
            }
            Reader::Table(table) => table.holders().await,
        }
    }
}

/// What the writer's thread does.
struct Work {
    writer: Writer,
    head: watch::Sender<Link>,
    holders: Option<Arc<Mutex<Holders>>>,
    stream: Option<Stream>,
    observer: Observer,
}

impl Work {
    fn new(
        writer: Writer,
        head: watch::Sender<Link>,
        holders: Option<Arc<Mutex<Holders>>>,
        observer: Observer,
    ) -> Self {
        Self { writer, head, holders, stream: None, observer }
    }

    fn run(mut self, mut queue: mpsc::Receiver<Pending>) {
        let mut batch = Vec::new();
        while self.receive(&mut queue, &mut batch) {
            let (records, waiting): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|pending| (pending.record, pending.done)).unzip();
            let (mut rest, mut waiting) = (records.as_slice(), waiting.into_iter());
            while !rest.is_empty() {
                let result = self.observed(rest);
                // Where it fails, it fails for all that wait.
                let done = *result.as_ref().unwrap_or(&rest.len());
                rest = &rest[done..];
                for waiting in waiting.by_ref().take(done) {
                    // A caller that has gone away needs no answer.
                    let _ = waiting.send(result.clone().map(|_| ()));
                }
            }
        }
    }

    /// Waits for records; none once the last handle is gone.
    fn receive(&mut self, queue: &mut mpsc::Receiver<Pending>, batch: &mut Vec<Pending>) -> bool {
        if let Writer::Table(writer, runtime) = &mut self.writer {
            while writer.is_behind() {
                let more = queue.recv_many(batch, QUEUE);
                let more = async { tokio::time::timeout(CATCH_UP_PERIOD, more).await };
                if let Ok(received) = runtime.block_on(more) {
                    return received > 0;
                }
                runtime.block_on(writer.catch_up());
                let (spooled, spool_bytes) = writer.spooled();
                let lines = Some(0);
                self.observer.tell(Written { lines, spooled, spool_bytes, ..Written::default() });
            }
        }
        queue.blocking_recv_many(batch, QUEUE) > 0
    }

    /// Writes the first of these records, and tells of it before anybody is answered; gives how
    /// many.
    fn observed(&mut self, records: &[Record]) -> Result<usize, AppendError> {
        let (began, (rotated, retired)) = (Instant::now(), self.closed());
        let result = self.write(records);
        let (rotated_now, retired_now) = self.closed();
        let (spooled, spool_bytes) = self.spooled();
        self.observer.tell(Written {
            lines: result.as_ref().ok().copied(),
            duration: began.elapsed(),
            rotated: rotated_now - rotated,
            retired: retired_now - retired,
            spooled,
            spool_bytes,
        });
        result
    }

    /// How many files became full, and how many were retired, since the start.
    fn closed(&self) -> (u64, u64) {
        match &self.writer {
            Writer::Folder(writer) => writer.closed(),
            Writer::Table(..) => (0, 0),
        }
    }

    fn spooled(&self) -> (usize, u64) {
        match &self.writer {
            Writer::Folder(_) => (0, 0),
            Writer::Table(writer, _) => writer.spooled(),
        }
    }

    fn write(&mut self, records: &[Record]) -> Result<usize, AppendError> {
        let (lines, end) = match &mut self.writer {
            Writer::Folder(writer) => (writer.write(records)?, writer.end()),
            Writer::Table(writer, runtime) => {
                (runtime.block_on(writer.write(records))?, writer.end())
            }
        };
        self.head.send_replace(end.clone());
        if let Some(stream) = &self.stream {
            stream.send(&lines);
        }
        if let Some(holders) = &self.holders {
            let mut holders = holders.lock().unwrap_or_else(PoisonError::into_inner);
            for record in &records[..lines.len()] {
                holders.learn(record);
            }
        }
        Ok(lines.len())
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
