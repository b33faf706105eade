//! Why the audit does not do what it is asked: an enum for each thing that may be asked.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::adapters::postgres::InvalidUrl;

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder, or what is in it, cannot be used.
    #[error("the folder of the audit cannot be used: {0}")]
    Folder(#[from] io::Error),
    /// The database is not named as it should be.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The table cannot be brought up to date.
    #[error("the schema of the audit cannot be brought up to date: {0}")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// The table cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// What an earlier run left in the spool cannot be moved.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// There is no thread for the writer.
    #[error("the writer of the audit cannot be started: {0}")]
    Thread(io::Error),
}

/// A record is not on stable storage, so nothing may be answered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Nobody writes any more.
    #[error("the audit cannot be written: its writer has ended")]
    Ended,
    /// The folder does not take it.
    #[error("the audit cannot be written to its folder: {0}")]
    Folder(Arc<io::Error>),
    /// The table does not take it.
    #[error("the audit cannot be written to its table: {0}")]
    Table(Arc<TableError>),
    /// The spool has as many bytes as it may.
    #[error(
        "PostgreSQL does not take the audit, and its spool holds {held} bytes of the {most} that it \
         may (VANTA_AUDIT_SPOOL_MAX_MIB)"
    )]
    SpoolFull {
        /// How many it holds.
        held: u64,
        /// How many it may hold.
        most: u64,
    },
}

impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> Self {
        Self::Folder(Arc::new(error))
    }
}

impl From<TableError> for AppendError {
    fn from(error: TableError) -> Self {
        Self::Table(Arc::new(error))
    }
}

/// What was recorded cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Not from the folder.
    #[error("the audit cannot be read from its folder: {0}")]
    Folder(#[from] io::Error),
    /// Not from the table.
    #[error("the audit cannot be read from its table: {0}")]
    Table(#[from] TableError),
    /// Whoever read it panicked.
    #[error("the audit cannot be read: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// The table does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The database, or the way to it, is away.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// It does not answer.
    #[error("the database does not answer in time")]
    Silent,
    /// Another session holds the name.
    #[error(
        "another vault writes to the audit as {0}: set VANTA_REPLICA to a name that this vault \
         alone has"
    )]
    ReplicaTaken(String),
    /// The place of a line is taken, though this session holds the name.
    #[error("the chain of {0} was written to by somebody who is no vault")]
    PlaceTaken(String),
    /// What is there, or is to be written, is no entry.
    #[error("a line of the chain of {0} is not an entry of the audit")]
    NotAnEntry(String),
}

impl TableError {
    /// Whether what was to be written may be there all the same, or is there later.
    pub(super) fn leaves_doubt(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Silent)
    }
}

/// The spool is not in the table.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be read or emptied.
    #[error("the spool of the audit cannot be used: {0}")]
    Folder(#[from] io::Error),
    /// The table does not take it.
    #[error("the spool of the audit cannot be moved into the table: {0}")]
    Table(#[from] TableError),
    /// The table does not hold what was written to the spool.
    #[error(
        "the table does not hold entry {sequence} of the chain of {replica}, with which the spool \
         in {folder} ends: the table was replaced, or put back from a backup and written to since. \
         Move the spool away and keep it: it may hold entries that are nowhere else"
    )]
    Lacking {
        /// Where it is.
        folder: PathBuf,
        /// Whose chain it is.
        replica: String,
        /// The last sequence in the spool.
        sequence: u64,
    },
    /// It is that of another chain.
    #[error(
        "the spool in {folder} does not go on from the chain of {replica} in the table, which ends \
         at {end}: move it away and keep it"
    )]
    Apart {
        /// Where it is.
        folder: PathBuf,
        /// Whose chain it is not of.
        replica: String,
        /// The last sequence in the table.
        end: u64,
    },
}
