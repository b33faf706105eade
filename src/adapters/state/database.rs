//! The two databases, behind one set of statements.
//!
//! Each has a pool for writing, one for reading, and one for what must not wait behind callers. Statements are written once, in the SQL that
//! both know, with `$1` for the first argument.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use crate::adapters::postgres::{InvalidUrl, connect_options};
use crate::domain::ports::TokenStoreError;

static MIGRATIONS: Migrator = sqlx::migrate!("src/adapters/state/migrations");

/// How long a statement may take, the wait for a connection included.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long PostgreSQL goes on with a statement for which nobody waits any more, in milliseconds.
const STATEMENT_TIMEOUT: u32 = 3000;

/// The state could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database is not named as it should be.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The database does not open or answer.
    #[error("the state database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// It does not answer in time.
    #[error("the state database does not answer in {} seconds", TIMEOUT.as_secs())]
    Silent,
    /// Its schema cannot be brought up to date.
    #[error("the state database's schema cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// No random bytes could be had.
    #[error("no random bytes could be had: {0}")]
    Random(#[from] getrandom::Error),
    /// A fact in the database is not of the form in which it was written.
    #[error("the state database is damaged: {0} is not what was written")]
    Damaged(&'static str),
}

impl From<StateError> for TokenStoreError {
    fn from(error: StateError) -> Self {
        Self(error.to_string())
    }
}

/// The pools of one kind.
#[derive(Debug)]
pub(super) struct Pools<P> {
    /// For uses and tokens.
    pub(super) writer: P,
    /// For questions about them.
    pub(super) reader: P,
    /// For revocations and what must not wait behind callers, however many there are.
    pub(super) control: P,
}

#[derive(Debug)]
pub(super) enum Database {
    Sqlite(Pools<SqlitePool>),
    Postgres(Pools<PgPool>),
}

/// Fetches with one statement from a pool of whichever database it is.
macro_rules! fetch {
    ($database:expr, $side:ident, $how:ident, $statement:expr) => {
        $crate::adapters::state::database::in_time(async {
            match $database {
                Database::Sqlite(pools) => $statement.$how(&pools.$side).await,
                Database::Postgres(pools) => $statement.$how(&pools.$side).await,
            }
        })
        .await
    };
}
pub(super) use fetch;

/// Writes with one statement to whichever database it is; gives the number of rows.
macro_rules! write {
    ($database:expr, $statement:expr) => {
        $crate::adapters::state::database::write!($database, writer, $statement)
    };
    ($database:expr, $side:ident, $statement:expr) => {
        $crate::adapters::state::database::in_time(async {
            Ok(match $database {
                Database::Sqlite(pools) => $statement.execute(&pools.$side).await?.rows_affected(),
                Database::Postgres(pools) => {
                    $statement.execute(&pools.$side).await?.rows_affected()
                }
            })
        })
        .await
    };
}
pub(super) use write;

/// A statement's answer, where it comes in time. One that is given up may have been done all the
/// same: whoever asks must take it for not done only where that is the safe mistake.
pub(super) async fn in_time<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StateError> {
    match tokio::time::timeout(TIMEOUT, statement).await {
        Ok(answer) => answer.map_err(StateError::from),
        Err(_) => Err(StateError::Silent),
    }
}

impl Database {
    /// Opens the file, or makes it, and brings its schema up to date.
    pub(super) async fn open_file(path: &Path) -> Result<Self, StateError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(TIMEOUT);
        let pool = || SqlitePoolOptions::new().acquire_timeout(TIMEOUT);
        // One connection, since SQLite has one writer: waiting here is better than "busy" there.
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let control = pool().max_connections(1).connect_with(options.clone()).await?;
        let reader = pool().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Self::Sqlite(Pools { writer, reader, control }))
    }

    /// Connects, and brings the schema up to date; replicas that do so at once wait for each other.
    pub(super) async fn connect(url: &str) -> Result<Self, StateError> {
        let options = connect_options(url, "vanta-vault", STATEMENT_TIMEOUT)?;
        let pool = |connections| {
            PgPoolOptions::new().acquire_timeout(TIMEOUT).max_connections(connections)
        };
        let writer = pool(8).connect_with(options.clone()).await?;
        MIGRATIONS.run(&writer).await?;
        let reader = pool(4).connect_with(options.clone()).await?;
        let control = pool(2).connect_with(options).await?;
        Ok(Self::Postgres(Pools { writer, reader, control }))
    }

    /// Whether other replicas write to it.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    pub(super) async fn ping(&self) -> Result<(), StateError> {
        let one: Result<(i32,), _> = fetch!(self, control, fetch_one, sqlx::query_as("SELECT 1"));
        one.map(drop)
    }
}
